package reach

import (
	"context"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// onCable runs f on a thread in a network namespace of its own, joined by a
// cable to another one, which has the second address.
func onCable(t *testing.T, here, there string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	var err error
	var thread sync.WaitGroup
	thread.Go(func() {
		runtime.LockOSThread() // for good: the thread and its namespace end with the goroutine
		var far netns.NsHandle
		if far, err = cable(here, there); err == nil {
			f()
			err = far.Close() // and with it the cable
		}
	})
	thread.Wait()
	if err != nil {
		t.Fatal(err)
	}
}

// cable makes the two namespaces and returns the second; the calling thread is
// in the first.
func cable(here, there string) (netns.NsHandle, error) {
	far, err := netns.New()
	if err != nil {
		return -1, err
	}
	near, err := netns.New()
	if err != nil {
		return -1, err
	}
	defer near.Close()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(far)}
	if err := netlink.LinkAdd(link); err != nil {
		return -1, err
	}
	for _, end := range []struct {
		ns   netns.NsHandle
		addr string
	}{{far, there}, {near, here}} {
		if err := netns.Set(end.ns); err != nil {
			return -1, err
		}
		if err := configure(end.addr); err != nil {
			return -1, err
		}
	}
	return far, nil
}

func configure(address string) error {
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	addr.Flags = unix.IFA_F_NODAD
	for _, name := range []string{"lo", "eth0"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		if name == "eth0" {
			return netlink.AddrAdd(link, addr)
		}
	}
	return nil
}

func TestTheKernelsSocketsAskAndHear(t *testing.T) {
	tests := []struct{ name, here, there, target string }{
		{"IPv4", "192.0.2.1/24", "192.0.2.2/24", "192.0.2.2"},
		{"IPv6", "2001:db8::1/64", "2001:db8::2/64", "2001:db8::2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onCable(t, tt.here, tt.there, func() {
				target, own := netip.MustParseAddr(tt.target), netip.MustParsePrefix(tt.here).Addr()
				socket, err := OpenSocket(!target.Is4())
				if err != nil {
					t.Error(err)
					return
				}
				defer socket.Close()
				var asking sync.WaitGroup
				defer asking.Wait()
				asked, stop := context.WithCancel(t.Context())
				defer stop()
				asking.Go(func() { keepAsking(asked, socket, own, target) })
				from, data, err := socket.Answer()
				if err != nil || from != target || !slices.Equal(data, []byte("question")) {
					t.Errorf("Answer() = %v, %q, %v; want %v, the question's data", from, data, err, target)
				}
			})
		})
	}
}

// keepAsking asks again and again: an interface that has just come up loses
// what is sent through it.
func keepAsking(ctx context.Context, s Socket, hosts ...netip.Addr) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for _, h := range hosts { // what they cannot send is lost as well
			_ = s.Ask(h, []byte("question"))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// A host that is not there costs an error or nothing, never time.
func TestAskingNobodyDoesNotWait(t *testing.T) {
	onCable(t, "192.0.2.1/24", "192.0.2.2/24", func() {
		socket, err := OpenSocket(false)
		if err != nil {
			t.Error(err)
			return
		}
		defer socket.Close()
		began := time.Now()
		for range 2000 {
			_ = socket.Ask(netip.MustParseAddr("192.0.2.99"), make([]byte, 16))
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("2000 questions to nobody took %v", took)
		}
	})
}
