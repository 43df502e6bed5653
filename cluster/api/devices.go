package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"google.golang.org/grpc"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// fillDevices tells the state what it must know of the types of the devices that an
// edit makes or changes, and checks their parameters.
func (d *draft) fillDevices(ctx context.Context, e *pb.Edit) error {
	switch k := e.Kind.(type) {
	case *pb.Edit_CreateDevice:
		return d.fillDevice(ctx, k.CreateDevice.GetDevice())
	case *pb.Edit_UpdateDevice:
		return d.fillDeviceUpdate(ctx, k.UpdateDevice)
	case *pb.Edit_ReplaceConfiguration:
		for _, f := range k.ReplaceConfiguration.GetConfiguration().GetDevices() {
			if err := d.fillDevice(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *draft) fillDevice(ctx context.Context, f *pb.FencingDevice) error {
	if f == nil {
		return invalid("device", "none is given", "")
	}
	f.Type = strings.TrimPrefix(f.Type, "stonith:")
	meta, traits, err := d.describeDevice(ctx, f.Type)
	if err != nil {
		return err
	}
	f.Traits = traits
	return d.checkDevice(f, meta)
}

// fillDeviceUpdate looks at the device as it will be.
func (d *draft) fillDeviceUpdate(ctx context.Context, u *pb.UpdateDevice) error {
	old := state.DeviceByID(d.state, u.Id)
	if old == nil || len(u.SetParameters)+len(u.UnsetParameters) == 0 {
		return nil // the state says so, and which may be meant
	}
	meta, traits, err := d.describeDevice(ctx, old.Type)
	if err != nil {
		return err
	}
	u.Traits = traits
	will := &pb.FencingDevice{Id: u.Id, Type: old.Type, Parameters: maps.Clone(old.Parameters), Traits: traits}
	if will.Parameters == nil {
		will.Parameters = make(map[string]string)
	}
	for _, name := range u.UnsetParameters {
		delete(will.Parameters, name)
	}
	maps.Copy(will.Parameters, u.SetParameters)
	return d.checkDevice(will, meta)
}

// describeDevice asks this node about a type of devices, then the others.
func (d *draft) describeDevice(ctx context.Context, name string) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	t, err := d.devices.Find(name)
	if err != nil {
		return nil, nil, invalid("device type", err.Error(), "see `quorate stonith list`")
	}
	missing := t.Missing()
	if missing == nil {
		meta, traits, err := t.Describe(ctx)
		if err != nil {
			return nil, nil, precondition("device type", err.Error(), "")
		}
		return meta, traits, nil
	}
	for _, n := range d.base.Nodes {
		if n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Id == d.self.Info().ID {
			continue
		}
		if answer, err := d.describeDeviceOn(ctx, n, name); err == nil && len(answer.Types) > 0 {
			d.warned = append(d.warned, fmt.Sprintf("%v; %s has it", missing, n.Name))
			return answer.Types[0], answer.Traits, nil
		}
	}
	return nil, nil, d.unknownDevice(name, missing)
}

func (d *draft) describeDeviceOn(ctx context.Context, n *pb.Node, name string) (*pb.DescribeDevicesResponse, error) {
	conn, err := d.dialer.ClientConn(n.Id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return pb.NewClusterClient(conn).DescribeDevices(ctx, &pb.DescribeDevicesRequest{Name: name})
}

func (s *Server) unknownDevice(name string, missing error) error {
	fix := "install the package fence-agents"
	if near := resources.Nearest(name, s.devices.Installed(), 2); len(near) > 0 {
		fix = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return &state.Refusal{Code: state.NotFound, Field: "device type", Problem: missing.Error(), Fix: fix}
}

// checkDevice compares a device's parameters with what its type says of them.
func (d *draft) checkDevice(f *pb.FencingDevice, meta *pb.AgentMetadata) error {
	if f.Traits.GetUnfences() {
		return invalid("device type", f.Type+" cuts nodes off from their disks and must join them again when they start, which is not available in this version", "use a type that switches power")
	}
	theirs := make(map[string]string)
	for name, value := range f.Parameters {
		if !fencing.Own(name) && name != "action" && !strings.HasPrefix(value, "secret:") {
			theirs[name] = value
		}
	}
	for name, value := range f.Parameters { // what is kept apart was given nevertheless
		if strings.HasPrefix(value, "secret:") {
			theirs[name] = "…"
		}
	}
	warnings, err := resources.Check(meta, &pb.Resource{Parameters: theirs})
	if err != nil {
		return parameterRefusal(&pb.Resource{Id: f.Id}, err)
	}
	d.warned = append(append(d.warned, warnings...), d.deviceWarnings(f)...)
	return nil
}

// deviceWarnings are what the user may want to know of a device.
func (d *draft) deviceWarnings(f *pb.FencingDevice) []string {
	var list []string
	if f.Parameters["method"] == "cycle" {
		list = append(list, "parameter method: a cycle is never used: a node is switched off, seen to be off, and switched on")
	}
	if _, given := f.Parameters["action"]; given {
		list = append(list, "parameter action: it is not used; what is done is asked for each time")
	}
	if !f.Traits.GetStatus() {
		list = append(list, f.Type+" cannot be asked for a status, so that its word alone is proof")
	}
	for _, name := range fencing.Targets(f) {
		if state.NodeByName(d.state, name) == nil {
			var known []string
			for _, n := range d.state.Nodes {
				known = append(known, n.Name)
			}
			list = append(list, fmt.Sprintf("parameter pcmk_host_list: there is no node %s; the nodes are %s", name, strings.Join(known, ", ")))
		}
	}
	return list
}

// DescribeDevices lists types of fencing devices.
func (c clusterService) DescribeDevices(ctx context.Context, r *pb.DescribeDevicesRequest) (*pb.DescribeDevicesResponse, error) {
	resp := &pb.DescribeDevicesResponse{Node: c.self.Info().Name}
	if r.Name == "" {
		resp.Installed = c.devices.Installed()
		return resp, nil
	}
	t, err := c.devices.Find(r.Name)
	if err != nil {
		return nil, invalid("device type", err.Error(), "see `quorate stonith list`")
	}
	if missing := t.Missing(); missing != nil {
		return nil, c.unknownDevice(r.Name, missing)
	}
	meta, traits, err := t.Describe(ctx)
	if err != nil {
		return nil, precondition("device type", err.Error(), "")
	}
	resp.Types, resp.Traits = []*pb.AgentMetadata{meta}, traits
	return resp, nil
}

// TestDevice has every node that may have to use a device test it.
func (c clusterService) TestDevice(r *pb.TestDeviceRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	if err := c.enrolled(); err != nil {
		return err
	}
	st := c.state.Get().State
	f := state.DeviceByID(st, r.Id)
	if f == nil {
		return &state.Refusal{Code: state.NotFound, Field: "device", Problem: fmt.Sprintf("there is no fencing device %q", r.Id), Fix: "see `quorate stonith`"}
	}
	if name := state.MissingSecret(st, f); name != "" {
		return precondition("parameter "+name, "it is not known any more", "quorate stonith update "+f.Id+" "+name+"=@FILE")
	}
	p, failed := progress{stream}, []error(nil)
	for _, n := range st.Nodes {
		if n.Admission != pb.Admission_ADMISSION_ADMITTED {
			p.say(n.Name, "not asked: it is not there")
			continue
		}
		if err := c.testDeviceOn(stream.Context(), n, state.Revealed(st, f)); err != nil {
			p.fail(n.Name, "%v", err)
			failed = append(failed, fmt.Errorf("%s: %w", n.Name, err))
			continue
		}
		p.say(n.Name, "reaches %s", f.Id)
	}
	return errors.Join(failed...)
}

func (s *Server) testDeviceOn(ctx context.Context, n *pb.Node, f *pb.FencingDevice) error {
	ctx, cancel := context.WithTimeout(ctx, fencing.Patience(f, fencing.Monitor))
	defer cancel()
	order := &pb.OperateRequest{Device: f, Action: fencing.Monitor}
	answer, err := s.operateOn(ctx, n.Id, order)
	switch {
	case err != nil:
		return err
	case answer.Error != "":
		return errors.New(answer.Error)
	}
	return nil
}

func (s *Server) operateOn(ctx context.Context, node string, order *pb.OperateRequest) (*pb.OperateResponse, error) {
	if node == s.self.Info().ID {
		return s.executor.Operate(ctx, order)
	}
	conn, err := s.dialer.ClientConn(node)
	if err != nil {
		return nil, err
	}
	return pb.NewAgentClient(conn).Operate(ctx, order)
}

// confirmedHere takes a person's word that the peer of a pair is off where nobody
// could commit it: this node waits for that before it goes on.
func (s *Server) confirmedHere(ctx context.Context, edits []*pb.Edit) bool {
	if len(edits) != 1 || edits[0].GetConfirmOff() == nil {
		return false
	}
	st := s.state.Get().State
	if known := s.sight.Known(); known.GetClusterId() != "" {
		st = known
	}
	n := state.NodeByName(st, edits[0].GetConfirmOff().Node)
	return n != nil && s.self.Confirm(n.Id, callerOf(ctx).actor)
}

// fencingProblems say what no device can fence, which devices do not work, and which
// nodes wait for an operator.
func fencingProblems(st *pb.State) []string {
	var list []string
	for _, n := range st.Nodes {
		if n.HeldSince != nil {
			list = append(list, fmt.Sprintf("node %s was fenced twice within ten minutes and hosts nothing: look why, then run `quorate stonith history cleanup %s`", n.Name, n.Name))
		}
	}
	for _, c := range st.Conditions {
		if f := state.DeviceByID(st, c.Device); c.Error != "" && f != nil && !f.Disabled {
			list = append(list, fmt.Sprintf("fencing device %s does not work: %s", c.Device, c.Error))
		}
	}
	if !state.NeedsPower(st) {
		return list
	}
	var bare []string
	for _, n := range st.Nodes {
		if n.Role != pb.Role_ROLE_WITNESS && len(state.WaysToFence(st, n.Id)) == 0 {
			bare = append(bare, n.Name)
		}
	}
	if len(bare) > 0 {
		list = append(list, fmt.Sprintf("no fencing device can switch %s: what ran there with fencing=power stays down once the node is gone, until `quorate stonith confirm`", strings.Join(bare, ", ")))
	}
	return list
}
