package resources

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// parseOrders reads "a drain, b disable 5, c ready, d -" for servers of one service.
func parseOrders(t *testing.T, text string) []*pb.ServerOrder {
	t.Helper()
	modes := map[string]pb.ServerMode{
		"drain": pb.ServerMode_SERVER_MODE_DRAIN, "disable": pb.ServerMode_SERVER_MODE_DISABLED,
		"ready": pb.ServerMode_SERVER_MODE_READY, "-": pb.ServerMode_SERVER_MODE_UNSPECIFIED,
	}
	var list []*pb.ServerOrder
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		o := &pb.ServerOrder{Service: "web", Server: words[0], Mode: modes[words[1]]}
		if len(words) == 3 {
			var weight uint32
			if _, err := fmt.Sscan(words[2], &weight); err != nil {
				t.Fatal(err)
			}
			o.Weight = proto.Uint32(weight)
		}
		list = append(list, o)
	}
	return list
}

// shown tells of the orders in force, and which of them are kept.
func shown(b *OrderBook) string {
	var said []string
	for _, name := range slices.SortedFunc(maps.Keys(b.InForce()), func(a, b ServerName) int { return strings.Compare(a.Server, b.Server) }) {
		s := &pb.BalancedServer{Name: name.Server}
		b.Show(s, name.Service)
		if s.Order == nil {
			continue
		}
		text := name.Server + " " + strings.ToLower(strings.TrimPrefix(s.Order.Mode.String(), "SERVER_MODE_"))
		if s.Order.Weight != nil {
			text += fmt.Sprintf(" %d", s.Order.GetWeight())
		}
		if s.Kept {
			text += " kept"
		}
		said = append(said, text)
	}
	return strings.Join(said, ", ")
}

func TestATemporaryOrderCountsBeforeTheKeptOne(t *testing.T) {
	tests := []struct{ name, kept, taken, want string }{
		{"nothing is ordered", "", "", ""},
		{"a kept one counts", "a drain, b - 5", "", "a drain kept, b unspecified 5 kept"},
		{"a temporary one does too", "", "a disable", "a disabled"},
		{"and hides the kept one", "a drain", "a disable", "a disabled"},
		{"also when it wants nothing but what the checks say", "a drain", "a ready", ""},
		{"the same one is kept", "a drain 3", "a drain 3", "a drain 3 kept"},
		{"one that says nothing lets the kept one count", "a drain", "a disable, b drain; a -", "a drain kept, b drain"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "run", "orders.json")
		b, err := OpenOrderBook(path)
		if err != nil {
			t.Fatal(err)
		}
		b.Keep(parseOrders(t, tt.kept))
		for taken := range strings.SplitSeq(tt.taken, ";") {
			if err := b.Take(parseOrders(t, taken)); err != nil {
				t.Fatal(err)
			}
		}
		if got := shown(b); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		again, err := OpenOrderBook(path) // as the agent's next start does
		if err != nil {
			t.Fatal(err)
		}
		again.Keep(parseOrders(t, tt.kept))
		if got := shown(again); got != tt.want {
			t.Errorf("%s: after a restart: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestOrdersLeaveNoFileBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.json")
	for name, end := range map[string]func(*OrderBook) error{
		"taken back": func(b *OrderBook) error { return b.Take(parseOrders(t, "a -")) },
		"dropped":    func(*OrderBook) error { return DropOrders(path) },
	} {
		b, err := OpenOrderBook(path)
		if err == nil {
			err = b.Take(parseOrders(t, "a drain"))
		}
		if err == nil {
			err = end(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: the file is there: %v", name, err)
		}
	}
	if err := DropOrders(path); err != nil {
		t.Errorf("dropped twice: %v", err)
	}
}

func TestKeptOrdersAreNewsWhenTheyChange(t *testing.T) {
	b := &OrderBook{path: filepath.Join(t.TempDir(), "orders.json"), temporary: Orders{}}
	for _, step := range []struct {
		kept string
		news bool
	}{{"", false}, {"a drain", true}, {"a drain", false}, {"a drain 1", true}, {"", true}} {
		if got := b.Keep(parseOrders(t, step.kept)); got != step.news {
			t.Errorf("Keep(%q) = %v", step.kept, got)
		}
	}
}
