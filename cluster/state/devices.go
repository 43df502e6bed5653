package state

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// DeviceByID returns a fencing device.
func DeviceByID(s *pb.State, id string) *pb.FencingDevice {
	return get(s.GetDevices(), id, byID)
}

// ConditionOf returns what the newest test of a device found; nil: there was none.
func ConditionOf(s *pb.State, device string) *pb.DeviceCondition {
	return get(s.GetConditions(), device, byDevice)
}

func byDevice(c *pb.DeviceCondition, id string) int { return strings.Compare(c.Device, id) }

// WaysToFence returns how a node can be fenced, in the order in which that is tried.
func WaysToFence(s *pb.State, node string) []fencing.Way {
	return fencing.Ways(s.GetDevices(), s.GetLevels(), NodeByID(s, node))
}

var deviceType = regexp.MustCompile(`^fence_[A-Za-z0-9_]{1,60}$`)

func (d *draft) createDevice(given *pb.FencingDevice) (string, error) {
	if err := checkName("device id", given.GetId(), isName, nameRule); err != nil {
		return "", err
	}
	if err := d.checkFree("device id", given.Id); err != nil {
		return "", err
	}
	device, err := d.newDevice(given)
	if err != nil {
		return "", err
	}
	d.putDevice(device)
	return fmt.Sprintf("fencing device %s created (%s)", device.Id, device.Type), nil
}

// newDevice checks what people say of a device, and keeps its secrets apart.
func (d *draft) newDevice(given *pb.FencingDevice) (*pb.FencingDevice, error) {
	if !deviceType.MatchString(given.Type) {
		return nil, refuse(Invalid, "device type", "use the name of an installed program, for example fence_ipmilan", "%q is none", given.Type)
	}
	operations, err := canonicalTests(given.Operations)
	if err != nil {
		return nil, err
	}
	device := &pb.FencingDevice{
		Id: given.Id, Type: given.Type, Parameters: maps.Clone(given.Parameters), Operations: operations,
		Disabled: given.Disabled, Traits: given.Traits,
	}
	maps.DeleteFunc(device.Parameters, func(_, v string) bool { return v == "" })
	if err := checkDevice(device); err != nil {
		return nil, err
	}
	return device, d.hideSecrets(device)
}

func checkDevice(device *pb.FencingDevice) error {
	for _, name := range sortedKeys(device.Parameters) {
		if strings.ContainsAny(name, "=\r\n") || name == "" || strings.ContainsAny(device.Parameters[name], "\r\n") {
			return refuse(Invalid, "parameter "+name, "", "it has several lines, which a program cannot be told")
		}
	}
	if err := fencing.Check(device); err != nil {
		wrong := err.(*fencing.ParameterError) //nolint:errorlint // it returns no other
		return refuse(Invalid, "parameter "+wrong.Parameter, wrong.Fix, "%s", wrong.Problem)
	}
	return nil
}

// canonicalTests checks the operations of a device. Its tests are all that is repeated.
func canonicalTests(given []*pb.OperationSpec) ([]*pb.OperationSpec, error) {
	for _, o := range given {
		if o.Name != fencing.Monitor && o.Interval.AsDuration() > 0 {
			return nil, refuse(Invalid, "op "+o.Name, "leave its interval out", "of a device only monitor is repeated")
		}
	}
	return canonicalOperations(given)
}

func (d *draft) updateDevice(u *pb.UpdateDevice) (string, error) {
	old := DeviceByID(d.State, u.Id)
	if old == nil {
		return "", d.noSuchDevice(u.Id)
	}
	said := describeDeviceUpdate(u)
	if said == "" && u.Traits == nil {
		return "", refuse(Invalid, "device", "", "nothing to change was given for %s", u.Id)
	}
	edit := &pb.UpdateResource{
		Id: u.Id, SetParameters: u.SetParameters, UnsetParameters: u.UnsetParameters,
		SetOperations: u.SetOperations, UnsetOperations: u.UnsetOperations,
	}
	parameters, err := editedParameters(old.Parameters, edit)
	if err != nil {
		return "", err
	}
	operations, err := editedOperations(old.Operations, edit)
	if err != nil {
		return "", err
	}
	changed := proto.CloneOf(old)
	changed.Parameters, changed.Operations = parameters, operations
	if u.Traits != nil {
		changed.Traits = u.Traits
	}
	if u.Disabled != nil {
		changed.Disabled = *u.Disabled
	}
	device, err := d.newDevice(changed)
	if err != nil {
		return "", err
	}
	before := shallow(d.State)
	d.putDevice(device)
	d.forgetSecrets()
	if err := d.keepsFenceable(before, u.Force, "device", "with "+u.Id+" "+asChanged(device)); err != nil {
		return "", err
	}
	return fmt.Sprintf("fencing device %s changed (%s)", u.Id, said), nil
}

// describeDeviceUpdate names what was changed, but no parameter's value: some are secret.
func describeDeviceUpdate(u *pb.UpdateDevice) string {
	var said []string
	if names := append(sortedKeys(u.SetParameters), u.UnsetParameters...); len(names) > 0 {
		said = append(said, "parameters "+strings.Join(names, ", "))
	}
	for _, o := range append(slices.Clone(u.SetOperations), u.UnsetOperations...) {
		said = append(said, "op "+o.Name)
	}
	if u.Disabled != nil {
		said = append(said, map[bool]string{true: "disabled", false: "enabled"}[*u.Disabled])
	}
	return strings.Join(said, "; ")
}

// deleteDevice deletes a device, from the levels too. It is refused while a node
// could not be fenced without it and something needs that, unless forced.
func (d *draft) deleteDevice(del *pb.DeleteDevice) (string, error) {
	if DeviceByID(d.State, del.Id) == nil {
		return "", d.noSuchDevice(del.Id)
	}
	before := shallow(d.State)
	d.Devices = without(d.Devices, func(f *pb.FencingDevice) bool { return f.Id == del.Id })
	d.Conditions = without(d.Conditions, func(c *pb.DeviceCondition) bool { return c.Device == del.Id })
	d.Levels = rewrite(d.Levels, func(l *pb.FencingLevel) *pb.FencingLevel {
		return lessDevice(l, del.Id)
	})
	d.forgetSecrets()
	if err := d.keepsFenceable(before, del.Force, "device", "without "+del.Id); err != nil {
		return "", err
	}
	return fmt.Sprintf("fencing device %s deleted", del.Id), nil
}

// lessDevice returns a level without a device; nil: nothing is left of it.
func lessDevice(l *pb.FencingLevel, device string) *pb.FencingLevel {
	if !slices.Contains(l.Devices, device) {
		return l
	}
	left := minus(l.Devices, []string{device})
	if len(left) == 0 {
		return nil
	}
	return with(l, func(l *pb.FencingLevel) { l.Devices = left })
}

func asChanged(device *pb.FencingDevice) string {
	if device.Disabled {
		return "disabled"
	}
	return "changed so"
}

// keepsFenceable refuses a change, unless it is forced, after which nothing could fence
// a node that could be fenced before, while something needs that.
func (d *draft) keepsFenceable(before *pb.State, force bool, field, when string) error {
	node, needy := d.leftUnfenceable(before)
	if node == "" || force {
		return nil
	}
	return refuse(Precondition, field, "set fencing to another policy first, or use --force",
		"%s nothing could fence %s, and %s needs that (fencing=power)", when, node, needy)
}

// leftUnfenceable names the first node that could be fenced before and cannot now,
// and a resource that needs it. A witness runs none.
func (d *draft) leftUnfenceable(before *pb.State) (node, needy string) {
	i := slices.IndexFunc(d.Resources, func(r *pb.Resource) bool {
		return !r.Deleting && FencingOf(d.State, r.Id) == FencingPower
	})
	if i < 0 {
		return "", ""
	}
	for _, n := range d.Nodes {
		if n.Role != pb.Role_ROLE_WITNESS && len(WaysToFence(before, n.Id)) > 0 && len(WaysToFence(d.State, n.Id)) == 0 {
			return n.Name, d.Resources[i].Id
		}
	}
	return "", ""
}

func (d *draft) putDevice(f *pb.FencingDevice) {
	d.Devices = put(d.Devices, f.Id, byID, f)
}

func (d *draft) noSuchDevice(id string) error {
	var known []string
	for _, f := range d.Devices {
		known = append(known, f.Id)
	}
	return refuse(NotFound, "device", suggest(id, known), "there is no fencing device %q", id)
}

// recordDevice notes what a test of a device found, and tells of what has changed.
func (d *draft) recordDevice(c *pb.DeviceCondition) error {
	device := DeviceByID(d.State, c.GetDevice())
	if device == nil {
		return refuse(NotFound, "device", "", "there is no fencing device %q", c.GetDevice())
	}
	old := ConditionOf(d.State, c.Device)
	failed, before := oneLine(c.Error), old.GetError()
	since := d.at
	if old != nil && (failed == "") == (before == "") {
		since = old.Since
	}
	d.Conditions = put(d.Conditions, c.Device, byDevice, &pb.DeviceCondition{Device: c.Device, Node: c.Node, Error: failed, Since: since})
	node := NodeName(d.State, c.Node)
	switch {
	case failed != "" && before == "":
		d.record(&pb.Event{
			Kind: "device-failed", Node: node, Severity: pb.Severity_SEVERITY_ERROR,
			Text: fmt.Sprintf("fencing device %s does not work: its test on %s failed: %s", c.Device, node, failed),
		})
	case failed == "" && before != "":
		d.record(&pb.Event{
			Kind: "device-recovered", Node: node, Severity: pb.Severity_SEVERITY_INFO,
			Text: fmt.Sprintf("fencing device %s works again", c.Device),
		})
	}
	return nil
}
