package realserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
	"quorate/resources/vip"
	"quorate/resources/vip/guard"
)

// A node is this machine, which may be director and real server of both
// addresses; its other director is on another cable.
type node struct {
	*lan
	guard  *guard.Guard
	vip    *vip.Agent
	real   *Agent
	other  *testlan.Host // which may be the owner
	tables map[netip.Addr]bool
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{lan: newLAN(t), other: testlan.NewHost(t), tables: map[netip.Addr]bool{}}
	n.other.Cable(t, []string{"10.9.0.64/26", "fd09::120/122"}, []string{"10.9.0.65/26", "fd09::121/122"}) // the networks that hold the addresses best
	var err error
	if n.guard, err = guard.Open(guard.Config{}, func(netip.Addr) bool { return false }); err != nil {
		t.Fatal(err)
	}
	n.vip = vip.New(vip.Config{})
	n.vip.Use(n.guard)
	n.real = New(Config{
		RunDir:   t.TempDir(),
		Ask:      n.vip.Owned,
		Balanced: func(addr netip.Addr) (bool, error) { return n.tables[addr], nil },
	})
	n.real.Use(n.guard)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = n.real.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := errors.Join(n.owner(false), n.vip.Close(), n.guard.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func address(addr netip.Addr) *pb.Resource {
	return &pb.Resource{Id: "vip-" + addr.String(), Agent: "quorate:vip", Parameters: map[string]string{"ip": addr.String()}}
}

// owner makes this node the owner of both addresses, or not.
func (n *node) owner(is bool) error {
	var err error
	for _, addr := range []netip.Addr{vip4, vip6} {
		if is {
			err = errors.Join(err, n.vip.Start(context.Background(), address(addr)))
		} else {
			err = errors.Join(err, n.vip.Stop(context.Background(), address(addr)))
		}
	}
	return err
}

// otherOwns gives both addresses to the other director.
func (n *node) otherOwns(t *testing.T, is bool) {
	t.Helper()
	n.other.Do(func() {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		for _, addr := range []netip.Addr{vip4, vip6} {
			entry := &netlink.Addr{IPNet: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())}, Flags: unix.IFA_F_NODAD}
			if !is {
				err = netlink.AddrDel(link, entry)
			} else {
				err = netlink.AddrAdd(link, entry)
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func (n *node) lease(t *testing.T, length time.Duration) {
	t.Helper()
	if err := n.guard.Extend(guard.Now() + length); err != nil {
		t.Fatal(err)
	}
}

func TestARealServerWaitsForItsDirectorToBeHeard(t *testing.T) {
	n := newNode(t)
	start(t, n.real, resource())
	n.serves(t, false, "without a director")
	n.otherOwns(t, true)
	n.serves(t, true, "with one")
	n.silent(t, "with one")
	n.otherOwns(t, false)
	n.serves(t, true, "when the director is lost")
}

// A node takes the address over, gives it back, and loses its lease while it is
// frozen; it is a real server all the time. What it does as a director it does under
// its lease alone.
func TestADirectorMayBeItsOwnRealServerThroughFailover(t *testing.T) {
	n := newNode(t)
	n.otherOwns(t, true)
	start(t, n.real, resource())
	n.serves(t, true, "as a real server")
	n.lease(t, time.Minute)
	n.otherOwns(t, false)
	if err := n.owner(true); err != nil {
		t.Fatal(err)
	}
	n.serves(t, true, "as the owner")
	if !n.other.Tap(t, "eth0").ARP(t, netip.IPv4Unspecified(), vip4, wait) {
		t.Error("the owner does not say that it is")
	}
	if err := n.owner(false); err != nil {
		t.Fatal(err)
	}
	n.serves(t, false, "after the stop, while clients still send what others have to answer")
	n.silent(t, "after the stop")
	n.otherOwns(t, true)
	n.serves(t, true, "when the other has taken over")
	n.silent(t, "when the other has taken over")
	monitored(t, n.real, resource(), resources.Running)
}

func TestAFrozenDirectorServesNothingUntilItsTableIsGoneS1(t *testing.T) {
	n := newNode(t)
	n.otherOwns(t, true)
	start(t, n.real, resource())
	n.serves(t, true, "as a real server")
	n.lease(t, time.Minute)
	if err := errors.Join(n.guard.Direct("web", []netip.Addr{vip4, vip6}), n.owner(true)); err != nil {
		t.Fatal(err)
	}
	n.lease(t, time.Second)
	for end := time.Now().Add(time.Second); time.Now().Before(end); { // frozen: nothing is renewed, and nothing taken back
		n.director.Ping(t, vip4, time.Millisecond)
	}
	n.serves(t, false, "after the lease, sent by the next director")
	n.silent(t, "after the lease")
	if err := n.owner(false); err != nil { // awake: the address is the first to go
		t.Fatal(err)
	}
	n.serves(t, false, "while its table would balance it")
	if err := n.guard.Direct("web", nil); err != nil {
		t.Fatal(err)
	}
	n.serves(t, true, "as a real server")
	n.silent(t, "as a real server")
}
