package vip

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

func TestTheAddressIsServedBetweenStartAndStop(t *testing.T) {
	tests := []struct {
		name       string
		parameters []string
		want       string // as on the link
	}{
		{"the network's prefix", []string{"ip=10.9.0.100"}, "10.9.0.100/24"},
		{"tutorial", []string{"ip=10.9.0.100", "cidr_netmask=32"}, "10.9.0.100/32"},
		{"dotted mask", []string{"ip=10.9.0.100", "cidr_netmask=255.255.255.0"}, "10.9.0.100/24"},
		{"label", []string{"ip=10.9.0.100", "iflabel=web"}, "10.9.0.100/24 :web"},
		{"broadcast", []string{"ip=10.9.0.100", "broadcast=10.9.0.255"}, "10.9.0.100/24"},
		{"no broadcast", []string{"ip=10.9.0.100", "broadcast=-"}, "10.9.0.100/24"},
		{"IPv6", []string{"ip=fd09::100"}, "fd09::100/64"},
		{"IPv6, spelled out", []string{"ip=fd09:0:0:0:0:0:0:0100", "cidr_netmask=128"}, "fd09::100/128"},
		{"lvs_support", []string{"ip=10.9.0.100", "lvs_support=true"}, "10.9.0.100/24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, r := newLAN(t), resource(tt.parameters...)
			before := l.addresses(t)
			a := newAgent(t, Config{})
			for _, step := range []struct {
				do   func(context.Context, *pb.Resource) error
				want resources.State
			}{{nil, resources.Stopped}, {a.Start, resources.Running}, {a.Start, resources.Running}, {a.Stop, resources.Stopped}, {a.Stop, resources.Stopped}} {
				began := time.Now()
				if step.do != nil {
					if err := step.do(t.Context(), r); err != nil {
						t.Fatal(err)
					}
				}
				took := time.Since(began)
				if s, err := a.Monitor(t.Context(), r); s != step.want || err != nil {
					t.Errorf("monitor: %v, %v; want %v", s, err, step.want)
				}
				t.Logf("%v after %v", step.want, took)
				if step.want != resources.Running {
					continue
				}
				if got := l.addresses(t); !slices.Contains(got, tt.want) || len(got) != len(before)+1 {
					t.Errorf("addresses %q, want %q added to %q", got, tt.want, before)
				}
				if !l.client.Ping(t, netip.MustParseAddr(r.Parameters["ip"]), time.Second) {
					t.Error("a ping was not answered")
				}
				if got, want := a.Detail(r), l.link+", guard: agent"; got != want {
					t.Errorf("detail %q, want %q", got, want)
				}
			}
			if after := l.addresses(t); !slices.Equal(before, after) {
				t.Errorf("addresses %q after stop, %q before start", after, before)
			}
		})
	}
}

func TestStopFindsTheAddressWhereverItIs(t *testing.T) {
	l := newLAN(t)
	other := l.client.Cable(t, []string{"10.8.0.1/24"}, nil)
	r := resource("ip=10.9.0.100", "nic="+l.link)
	a := up(t, Config{}, r)
	r.Parameters["nic"] = other
	if s, err := a.Monitor(t.Context(), r); s != resources.Failed || err == nil {
		t.Errorf("monitor on the wrong interface: %v, %v; want failed", s, err)
	}
	if err := a.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped || err != nil {
		t.Errorf("monitor: %v, %v; want stopped", s, err)
	}
}

func TestStartMovesTheAddressToAnotherInterface(t *testing.T) {
	l := newLAN(t)
	r := resource("ip=10.9.0.100")
	a := up(t, Config{}, r)
	other := l.client.Cable(t, []string{"10.8.0.1/24"}, nil)
	r.Parameters["nic"] = other
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	found, err := find(&wish{addr: netip.MustParseAddr("10.9.0.100")})
	if err != nil || len(found) != 1 || a.Detail(r) != other+", guard: agent" {
		t.Errorf("found %v, %v; detail %q", found, err, a.Detail(r))
	}
}

// The interface's own addresses, and others of the floating address's network,
// do not depend on it, nor it on them.
func TestNoOtherAddressIsTouched(t *testing.T) {
	l := newLAN(t)
	r := resource("ip=10.7.0.100", "cidr_netmask=24", "nic="+l.link)
	a := up(t, Config{}, r)
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	later, err := netlink.ParseAddr("10.7.0.5/24") // secondary to ours
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, later); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := l.addresses(t); !slices.Contains(got, "10.7.0.5/24") {
		t.Errorf("addresses %q, want 10.7.0.5/24 among them", got)
	}
}

func TestCopiesOnLoopbackBelongToRealServers(t *testing.T) {
	newLAN(t)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := netlink.ParseAddr("10.9.0.100/32")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(lo, copied); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := netlink.AddrDel(lo, copied); err != nil {
			t.Errorf("the copy on lo: %v", err)
		}
	}()
	r := resource("ip=10.9.0.100", "lvs_support=true")
	a := newAgent(t, Config{})
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped {
		t.Errorf("monitor: %v, %v; want stopped", s, err)
	}
	if err := errors.Join(a.Start(t.Context(), r), a.Stop(t.Context(), r)); err != nil {
		t.Fatal(err)
	}
}

func TestValidateShowsItsPickOrNamesTheParameterS8(t *testing.T) {
	l := newLAN(t)
	twin := testlan.NewHost(t)
	twin1 := twin.Cable(t, []string{"10.5.0.1/24", "fd05::1/64"}, nil)
	twin2 := twin.Cable(t, []string{"10.5.0.2/24"}, nil)
	narrow := testlan.NewHost(t).Cable(t, []string{"10.9.0.193/26"}, nil)
	dead := testlan.NewHost(t).Cable(t, []string{"10.4.0.1/24"}, nil)
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+dead+"/disable_ipv6", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		parameters string
		want       string // note, or the parameter that is named
		text       string // part of the error; empty: no error
	}{
		{"ip=10.9.0.100", "10.9.0.100/24 goes to interface " + l.link + ", from the route 10.9.0.0/24", ""},
		{"ip=10.9.0.200", "10.9.0.200/26 goes to interface " + narrow + ", from the route 10.9.0.192/26", ""},
		{"ip=fd09::100 cidr_netmask=128", "fd09::100/128 goes to interface " + l.link + ", from the route fd09::/64", ""},
		{"ip=10.9.0.100 nic=" + l.link, "10.9.0.100/24 goes to interface " + l.link + ", as nic says", ""},
		{"ip=10.5.0.9 nic=" + twin2, "10.5.0.9/24 goes to interface " + twin2 + ", as nic says", ""},
		{"ip=172.16.0.1 nic=" + l.link, "172.16.0.1/32 goes to interface " + l.link + ", which is in no network that holds it", ""},
		{"", "ip", "is missing"},
		{"ip=300.1.1.1", "ip", "300.1.1.1"},
		{"ip=10.9.0.100/24", "ip", "ip=10.9.0.100"},
		{"ip=fe80::1%eth0", "ip", "nic=eth0"},
		{"ip=224.0.0.1", "ip", "unicast"},
		{"ip=127.0.0.1", "ip", "unicast"},
		{"ip=172.16.0.1", "ip", "nic="},
		{"ip=10.5.0.9", "nic", "nic=" + twin1 + " or nic=" + twin2},
		{"ip=10.9.0.100 nic=eth9", "nic", l.link},
		{"ip=10.9.0.100 nic=eth0:1", "nic", "iflabel"},
		{"ip=10.9.0.100 cidr_netmask=33", "cidr_netmask", "between 1 and 32"},
		{"ip=10.9.0.100 cidr_netmask=255.0.255.0", "cidr_netmask", "netmask"},
		{"ip=fd09::100 cidr_netmask=255.255.255.0", "cidr_netmask", "netmask"},
		{"ip=10.9.0.100 iflabel=averylonglabel", "iflabel", "too long"},
		{"ip=fd09::100 iflabel=web", "iflabel", "IPv6"},
		{"ip=10.9.0.100 broadcast=x", "broadcast", "\"x\""},
		{"ip=10.9.0.100 arp_count=0", "arp_count", "between"},
		{"ip=10.9.0.100 arp_interval=fast", "arp_interval", "between"},
		{"ip=10.9.0.100 lvs_support=perhaps", "lvs_support", "boolean"},
		{"ip=fd04::9 nic=" + dead, "ip", "disable_ipv6=0"},
	}
	for _, tt := range tests {
		r := resource(strings.Fields(tt.parameters)...)
		notes, err := newAgent(t, Config{}).Validate(t.Context(), r)
		if tt.text == "" {
			if err != nil || len(notes) == 0 || notes[0] != tt.want {
				t.Errorf("%s: notes %q, %v; want %q", tt.parameters, notes, err, tt.want)
			}
			continue
		}
		var p *resources.ParameterError
		if !errors.As(err, &p) || p.Parameter != tt.want || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want an error of %s with %q", tt.parameters, err, tt.want, tt.text)
		}
	}
}

func TestStartRefusesALinkThatCarriesNothing(t *testing.T) {
	l := newLAN(t)
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	r := resource("ip=10.9.0.100", "nic="+l.link)
	if err := newAgent(t, Config{}).Start(t.Context(), r); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("start on a link that is down: %v", err)
	}
	if found, err := find(&wish{addr: netip.MustParseAddr("10.9.0.100")}); len(found) != 0 || err != nil {
		t.Errorf("found %v, %v; want nothing", found, err)
	}
}
