package calendar_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/cluster/calendar"
)

// noon is on a Thursday.
var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func TestDatesAreReadInEveryNotation(t *testing.T) {
	for text, want := range map[string]string{
		"2024-02-29":                "2024-02-29T00:00:00Z",
		"20240229":                  "2024-02-29T00:00:00Z",
		"2024-060":                  "2024-02-29T00:00:00Z",
		"2024-W09-4":                "2024-02-29T00:00:00Z",
		"2024-02-29 13:30":          "2024-02-29T13:30:00Z",
		"2024-02-29T133015":         "2024-02-29T13:30:15Z",
		"2024-02-29T13:30:00+02:00": "2024-02-29T11:30:00Z",
		"2024-02-29 24:00:00Z":      "2024-03-01T00:00:00Z",
		"epoch":                     "1970-01-01T00:00:00Z",
	} {
		got, ok := calendar.Parse(text)
		if !ok || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("Parse(%q) is %v, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "tomorrow", "2023-02-29", "2024-13-01", "2024-02-29 25:00", "2024-W54-1", "2024-02-29 12:00 noon"} {
		if got, ok := calendar.Parse(text); ok {
			t.Errorf("Parse(%q) is %v, want none", text, got)
		}
	}
}

func TestAMonthEndsWithItsLastDay(t *testing.T) {
	start := time.Date(2024, 1, 31, 13, 0, 0, 0, time.UTC)
	if got, want := (calendar.Period{Months: 1}).After(start), time.Date(2024, 2, 29, 13, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("a month after %v is %v, want %v", start, got, want)
	}
}

func TestWhatIsNoSpecIsSaidWithTheFix(t *testing.T) {
	for _, tt := range []struct {
		spec calendar.Spec
		want string
	}{
		{calendar.Spec{"hours": "9-16", "weekdays": "1-5", "years": "2024-", "monthdays": "-28"}, ""},
		{nil, "it says nothing; write for example hours=9-16"},
		{calendar.Spec{"hour": "9"}, `there is no part "hour" of a date; use hours, `},
		{calendar.Spec{"hours": "nine"}, "hours=nine is no range; write for example hours=9-16"},
		{calendar.Spec{"hours": "-"}, "hours=- is no range"},
		{calendar.Spec{"hours": "9-24"}, "hours=9-24: 24 is no hour; use 0 to 23"},
		{calendar.Spec{"weekdays": "0"}, "0 is no day of a week; use 1 to 7"},
		{calendar.Spec{"hours": "16-9"}, "hours=16-9 holds never; write the smaller number first"},
	} {
		if got := tt.spec.Check(); said(got) != tt.want && (tt.want == "" || !strings.Contains(said(got), tt.want)) {
			t.Errorf("Check(%v) says %q, want %q", tt.spec, said(got), tt.want)
		}
	}
}

func TestWhatIsNoPeriodIsSaidWithTheFix(t *testing.T) {
	for _, tt := range []struct {
		parts map[string]string
		want  string
	}{
		{map[string]string{"hours": "5", "days": "0"}, ""},
		{nil, "it says nothing; write for example hours=5"},
		{map[string]string{"hour": "5"}, `there is no part "hour" of a duration; use years, `},
		{map[string]string{"hours": "-5"}, "hours=-5 is no number of hours; use 0 to 1000000"},
	} {
		if _, got := calendar.ParsePeriod(tt.parts); said(got) != tt.want && (tt.want == "" || !strings.Contains(said(got), tt.want)) {
			t.Errorf("ParsePeriod(%v) says %q, want %q", tt.parts, said(got), tt.want)
		}
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNextIsWhenTheAnswerChanges(t *testing.T) {
	for _, tt := range []struct {
		spec calendar.Spec
		want string
	}{
		{calendar.Spec{"hours": "9-16"}, "2024-02-29T17:00:00Z"},
		{calendar.Spec{"hours": "18-20"}, "2024-02-29T18:00:00Z"},
		{calendar.Spec{"weekdays": "1-5"}, "2024-03-02T00:00:00Z"},
		{calendar.Spec{"weekdays": "1-5", "hours": "9-16"}, "2024-02-29T17:00:00Z"},
		{calendar.Spec{"minutes": "30-"}, "2024-02-29T12:30:00Z"},
		{calendar.Spec{"seconds": "0"}, "2024-02-29T12:00:01Z"},
		{calendar.Spec{"months": "3"}, "2024-03-01T00:00:00Z"},
	} {
		if got := tt.spec.Next(noon).Format(time.RFC3339); got != tt.want {
			t.Errorf("after %v the answer of %v changes at %s, want %s", noon, tt.spec, got, tt.want)
		}
	}
	if got := (calendar.Spec{}).Next(noon); !got.IsZero() {
		t.Errorf("what asks for nothing changes at %v", got)
	}
}

// A plan is made anew at Next and not before: an answer that changed earlier
// would be missed.
func TestNothingChangesBeforeNext(t *testing.T) {
	ranges := map[string]*rapid.Generator[string]{
		"hours":    rapid.SampledFrom([]string{"0", "9-16", "22-", "-5"}),
		"minutes":  rapid.SampledFrom([]string{"0-29", "15", "45-"}),
		"weekdays": rapid.SampledFrom([]string{"1-5", "6-7", "3"}),
		"months":   rapid.SampledFrom([]string{"2", "3-8"}),
	}
	rapid.Check(t, func(t *rapid.T) {
		spec := calendar.Spec{}
		for _, name := range []string{"hours", "minutes", "months", "weekdays"} {
			if rapid.Bool().Draw(t, name+" given") {
				spec[name] = ranges[name].Draw(t, name)
			}
		}
		now := noon.Add(time.Duration(rapid.IntRange(0, 60*24*400).Draw(t, "minutes later")) * time.Minute)
		next := spec.Next(now)
		if next.IsZero() {
			return
		}
		if !next.After(now) {
			t.Fatalf("%v at %v: next is %v, not later", spec, now, next)
		}
		within := int(next.Sub(now)/time.Second) - 1
		if at := now.Add(time.Duration(rapid.IntRange(0, max(0, within)).Draw(t, "seconds later")) * time.Second); spec.Has(at) != spec.Has(now) {
			t.Fatalf("%v changes at %v, before %v, seen from %v", spec, at, next, now)
		}
	})
}
