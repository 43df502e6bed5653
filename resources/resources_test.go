package resources

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// kind is an agent that is known by its metadata only.
type kind struct{ meta *pb.AgentMetadata }

func (k kind) Metadata() *pb.AgentMetadata { return k.meta }

func (kind) Validate(context.Context, *pb.Resource) ([]string, error) { return nil, nil }
func (kind) Start(context.Context, *pb.Resource) error                { return nil }
func (kind) Stop(context.Context, *pb.Resource) error                 { return nil }
func (kind) Monitor(context.Context, *pb.Resource) (State, error)     { return Stopped, nil }

func registry(t *testing.T) *Registry {
	t.Helper()
	r := &Registry{}
	for _, m := range []*pb.AgentMetadata{
		{Name: "quorate:vip", Serves: []string{"vip", "ocf:heartbeat:IPaddr2", "IPaddr2"}},
		{Name: "quorate:haproxy", Serves: []string{"haproxy", "ocf:heartbeat:haproxy"}},
	} {
		if err := r.Register(kind{m}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestAnAgentIsFoundByEachOfItsNames(t *testing.T) {
	tests := []struct{ name, want string }{
		{"quorate:vip", "quorate:vip"},
		{"vip", "quorate:vip"},
		{"IPaddr2", "quorate:vip"},
		{"ocf:heartbeat:IPaddr2", "quorate:vip"},
		{"ocf::heartbeat:IPaddr2", "quorate:vip"},
		{"ocf:heartbeat:haproxy", "quorate:haproxy"},
	}
	for _, tt := range tests {
		a, err := registry(t).Find(tt.name)
		if err != nil || a.Metadata().GetName() != tt.want {
			t.Errorf("Find(%q) = %v, %v; want %s", tt.name, a, err, tt.want)
		}
	}
}

func TestAnUnknownAgentIsAnsweredWithTheNearestS8(t *testing.T) {
	tests := []struct{ name, want string }{
		{"ocf:heartbeat:IPadr2", "did you mean ocf:heartbeat:IPaddr2"},
		{"ipaddr2", "did you mean IPaddr2"},
		{"hapoxy", "did you mean haproxy"},
		{"vpi", "did you mean vip"}, // two letters swapped
		{"ocf:heartbeat:pgsql", "known are quorate:haproxy, quorate:vip"},
		{"", "is missing"},
	}
	for _, tt := range tests {
		_, err := registry(t).Find(tt.name)
		var unknown *UnknownAgentError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Find(%q): %v; want %q", tt.name, err, tt.want)
		}
	}
}

func TestTwoAgentsCannotShareAName(t *testing.T) {
	r := registry(t)
	if err := r.Register(kind{&pb.AgentMetadata{Name: "other:vip", Serves: []string{"IPaddr2"}}}); err == nil {
		t.Error("a taken name was registered")
	}
	if n := len(r.All()); n != 2 {
		t.Errorf("%d agents after a refused one, want 2", n)
	}
}

func TestParametersAreCheckedAgainstTheMetadataS8(t *testing.T) {
	meta := &pb.AgentMetadata{Name: "quorate:vip", Parameters: []*pb.Parameter{
		{Name: "ip", Type: "address", Required: true, Summary: "the address"},
		{Name: "cidr_netmask", Type: "string"},
		{Name: "arp_count", Type: "integer", Default: "5"},
		{Name: "lvs_support", Type: "boolean"},
		{Name: "wait", Type: "duration"},
		{Name: "file", Type: "path"},
	}}
	tests := []struct{ parameters, parameter, text string }{ // no text: no error
		{"ip=10.0.0.1 arp_count=3 lvs_support=yes wait=200ms file=/x", "", ""},
		{"ip=fd00::1 cidr_netmask=", "", ""},
		{"ip=10.0.0.1 wait=20", "", ""},
		{"", "ip", "is missing"},
		{"ip=", "ip", "is missing"},
		{"ip=300.1.1.1", "ip", `"300.1.1.1" is not an address`},
		{"ip=10.0.0.1 netmask=24", "netmask", "did you mean cidr_netmask"},
		{"ip=10.0.0.1 zone=x", "zone", "it has ip, cidr_netmask"},
		{"ip=10.0.0.1 arp_count=many", "arp_count", "is not an integer"},
		{"ip=10.0.0.1 lvs_support=maybe", "lvs_support", "true or false"},
		{"ip=10.0.0.1 wait=soon", "wait", "with a unit"},
		{"ip=10.0.0.1 file=x", "file", "absolute"},
	}
	for _, tt := range tests {
		r := &pb.Resource{Parameters: map[string]string{}}
		for _, p := range strings.Fields(tt.parameters) {
			name, value, _ := strings.Cut(p, "=")
			r.Parameters[name] = value
		}
		_, err := Check(meta, r)
		var p *ParameterError
		switch {
		case tt.text == "" && err != nil:
			t.Errorf("Check(%s): %v", tt.parameters, err)
		case tt.text != "" && (!errors.As(err, &p) || p.Parameter != tt.parameter || !strings.Contains(err.Error(), tt.text)):
			t.Errorf("Check(%s): %v; want an error of %s with %q", tt.parameters, err, tt.parameter, tt.text)
		}
	}
}

func TestTimesAreReadAsPcsTakesThem(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration // negative: an error
	}{
		{"20", 20 * time.Second}, {"20s", 20 * time.Second}, {"20sec", 20 * time.Second},
		{"200ms", 200 * time.Millisecond}, {"200msec", 200 * time.Millisecond}, {"5usec", 5 * time.Microsecond},
		{"5min", 5 * time.Minute}, {"2m", 2 * time.Minute}, {"1hr", time.Hour}, {"1h30m", 90 * time.Minute},
		{"-1s", -1}, {"", -1}, {"soon", -1},
	}
	for _, tt := range tests {
		d, err := Duration(tt.value)
		if (err != nil) != (tt.want < 0) || err == nil && d != tt.want {
			t.Errorf("Duration(%q) = %v, %v; want %v", tt.value, d, err, tt.want)
		}
	}
}

// scriptFamily has one script, of a name that a built-in agent serves.
type scriptFamily struct{ script Agent }

func (f scriptFamily) Find(name string) Agent {
	if name == "ocf:heartbeat:IPaddr2" {
		return f.script
	}
	return nil
}

func (f scriptFamily) Installed() []string { return nil }

func TestAScriptRunsInPlaceOfWhatIsBuiltInIfItIsAskedFor(t *testing.T) {
	r := registry(t)
	r.Extend(scriptFamily{kind{&pb.AgentMetadata{Name: "the script"}}})
	for name, want := range map[string]string{
		"ocf:heartbeat:IPaddr2": "quorate:vip", "script:ocf:heartbeat:IPaddr2": "the script", "script:ocf::heartbeat:IPaddr2": "the script",
	} {
		if a, err := r.Find(name); err != nil || a.Metadata().GetName() != want {
			t.Errorf("Find(%q) = %v, %v; want %s", name, a, err, want)
		}
	}
	if a, err := r.Find("script:vip"); err == nil {
		t.Errorf("a script was found for what is none: %v", a.Metadata())
	}
}
