package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/alert"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A listener is a node's alerts: what they were told, and how they take it.
type listener struct {
	takes time.Duration
	fails bool

	mu   sync.Mutex
	told []string // recipient, kind of event and its node
}

func (l *listener) run(ctx context.Context, c alert.Call) error {
	select {
	case <-time.After(l.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, fmt.Sprintf("%s %s %s", c.Recipient.GetId(), c.Event.GetKind(), c.Event.GetNode()))
	if l.fails {
		return errors.New("no route to pager")
	}
	return nil
}

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.told
	l.told = nil
	return list
}

// alert makes an alert for recipients.
func (d *desk) alert(id string, recipients ...string) {
	d.t.Helper()
	a := &pb.Alert{Id: id, Path: "/bin/" + id}
	for _, r := range recipients {
		a.Recipients = append(a.Recipients, &pb.AlertRecipient{Id: r, Value: r})
	}
	d.edit(&pb.Edit{Kind: &pb.Edit_CreateAlert{CreateAlert: &pb.CreateAlert{Alert: a}}})
}

// tells runs a term that tells a listener, until end is called.
func (d *desk) tells(l *listener) (end func()) {
	c := New(Config{Self: "a", State: d.store, Log: d, Peers: d, Servers: d, Alerts: l.run, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(d.t.Context())
	var term sync.WaitGroup
	term.Go(func() { _ = c.Lead(ctx) })
	return func() {
		cancel()
		term.Wait()
	}
}

func (d *desk) event(kind, node string) {
	d.t.Helper()
	d.commit(&pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{{Kind: kind, Node: node, Text: kind}}}}})
}

func TestEachRecipientIsToldOfEachEventInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, l := newDesk(t, "a"), &listener{takes: time.Second}
		d.event("disk-hangs", "a") // before there was an alert
		d.alert("pager", "r1", "r2")
		defer d.tells(l)()
		d.event("disk-hangs", "b")
		d.event("disk-recovered", "b")
		d.event("configuration", "")
		time.Sleep(time.Minute)
		told := l.heard()
		for _, r := range []string{"r1", "r2"} {
			mine := slices.DeleteFunc(slices.Clone(told), func(s string) bool { return s[:2] != r })
			if want := []string{r + " disk-hangs b", r + " disk-recovered b"}; !slices.Equal(mine, want) {
				t.Errorf("%s was told %q, want %q", r, mine, want)
			}
		}
		if st := d.store.Get().State; st.AlertsTold != st.LastEvent || state.AlertConditionOf(st, "pager", "r1").GetNode() != "a" {
			t.Errorf("noted is %d of %d events, conditions %v", st.AlertsTold, st.LastEvent, st.AlertConditions)
		}
	})
}

func TestWhatALeaderDidNotTellTheNextOneTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, slow := newDesk(t, "a"), &listener{takes: time.Hour}
		d.alert("pager", "r1")
		end := d.tells(slow)
		d.event("disk-hangs", "b")
		time.Sleep(time.Minute)
		end()
		if told := slow.heard(); len(told) > 0 {
			t.Fatalf("told %q", told)
		}
		next := &listener{}
		defer d.tells(next)()
		time.Sleep(time.Minute)
		if told := next.heard(); !slices.Equal(told, []string{"r1 disk-hangs b"}) {
			t.Errorf("the next leader told %q", told)
		}
		time.Sleep(time.Minute)
	})
}

func TestWhatWasToldIsNotToldAgainByTheNextLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, l := newDesk(t, "a"), &listener{}
		d.alert("pager", "r1")
		end := d.tells(l)
		d.event("disk-hangs", "b")
		time.Sleep(time.Minute)
		end()
		if told := l.heard(); len(told) != 1 {
			t.Fatalf("told %q", told)
		}
		defer d.tells(l)()
		d.event("disk-recovered", "b")
		time.Sleep(time.Minute)
		if told := l.heard(); !slices.Equal(told, []string{"r1 disk-recovered b"}) {
			t.Errorf("the next leader told %q", told)
		}
	})
}

// A program that hangs for its whole timeout keeps neither the plan nor other alerts.
func TestASlowAlertDelaysNoFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, l := newDesk(t, "a", "b", "c"), &listener{takes: 10 * time.Minute}
		for _, voter := range []string{"b", "c"} {
			d.vote(voter)
		}
		d.alert("pager", "r1", "r2")
		d.create("vip", 0)
		defer d.tells(l)()
		time.Sleep(time.Second)
		d.event("disk-hangs", "b")
		time.Sleep(time.Second)
		d.gone(d.owner("vip"), "b", "c")
		began := time.Now()
		for d.owner("vip") == "a" || d.owner("vip") == "" {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took > 50*time.Millisecond {
			t.Errorf("vip was planned elsewhere after %v", took)
		}
	})
}

func TestAnAlertThatFailsIsKnownAndOneThatHangsDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, l := newDesk(t, "a"), &listener{fails: true}
		d.alert("pager", "r1")
		end := d.tells(l)
		d.event("disk-hangs", "b")
		time.Sleep(time.Minute)
		if c := state.AlertConditionOf(d.store.Get().State, "pager", "r1"); c.GetError() != "no route to pager" {
			t.Errorf("condition %v", c)
		}
		end()
		l.fails, l.takes = false, time.Minute
		l.heard()
		defer d.tells(l)()
		for range 3 * mostWaiting {
			d.event("disk-hangs", "b")
		}
		time.Sleep(24 * time.Hour)
		if told := l.heard(); len(told) != mostWaiting+1 {
			t.Errorf("%d events were told, want the one under way and the newest %d", len(told), mostWaiting)
		}
		if c := state.AlertConditionOf(d.store.Get().State, "pager", "r1"); c.GetError() != "" {
			t.Errorf("condition in the end: %v", c)
		}
	})
}
