package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// programs are the fencing programs of a machine, by name.
type programs map[string]*pb.DeviceTraits

func (p programs) Find(name string) (fencing.Type, error) {
	if !strings.HasPrefix(name, "fence_") {
		return nil, errors.New(name + " is no type")
	}
	return program{p, name}, nil
}

func (p programs) Installed() []string {
	var names []string
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type program struct {
	of   programs
	name string
}

func (p program) Missing() error {
	if p.of[p.name] == nil {
		return errors.New(p.name + " is not installed on this node")
	}
	return nil
}

func (p program) Describe(context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	return &pb.AgentMetadata{Name: p.name, Lenient: true, Parameters: []*pb.Parameter{
		{Name: "ip", Type: "string", Required: true}, {Name: "port", Type: "integer"}, {Name: "password", Type: "string"},
	}}, p.of[p.name], nil
}

func (p program) Run(context.Context, *pb.FencingDevice, string, fencing.Target) (fencing.Answer, error) {
	return fencing.Answer{}, nil
}

func newDevice(typ string, words ...string) *pb.Edit {
	d := &pb.FencingDevice{Id: "bmc", Type: typ, Parameters: map[string]string{}}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		d.Parameters[name] = value
	}
	return &pb.Edit{Kind: &pb.Edit_CreateDevice{CreateDevice: &pb.CreateDevice{Device: d}}}
}

func TestADeviceIsCheckedByWhatItsProgramSays(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	power := &pb.DeviceTraits{Status: true, On: true, Argument: "plug", Secrets: []string{"password"}}
	a.devices["fence_here"], a.devices["fence_disks"] = power, &pb.DeviceTraits{Unfences: true}
	b.devices["fence_there"] = &pb.DeviceTraits{Argument: "port"}
	a.setup(t, true, b)
	for _, tt := range []struct{ typ, words, field, problem string }{
		{"fence_hare", "ip=1 pcmk_host_list=lvss", "device type", "did you mean fence_here"},
		{"ipmi", "ip=1 pcmk_host_list=lvss", "device type", "is no type"},
		{"fence_disks", "ip=1 pcmk_host_list=lvss", "device type", "cuts nodes off from their disks"},
		{"fence_here", "pcmk_host_list=lvss", "ip", "is missing"},
		{"fence_here", "ip=1 port=many pcmk_host_list=lvss", "port", "is not an integer"},
		{"fence_here", "ip=1", "parameter pcmk_host_list", "has no target"},
	} {
		_, err := a.change(t, newDevice(tt.typ, strings.Fields(tt.words)...))
		if err == nil || !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s %s: %v, want %q about %s", tt.typ, tt.words, err, tt.problem, tt.field)
		}
	}
	resp, err := a.change(t, newDevice("stonith:fence_here", "ip=1", "pot=2", "method=cycle", "password=topsecret", "pcmk_host_list=lvss lvsx"))
	must(t, err)
	said := strings.Join(resp.Warnings, "\n")
	for _, want := range []string{"parameter pot: is not known to fence_here; did you mean port?", "a cycle is never used", "there is no node lvsx"} {
		if !strings.Contains(said, want) {
			t.Errorf("warnings %q lack %q", said, want)
		}
	}
	if d := state.DeviceByID(w.store.Get().State, "bmc"); d.Type != "fence_here" || d.Traits.Argument != "plug" || d.Parameters["password"] != "secret:stonith/bmc/password" {
		t.Errorf("the state has %v", d)
	}
	_, err = a.change(t, &pb.Edit{Kind: &pb.Edit_UpdateDevice{UpdateDevice: &pb.UpdateDevice{Id: "bmc", UnsetParameters: []string{"ip"}}}})
	wantRefusal(t, err, codes.InvalidArgument, "ip", "is missing")
}

func TestSecretsAreShownToThoseAloneWhoAsk(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.devices["fence_here"] = &pb.DeviceTraits{Status: true, On: true, Secrets: []string{"password"}}
	a.setup(t, true)
	_, err := a.change(t, newDevice("fence_here", "ip=1", "password=topsecret", "pcmk_host_list=lvsm"))
	must(t, err)
	for _, asked := range []bool{false, true} {
		resp, err := a.status().Get(t.Context(), &pb.GetRequest{Secrets: asked})
		must(t, err)
		if shown := strings.Contains(resp.String(), "topsecret"); shown != asked {
			t.Errorf("asked for %v, shown %v: %v", asked, shown, resp.State.Devices)
		}
	}
}
