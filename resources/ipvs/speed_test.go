package ipvs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// tenThousand is the configuration of a director of as many real servers, one of which
// has a weight.
func tenThousand(weight int) string {
	var text strings.Builder
	for v := range 10 {
		fmt.Fprintf(&text, "virtual 10.0.0.%d:80 scheduler=rr\ncheck tcp interval=1h\n", v+1)
		for s := range 1000 {
			w := 1
			if v == 4 && s == 500 {
				w = weight
			}
			fmt.Fprintf(&text, "real 10.%d.%d.%d weight=%d\n", v+1, s/200, s%200+1, w)
		}
	}
	return text.String()
}

// foundWithin is the part of the 100 ms that are promised for one change of 10,000
// servers that finding it may take; the write may take the rest.
const foundWithin = 80 * time.Millisecond

// What a director does when a server goes down, as [watch.follow], but for the one write.
// That is counted and timed in an emulated machine, where it takes longer than on a real
// one: TestOneChangeOfTenThousandServersIsOneWrite.
func TestOneChangeOfTenThousandServersIsSoonFound(t *testing.T) {
	h := running(t, tenThousand(1))
	h.table = h.config.Services(h.down, nil, Standing{})
	var took []time.Duration
	for i := range 9 {
		began := time.Now()
		h.learn(h.checks.Status())
		down := h.targets[1000*i+500]
		h.down[Question{down.Server, down.Check}] = true
		h.notice()
		wanted := h.config.Services(h.down, nil, h.standing)
		changes := Reconcile(wanted, h.table, nil)
		took = append(took, time.Since(began))
		if h.table = wanted; len(changes) != 1 {
			t.Fatalf("%d changes, want one: %v", len(changes), changes[:min(len(changes), 5)])
		}
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("10,000 servers, a server that goes down is found in %v (median of %d; from %v to %v)", median, len(took), took[0], took[len(took)-1])
	if median > foundWithin {
		t.Errorf("one change of 10,000 servers is found in %v, not within %v of the 100ms that are promised for it", median, foundWithin)
	}
}
