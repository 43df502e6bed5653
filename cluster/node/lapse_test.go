package node

import "testing"

func TestOnlyALapseThatEndedOverSomethingServedIsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps string // l: lapsed while owning, e: lapsed while owning nothing, r: regained, d: dropped
		told  bool
	}{
		{"won back", "lr", true},
		{"nothing was served", "er", false},
		{"the first lease", "r", false},
		{"the epoch ended instead", "ldr", false},
		{"dropped what it had while it lapsed again", "ler", true},
	} {
		l := newLapses()
		for _, step := range tt.steps {
			switch step {
			case 'l':
				l.begin(true)
			case 'e':
				l.begin(false)
			case 'r':
				l.end()
			case 'd':
				l.drop()
			}
		}
		if told := len(l.over) > 0; told != tt.told {
			t.Errorf("%s: told %v, want %v", tt.name, told, tt.told)
		}
	}
}
