package lab

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// TestServedIsPresentAndAdmitted plays the guard's part by nft: an address that
// is managed and not leased, or no longer, is on the host and not served.
func TestServedIsPresentAndAdmitted(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1", "n2"}, nil))
	if _, err := l.Output(t.Context(), "n1", "nft", "--version"); err != nil {
		t.Skipf("SKIPPED: nft is not installed: %v", err)
	}
	stop, err := l.Meter(VIP)
	if err != nil {
		t.Fatal(err)
	}
	both := "for f in inet arp; do nft add table $f quorate; " +
		"nft add set $f quorate managed4 '{ type ipv4_addr; }'; nft add set $f quorate leased4 '{ type ipv4_addr; flags timeout; }'; done"
	lease := func(set, element string) string { // both tables' at once, as the guard does
		words := " quorate " + set + " { $VIP" + element + " }"
		return `nft "add element inet` + words + `; add element arp` + words + `"`
	}
	script(t, l, "n1", "ip addr add $VIP/32 dev eth0", "sleep 0.1")                                 // no guard: served
	script(t, l, "n1", both, lease("managed4", ""))                                                 // not any more
	script(t, l, "n2", both, lease("managed4", ""), "ip addr add $VIP/32 dev eth0")                 // not yet
	script(t, l, "n2", lease("leased4", " timeout 300ms"), "sleep 0.4")                             // for 300 ms
	script(t, l, "n1", "nft delete table inet quorate; nft delete table arp quorate;", "sleep 0.1") // served again
	got, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	var nodes []string
	for _, s := range got.Served {
		nodes = append(nodes, s.Node)
	}
	if want := []string{"n1", "n2", "n1"}; !slices.Equal(nodes, want) {
		t.Fatalf("served by %q, want %q: %+v", nodes, want, got)
	}
	if d := got.Served[1].To - got.Served[1].From; d < 290*time.Millisecond || d > 310*time.Millisecond {
		t.Errorf("leased for 300 ms, served for %v", d)
	}
	if got.Shared != 0 || got.Both == 0 || got.Missed != 0 {
		t.Errorf("two had it for %v and served it for %v, %d messages missed; want never two at a time", got.Both, got.Shared, got.Missed)
	}
}

func TestDeadlineOfTheGuardsRule(t *testing.T) {
	var wall unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		t.Fatal(err)
	}
	until := monotonic(wall) + 400*time.Millisecond // read late on a busy machine, both clocks at once
	last := binary.BigEndian.AppendUint64(nil, uint64(wall.Nano()+int64(400*time.Millisecond))-1)
	var rule []byte
	for _, e := range []expr.Any{
		&expr.Meta{Key: 30, Register: 1},
		&expr.Range{Op: expr.CmpOpNeq, Register: 1, FromData: make([]byte, 8), ToData: last},
	} {
		data, err := expr.Marshal(byte(nftables.TableFamilyINet), e)
		if err != nil {
			t.Fatal(err)
		}
		rule = binary.NativeEndian.AppendUint16(rule, uint16(4+len(data)))
		rule = append(binary.NativeEndian.AppendUint16(rule, unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED), data...)
		for len(rule)%4 != 0 {
			rule = append(rule, 0)
		}
	}
	if got := deadlineOf(rule); got < until-5*time.Millisecond || got > until+5*time.Millisecond {
		t.Errorf("deadline in %v, want %v", got-now(), until-now())
	}
}

func TestHold(t *testing.T) {
	var spans []Span
	for _, step := range []struct {
		host      string
		until, at time.Duration
	}{
		{"a", 50, 10}, {"a", 60, 20}, {"b", forever, 30}, {"a", 0, 40}, // renewed, and ended early
		{"a", 100, 45}, {"a", 200, 150}, // lapsed in between
		{"b", 0, 170}, {"b", 0, 180},
	} {
		spans = hold(spans, step.host, step.until, step.at)
	}
	want := []Span{{"a", 10, 40}, {"b", 30, 170}, {"a", 45, 100}, {"a", 150, 200}}
	if !slices.Equal(spans, want) {
		t.Errorf("got %v, want %v", spans, want)
	}
}
