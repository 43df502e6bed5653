package node

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/pair"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// A slowDevice never answers; it tells when what it does has been ended.
type slowDevice struct{ ended chan string }

func (d slowDevice) Find(string) (fencing.Type, error) { return d, nil }
func (d slowDevice) Installed() []string               { return nil }
func (d slowDevice) Missing() error                    { return nil }

func (d slowDevice) Describe(context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	return &pb.AgentMetadata{}, &pb.DeviceTraits{Status: true, On: true}, nil
}

func (d slowDevice) Run(ctx context.Context, _ *pb.FencingDevice, action string, _ fencing.Target) (fencing.Answer, error) {
	<-ctx.Done()
	select {
	case d.ended <- action:
	default: // what came first has been told
	}
	return fencing.Answer{}, ctx.Err()
}

// S7: a peer that is heard again is a member, and nothing may switch it off then.
func TestAFencingOfAPeerThatIsHeardAgainIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := slowDevice{ended: make(chan string, 1)}
		k := &Core{id: "a", operator: fencing.NewOperator(device, nil)}
		f := newFencer(k)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait() // also of a test that fails
		defer cancel()
		running.Go(func() { _ = k.operator.Run(ctx) })
		synctest.Wait()

		f.Fence("b", 7)
		outcome := make(chan error, 1)
		running.Go(func() {
			d := &pb.FencingDevice{Id: "d", Type: "fence_toy", Traits: &pb.DeviceTraits{Status: true}, Parameters: map[string]string{"pcmk_host_list": "b", "pcmk_off_timeout": "10min"}}
			outcome <- f.use(ctx, &pb.State{Nodes: []*pb.Node{{Id: "b", Name: "b"}}}, d, target{"b", 7})
		})
		for range 50 { // as long as the peer is silent
			time.Sleep(unwanted / 10)
			if got := f.Fence("b", 7); got != pair.FencingPending {
				t.Fatalf("while it is asked for, the fencing is %v", got)
			}
		}
		began := time.Now()
		if err := <-outcome; !errors.Is(err, errUnwanted) {
			t.Errorf("the use ended with %v, want %v", err, errUnwanted)
		}
		if took := time.Since(began); took > 2*unwanted {
			t.Errorf("it was called off %v after it had been asked for last", took)
		}
		if action := <-device.ended; action != fencing.Off {
			t.Errorf("the device was kept from %s, want %s", action, fencing.Off)
		}
	})
}
