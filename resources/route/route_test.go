package route

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

func TestMain(m *testing.M) { testlan.Main(m) }

func resource(words string) *pb.Resource {
	r := &pb.Resource{Id: "r", Parameters: make(map[string]string)}
	for _, w := range strings.Fields(words) {
		name, value, _ := strings.Cut(w, "=")
		r.Parameters[name] = value
	}
	return r
}

// lan joins this namespace to a host by the interface that it returns.
func lan(t *testing.T) netlink.Link {
	t.Helper()
	name := testlan.NewHost(t).Cable(t, []string{"10.5.0.1/24", "fd05::1/64"}, []string{"10.5.0.254/24", "fd05::fe/64"})
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func expect(t *testing.T, r *pb.Resource, want resources.State) {
	t.Helper()
	if got, err := New().Monitor(t.Context(), r); got != want || err != nil {
		t.Errorf("%v: monitor %v, %v; want %v", r.Parameters, got, err, want)
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestRoutesComeAndGo(t *testing.T) {
	link := lan(t)
	for _, words := range []string{
		"destination=10.6.0.0/16 gateway=10.5.0.254",
		"destination=10.6.1.7 gateway=10.5.0.254 device=d0 source=10.5.0.1 metric=7",
		"destination=10.7.0.0/16 device=d0",
		"destination=default gateway=10.5.0.254 table=100",
		"destination=10.8.0.0/16 type=blackhole",
		"destination=fd06::/48 gateway=fd05::fe",
		"destination=default gateway=fd05::fe device=d0 table=100",
		"destination=fd07::/48 device=d0 metric=5",
		"destination=fd08::/48 type=unreachable",
	} {
		r, a := resource(strings.ReplaceAll(words, "=d0", "="+link.Attrs().Name)), New()
		expect(t, r, resources.Stopped)
		must(t, words, a.Start(t.Context(), r))
		expect(t, r, resources.Running)
		must(t, words, a.Start(t.Context(), r))
		must(t, words, a.Stop(t.Context(), r))
		expect(t, r, resources.Stopped)
		must(t, words, a.Stop(t.Context(), r))
	}
}

func TestARouteThatIsGoneOrAnotherIsSeen(t *testing.T) {
	link := lan(t)
	r, a := resource("destination=10.6.0.0/16 gateway=10.5.0.254"), New()
	must(t, "start", a.Start(t.Context(), r))
	must(t, "down", netlink.LinkSetDown(link))
	expect(t, r, resources.Stopped)
	must(t, "up", netlink.LinkSetUp(link))
	must(t, "start", a.Start(t.Context(), r))
	other := resource("destination=10.6.0.0/16 gateway=10.5.0.253")
	expect(t, other, resources.Failed)
	must(t, "start of another gateway", a.Start(t.Context(), other))
	expect(t, other, resources.Running)
	expect(t, r, resources.Failed)
}

func TestARouteOfAnotherHandIsLeftAlone(t *testing.T) {
	link := lan(t)
	s, err := parse(resource("destination=10.6.0.0/16 device=lo"))
	must(t, "parse", err)
	route := &netlink.Route{Dst: ipNet(s.destination), LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Protocol: 4}
	must(t, "add", netlink.RouteAdd(route))
	r, a := resource("destination=10.6.0.0/16 gateway=10.5.0.254"), New()
	if err := a.Start(t.Context(), r); err == nil || !strings.Contains(err.Error(), "not ours to replace") {
		t.Errorf("start: %v", err)
	}
	expect(t, r, resources.Stopped)
	must(t, "stop", a.Stop(t.Context(), r))
	if found, err := find(s); len(found) != 1 || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// S8.
func TestBadParametersAreNamed(t *testing.T) {
	for _, tt := range []struct{ words, want string }{
		{"destination=10.0.0.300/8 device=lo", `parameter destination: "10.0.0.300/8" is no network`},
		{"destination=10.0.0.0/8", "parameter gateway: is missing"},
		{"destination=10.0.0.0/8 gateway=fd00::1", "parameter gateway: fd00::1 and the destination"},
		{"destination=10.0.0.0/8 gateway=10.1.1.1 source=fd00::1", "parameter source: fd00::1 and the destination"},
		{"destination=10.0.0.0/8 gateway=x", `parameter gateway: "x" is not an address`},
		{"destination=10.0.0.0/8 device=lo type=hole", `parameter type: "hole" is unknown`},
		{"destination=10.0.0.0/8 device=lo type=blackhole", "parameter type: a route that drops packets"},
		{"destination=10.0.0.0/8 device=lo table=main", `parameter table: "main" is no number`},
		{"destination=10.0.0.0/8 device=none0", "parameter device: there is no interface none0"},
	} {
		if _, err := New().Validate(t.Context(), resource(tt.words)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", tt.words, err, tt.want)
		}
	}
}
