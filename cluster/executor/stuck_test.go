package executor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A diary is a warden that writes down what it is told.
type diary struct{ lines []string }

func (d *diary) Hold(_ context.Context, r *pb.Resource, _ resources.Agent, watchdog time.Duration) error {
	d.lines = append(d.lines, "hold "+r.Id+" "+watchdog.String())
	return nil
}

func (d *diary) Halting(*pb.Resource, time.Duration) {}
func (d *diary) Stuck(resource string)               { d.lines = append(d.lines, "stuck "+resource) }
func (d *diary) Release(resource string)             { d.lines = append(d.lines, "release "+resource) }

func TestAFailedStopIsLeftToTheWatchdogS5(t *testing.T) {
	blocks := []*pb.OperationSpec{{Name: "stop", Options: map[string]string{"on-fail": "block"}}}
	for name, tt := range map[string]struct {
		operations []*pb.OperationSpec
		want       string
	}{
		"by the policy":          {nil, "hold vip 0s, stuck vip, release vip"},
		"not with on-fail=block": {blocks, "hold vip 0s, release vip"},
	} {
		t.Run(name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				d := &diary{}
				m.exec.warden = d
				r := request(start, "vip", 1)
				r.Resource.Operations = tt.operations
				m.want(m.do(r), done)
				m.stays = errors.New("device is busy")
				m.want(m.do(request(stop, "vip", 1)), pb.Outcome_OUTCOME_FAILED)
				m.stays = nil
				m.want(m.do(request(stop, "vip", 1)), done)
				if got := strings.Join(slices.Compact(d.lines), ", "); got != tt.want {
					t.Errorf("the warden was told %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestAStopThatHangsHasFailedS5(t *testing.T) {
	onMachine(t, func(m *machine) {
		d := &diary{}
		m.exec.warden = d
		m.want(m.do(request(start, "vip", 1)), done)
		m.lasts = time.Minute
		began := time.Now()
		m.want(m.do(request(stop, "vip", 1)), pb.Outcome_OUTCOME_TIMED_OUT)
		if took := time.Since(began); took != 10*time.Second+overdue || !slices.Contains(d.lines, "stuck vip") {
			t.Errorf("it was given up after %v, and the warden was told %v", took, d.lines)
		}
		m.want(m.do(request(stop, "vip", 1)), pb.Outcome_OUTCOME_TIMED_OUT) // waits for its turn
		time.Sleep(time.Minute)
		m.lasts = 0
		m.want(m.do(request(stop, "vip", 1)), done)
	})
}
