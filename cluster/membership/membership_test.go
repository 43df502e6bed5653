package membership

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/identity"
	"quorate/cluster/transport"
)

const testKind = 9

// A party is a running Membership.
type party struct {
	*Membership
	stop context.CancelFunc
	done chan struct{}
}

func (p *party) leave() {
	p.stop()
	<-p.done
}

func begin(t *testing.T, wg *sync.WaitGroup, self Member, peers []string, n Network) *party {
	t.Helper()
	m := New(Config{
		Self:      self,
		Transport: NewCarrier(self.ID, n, testKind, transport.ALPNGossip),
		Peers:     func() []string { return peers },
		Log:       slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	p := &party{m, cancel, make(chan struct{})}
	wg.Go(func() {
		defer close(p.done)
		if err := m.Run(ctx); err != nil {
			t.Errorf("Run of %s: %v", self.ID, err)
		}
	})
	return p
}

// alive lists who is alive in m's eyes, by name and version.
func alive(m *Membership) string {
	var words []string
	for _, x := range m.Members() {
		word := x.Name + "@" + x.Version
		if !x.Alive {
			word += "-gone"
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// await waits until m sees want, and says how long it took.
func await(t *testing.T, m *Membership, limit time.Duration, want string) time.Duration {
	t.Helper()
	began := time.Now()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		changed := m.Changed()
		if alive(m) == want {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-late.C:
			t.Fatalf("after %v: %q, want %q", limit, alive(m), want)
		}
	}
}

func TestMembersComeAndGoOnVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(Linger)
		var wg sync.WaitGroup
		defer wg.Wait()
		w := newWire()
		ids := []string{"a", "b", "c"}
		join := func(id, version string) *party {
			return begin(t, &wg, Member{ID: id, Name: id, Version: version, Addresses: []string{id + ":1"}}, ids, w.plug(id))
		}
		a, b, c := join("a", "1"), join("b", "1"), join("c", "1")
		defer func() { a.leave(); b.leave() }()
		for _, m := range []*party{a, b, c} {
			await(t, m.Membership, 10*time.Second, "a@1 b@1 c@1")
		}

		b.Announce("b", "2", []string{"b:2"})
		await(t, a.Membership, 10*time.Second, "a@1 b@2 c@1")
		if got := a.Members()[1].Addresses; !slices.Equal(got, []string{"b:2"}) {
			t.Errorf("addresses of b: %v", got)
		}

		c.leave()
		took := await(t, a.Membership, 5*time.Second, "a@1 b@2 c@1-gone")
		t.Logf("a leave is seen after %v", took)

		c = join("c", "3") // at once, as a restarted agent does
		await(t, a.Membership, 10*time.Second, "a@1 b@2 c@3")

		w.setCut("c", true)
		took = await(t, a.Membership, time.Minute, "a@1 b@2 c@3-gone")
		t.Logf("a cut is seen after %v", took)
		w.setCut("c", false)
		await(t, a.Membership, time.Minute, "a@1 b@2 c@3")
		await(t, c.Membership, time.Minute, "a@1 b@2 c@3")
		c.leave()
	})
}

func TestThreeMembersFindEachOtherOverRealTransports(t *testing.T) {
	ids := members(t, 3)
	var mu sync.Mutex
	at := map[string][]string{}
	addresses := func(id string) []string {
		mu.Lock()
		defer mu.Unlock()
		return at[id]
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	var parties []*party
	for n, id := range ids {
		net := transport.New(transport.Config{Identity: id, Addresses: addresses, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
		wg.Go(func() {
			if err := net.Run(ctx); err != nil {
				t.Errorf("transport: %v", err)
			}
		})
		<-net.Ready()
		mu.Lock()
		at[id.ID()] = []string{net.Addr().String()}
		mu.Unlock()
		// Each knows only the first; gossip tells it the rest.
		self := Member{ID: id.ID(), Name: fmt.Sprintf("n%d", n+1), Version: "1"}
		parties = append(parties, begin(t, &wg, self, []string{ids[0].ID()}, net))
	}
	for _, p := range parties {
		took := await(t, p.Membership, 20*time.Second, "n1@1 n2@1 n3@1")
		t.Logf("all three are known after %v", took)
	}
	for _, p := range parties {
		p.leave()
	}
}

func members(t *testing.T, n int) []*identity.Identity {
	t.Helper()
	var all []*identity.Identity
	var e identity.Enrolment
	for range n {
		i, err := identity.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { i.Close() })
		if len(all) == 0 {
			made, err := i.NewCluster("office")
			if err != nil {
				t.Fatal(err)
			}
			e = *made
		}
		csr, err := i.CertificateRequest()
		if err == nil {
			e.Certificate, err = e.Sign(csr, i.ID())
		}
		if err == nil {
			err = i.Enrol(e)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	return all
}

func TestMetaFitsTheLimit(t *testing.T) {
	m := Member{Name: "web1", Version: "1.2.3"}
	for i := range 50 {
		m.Addresses = append(m.Addresses, fmt.Sprintf("[fd00::%x]:7788", i))
	}
	data := encodeMeta(m, 512)
	got, err := decodeMeta(data)
	if err != nil || len(data) > 512 || got.Name != m.Name || got.Version != m.Version {
		t.Fatalf("%d bytes, %+v, %v", len(data), got, err)
	}
	if n := len(got.Addresses); n < 20 || !slices.Equal(got.Addresses, m.Addresses[:n]) {
		t.Errorf("addresses: %v", got.Addresses)
	}
	if _, err := decodeMeta([]byte("\xff\xff")); err == nil {
		t.Error("decoded garbage")
	}
}

func TestAddressIsTheID(t *testing.T) {
	if got, want := Address("0102a3a4-0506-4708-890a-0b0c0d0e0f10"), "[102:a3a4:506:4708:890a:b0c:d0e:f10]:1"; got != want {
		t.Errorf("address %s, want %s", got, want)
	}
	if number("a").Equal(number("b")) {
		t.Error("two short ids have one address")
	}
}
