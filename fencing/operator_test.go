package fencing

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A toy is a type of devices, each with one plug, whose uses take a while.
type toy struct {
	mu    sync.Mutex
	off   map[string]bool
	slow  map[string]time.Duration // by action
	lies  bool                     // it says that it is off
	fails map[string]bool          // by action
	used  []string
}

func (y *toy) Find(string) (Type, error) { return y, nil }
func (y *toy) Installed() []string       { return nil }
func (y *toy) Missing() error            { return nil }

func (y *toy) Describe(context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	return &pb.AgentMetadata{}, &pb.DeviceTraits{Status: true, On: true}, nil
}

func (y *toy) Run(ctx context.Context, d *pb.FencingDevice, action string, to Target) (Answer, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.used = append(y.used, action)
	slow := y.slow[action]
	y.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
	}
	y.mu.Lock()
	switch {
	case ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	case y.fails[action]:
		return Answer{}, errors.New(action + " failed")
	case action == Status && y.off[to.Plug]:
		return Answer{Power: PowerOff}, nil
	case action == Status:
		return Answer{Power: PowerOn}, nil
	case action == Off && !y.lies:
		y.off[to.Plug] = true
	case action == On:
		delete(y.off, to.Plug)
	}
	return Answer{}, nil
}

func newToy() *toy {
	return &toy{off: map[string]bool{}, slow: map[string]time.Duration{}, fails: map[string]bool{}}
}

func toyDevice(settings ...string) *pb.FencingDevice {
	d := &pb.FencingDevice{Id: "d", Type: "fence_toy", Traits: &pb.DeviceTraits{Status: true, On: true}, Parameters: map[string]string{"pcmk_host_list": "n1"}}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		d.Parameters[name] = value
	}
	return d
}

func TestANodeIsOffWhenItsStatusSaysSo(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*toy)
		want    string // in the error; empty: it is off
	}{
		{"it works", func(*toy) {}, ""},
		{"the order fails, and it is off", func(y *toy) { y.fails[Off], y.off["n1"] = true, true }, ""},
		{"the order fails, and it is on", func(y *toy) { y.fails[Off] = true }, "off failed"},
		{"the order succeeds, and it is on", func(y *toy) { y.lies = true }, ErrUnconfirmed.Error()},
		{"the order succeeds, and nothing is known", func(y *toy) { y.fails[Status] = true }, ErrUnconfirmed.Error()},
		{"it hangs", func(y *toy) { y.slow[Off] = time.Hour }, "no end after 1m0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newToy()
				tt.prepare(y)
				err := Operate(t.Context(), y, toyDevice(), Off, "n1")
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q; used were %v", err, tt.want, y.used)
				}
			})
		})
	}
}

// running is an operator of a toy.
func running(t *testing.T, y *toy) (o *Operator, reported *[]string) {
	t.Helper()
	var list []string
	o = NewOperator(y, func(_ context.Context, r *pb.OperateRequest, a *pb.OperateResponse) {
		list = append(list, strings.TrimSpace(r.Action+" "+a.Error))
	})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = o.Run(ctx) })
	synctest.Wait()
	t.Cleanup(func() { cancel(); group.Wait() })
	return o, &list
}

func TestATestGivesWayToAFencing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newToy()
		y.slow[Monitor] = 50 * time.Second
		o, _ := running(t, y)
		tested := make(chan *pb.OperateResponse, 1)
		go func() {
			answer, _ := o.Operate(t.Context(), &pb.OperateRequest{Device: toyDevice(), Action: Monitor})
			tested <- answer
		}()
		time.Sleep(time.Second)
		began := time.Now()
		answer, err := o.Operate(t.Context(), &pb.OperateRequest{Fencing: 1, Device: toyDevice(), Action: Off, Target: "n1"})
		if took := time.Since(began); err != nil || answer.Error != "" || took > time.Second {
			t.Errorf("off: %v, %v after %v", answer, err, took)
		}
		if a := <-tested; a.Error != errYielded.Error() {
			t.Errorf("the test ended with %v", a)
		}
	})
}

func TestAUseGoesOnWithoutItsOrdererAndIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newToy()
		y.slow[Off] = 5 * time.Second
		o, reported := running(t, y)
		order := &pb.OperateRequest{Fencing: 1, Device: toyDevice(), Action: Off, Target: "n1"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.Operate(ctx, order); err == nil {
			t.Error("it was answered before it was done")
		}
		time.Sleep(10 * time.Second)
		if !y.off["n1"] || strings.Join(*reported, ", ") != "off" {
			t.Errorf("it is off: %v; reported: %v", y.off["n1"], *reported)
		}
	})
}

func TestAUseEndsWhenItsFencingIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newToy()
		y.slow[Off] = 5 * time.Second
		o, reported := running(t, y)
		answers := make(chan *pb.OperateResponse, 1)
		go func() {
			answer, _ := o.Operate(t.Context(), &pb.OperateRequest{Fencing: 1, Device: toyDevice(), Action: Off, Target: "n1"})
			answers <- answer
		}()
		time.Sleep(time.Second)
		o.CallOff(func(fencing uint64, action string) bool { return fencing == 1 && action == Off })
		time.Sleep(time.Second)
		o.CallOff(func(uint64, string) bool { return false })
		if a := <-answers; !Yielded(a.Error) {
			t.Errorf("it ended with %v", a)
		}
		time.Sleep(10 * time.Second)
		if y.off["n1"] || len(*reported) > 0 {
			t.Errorf("it is off: %v; reported: %v", y.off["n1"], *reported)
		}
	})
}

func TestAnOrderForWhatIsUnderWayJoinsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newToy()
		y.slow[Off] = 5 * time.Second
		o, reported := running(t, y)
		order := &pb.OperateRequest{Fencing: 1, Device: toyDevice(), Action: Off, Target: "n1"}
		go func() { _, _ = o.Operate(t.Context(), order) }()
		time.Sleep(time.Second)
		if answer, err := o.Operate(t.Context(), order); err != nil || answer.Error != "" {
			t.Errorf("%v, %v", answer, err)
		}
		if used := strings.Join(y.used, " "); used != "off status" || len(*reported) > 0 {
			t.Errorf("used were %s; reported: %v", used, *reported)
		}
	})
}

func TestWaysToFence(t *testing.T) {
	d := func(id, hosts string) *pb.FencingDevice {
		return &pb.FencingDevice{Id: id, Parameters: map[string]string{"pcmk_host_list": hosts}}
	}
	off := d("off", "n1")
	off.Disabled = true
	devices := []*pb.FencingDevice{d("a", "n1 n2"), d("b", "n1"), off}
	level := func(n uint32, target string, ids ...string) *pb.FencingLevel {
		return &pb.FencingLevel{Target: target, Level: n, Devices: ids}
	}
	tests := []struct {
		name   string
		levels []*pb.FencingLevel
		node   string
		want   string
	}{
		{"each device by itself", nil, "n1", "0 a; 0 b"},
		{"only those that switch it", nil, "n2", "0 a"},
		{"none", nil, "n3", ""},
		{"levels in order", []*pb.FencingLevel{level(2, "n1", "a", "b"), level(1, "n1", "b")}, "n1", "1 b; 2 a b"},
		{"levels alone count", []*pb.FencingLevel{level(1, "n1", "b")}, "n1", "1 b"},
		{"a level with a disabled device is passed over", []*pb.FencingLevel{level(1, "n1", "off", "a"), level(2, "n1", "b")}, "n1", "2 b"},
		{"levels of others do not", []*pb.FencingLevel{level(1, "n2", "a")}, "n1", "0 a; 0 b"},
		{"a device of another machine is never used", []*pb.FencingLevel{level(1, "n2", "b"), level(2, "n2", "a")}, "n2", "2 a"},
		{"by a pattern in the name", []*pb.FencingLevel{level(1, "regexp%^n[12]$", "a")}, "n1", "1 a"},
		{"by a pattern that does not fit", []*pb.FencingLevel{level(1, "regexp%^x", "a")}, "n1", "0 a; 0 b"},
		{"by an attribute", []*pb.FencingLevel{level(1, "attrib%rack=a", "b")}, "n1", "1 b"},
		{"by another value of it", []*pb.FencingLevel{level(1, "attrib%rack=b", "b")}, "n1", "0 a; 0 b"},
		{"who is named has the own levels alone", []*pb.FencingLevel{level(1, "attrib%rack=a", "a"), level(2, "n1", "b")}, "n1", "2 b"},
		{"of several the first by name", []*pb.FencingLevel{level(2, "regexp%n", "a"), level(1, "attrib%rack=a", "b")}, "n1", "1 b"},
	}
	for _, tt := range tests {
		var got []string
		node := &pb.Node{Name: tt.node, Attributes: map[string]string{"rack": "a"}}
		for _, w := range Ways(devices, tt.levels, node) {
			words := []string{string(rune('0' + w.Level))}
			for _, d := range w.Devices {
				words = append(words, d.Id)
			}
			got = append(got, strings.Join(words, " "))
		}
		if text := strings.Join(got, "; "); text != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, text, tt.want)
		}
	}
}

func TestDelays(t *testing.T) {
	tests := []struct {
		base, most, node string
		share            float64
		want             time.Duration
	}{
		{"", "", "n1", 0.5, 0},
		{"5s", "", "n1", 0.5, 5 * time.Second},
		{"", "10s", "n1", 0.5, 5 * time.Second},
		{"2", "10", "n1", 0.5, 6 * time.Second},
		{"n1:1s;n2:3s", "", "n2", 0.5, 3 * time.Second},
		{"n1:1s", "", "n2", 0.5, 0},
	}
	for _, tt := range tests {
		d := &pb.FencingDevice{Parameters: map[string]string{"pcmk_delay_base": tt.base, "pcmk_delay_max": tt.most}}
		if got := Delay(d, tt.node, tt.share); got != tt.want {
			t.Errorf("base %q, most %q for %s: %v, want %v", tt.base, tt.most, tt.node, got, tt.want)
		}
	}
}
