package check

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAJudgeChangesItsMindAfterRiseAndFall(t *testing.T) {
	tests := []struct {
		name       string
		rise, fall int
		first      State
		answers    string // + and -
		want       string // state after each: u, d, ?
	}{
		{"the first answer settles what is unknown", 3, 3, Unknown, "+", "u"},
		{"and a bad one too", 3, 3, Unknown, "-", "d"},
		{"fall failures in a row bring it down", 2, 3, Up, "---", "uud"},
		{"a success in between begins anew", 2, 3, Up, "--+---", "uuuuud"},
		{"rise successes in a row bring it up", 2, 1, Down, "+-++", "dddu"},
		{"one is enough if that is wanted", 1, 1, Up, "-+-+", "dudu"},
		{"an adopted state is kept by what agrees with it", 2, 2, Up, "++-+-", "uuuuu"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := judge{rise: tt.rise, fall: tt.fall, state: tt.first}
			var got strings.Builder
			for _, a := range tt.answers {
				j.take(a == '+')
				got.WriteByte(map[State]byte{Up: 'u', Down: 'd', Unknown: '?'}[j.state])
			}
			if got.String() != tt.want {
				t.Errorf("rise %d, fall %d, %v, then %s: got %s, want %s", tt.rise, tt.fall, tt.first, tt.answers, got.String(), tt.want)
			}
		})
	}
}

// The judge's invariant, by a second implementation that looks back.
func TestAStateChangesOnlyAfterEnoughContradictions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := judge{rise: rapid.IntRange(1, 4).Draw(t, "rise"), fall: rapid.IntRange(1, 4).Draw(t, "fall")}
		answers := rapid.SliceOf(rapid.Bool()).Draw(t, "answers")
		since := 0 // the state cannot have been contradicted before that answer
		for i, ok := range answers {
			before := j.state
			changed := j.take(ok)
			if changed != (j.state != before) {
				t.Fatalf("answer %d: changed is %v, %v became %v", i, changed, before, j.state)
			}
			need := j.fall
			if ok {
				need = j.rise
			}
			if want := i == 0 || contradicts(before, answers[since:i+1], need); changed != want {
				t.Fatalf("answer %d of %v, %v before: changed %v, want %v", i, answers, before, changed, want)
			}
			if changed {
				since = i + 1
			}
		}
	})
}

// contradicts reports whether the last need answers all contradict a state.
func contradicts(s State, answers []bool, need int) bool {
	if len(answers) < need {
		return false
	}
	for _, ok := range answers[len(answers)-need:] {
		if ok == (s == Up) {
			return false
		}
	}
	return true
}
