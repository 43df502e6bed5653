package guard

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
)

func TestASetIsReadUntilTwoReadingsAgree(t *testing.T) {
	for _, tt := range []struct{ name, readings, want string }{
		{"empty", "|", ""},
		{"it stands still", "abc|abc", "abc"},
		{"one is missed", "ab|abc|abc", "abc"},
		{"one is told twice for another", "aab|abc|cba", "abc"},
		{"the same are told twice again", "aab|aab|abc|abc", "abc"},
		{"one is missed at last", "abc|ab|ab", "abc"},
		{"it never stands still", strings.Repeat("ab|bc|", readings/2), "abc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left := strings.Split(tt.readings, "|")
			elements, err := agreed(func() (read []nftables.SetElement, err error) {
				for _, key := range left[0] {
					read = append(read, nftables.SetElement{Key: []byte(string(key))})
				}
				left = left[1:]
				return read, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, e := range elements {
				keys = append(keys, string(e.Key))
			}
			slices.Sort(keys)
			if got := strings.Join(keys, ""); got != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
		})
	}
}
