package grammar

import (
	"slices"
	"strconv"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// CreateDevice reads
//
//	ID TYPE [NAME=VALUE]... [op ACTION [NAME=VALUE]...]... [meta target-role=Stopped]
func CreateDevice(words []string) (*pb.FencingDevice, error) {
	if len(words) < 2 {
		return nil, Errorf("a fencing device needs an id and a type").
			With("write for example ipmi-lvss fence_ipmilan ip=10.0.0.12 username=admin password=@FILE pcmk_host_list=lvss")
	}
	for _, word := range words[:2] {
		if strings.Contains(word, "=") {
			return nil, Errorf("%q stands where the id and the type belong", word).With("write ID TYPE first, then NAME=VALUE")
		}
	}
	s, err := deviceSections(words[2:])
	if err != nil {
		return nil, err
	}
	d := &pb.FencingDevice{Id: words[0], Type: strings.TrimPrefix(words[1], "stonith:")}
	if d.Parameters, err = values("parameter", s.parameters); err != nil {
		return nil, err
	}
	if d.Operations, err = operations(s.operations); err != nil {
		return nil, err
	}
	meta, err := values("meta attribute", s.meta)
	if err != nil {
		return nil, err
	}
	for name, value := range meta {
		if name != "target-role" {
			return nil, Errorf("meta attribute %s: fencing devices have none but target-role", name).With("leave it out")
		}
		d.Disabled = strings.EqualFold(value, "stopped")
	}
	return d, nil
}

func deviceSections(words []string) (section, error) {
	s, err := sections(words)
	if err == nil && s.clone != nil {
		err = Errorf("a fencing device cannot be cloned").With("leave it out: every node may use it")
	}
	return s, err
}

// UpdateDevice reads ID [NAME=[VALUE]]... [op ACTION [NAME=VALUE]...]... An empty
// value removes.
func UpdateDevice(words []string) (*pb.UpdateDevice, error) {
	if len(words) < 2 || strings.Contains(words[0], "=") {
		return nil, Errorf("an update needs an id and what to change").With("write for example ipmi-lvss ip=10.0.0.13")
	}
	s, err := deviceSections(words[1:])
	if err != nil {
		return nil, err
	}
	if len(s.meta) > 0 {
		return nil, Errorf("%q: fencing devices have no meta attributes", s.meta[0]).With("use stonith disable, or enable")
	}
	u := &pb.UpdateDevice{Id: words[0]}
	if u.SetParameters, u.UnsetParameters, err = SetAndUnset("parameter", s.parameters); err != nil {
		return nil, err
	}
	u.SetOperations, err = operations(s.operations)
	return u, err
}

// ReplaceTests gives an update of a device pcs's meaning, see [ReplaceOperations].
func ReplaceTests(u *pb.UpdateDevice, have []*pb.OperationSpec) {
	r := &pb.UpdateResource{SetOperations: u.GetSetOperations()}
	ReplaceOperations(r, have)
	u.UnsetOperations = append(u.UnsetOperations, r.UnsetOperations...)
}

// AddLevel reads LEVEL TARGET DEVICE..., devices apart by blanks or commas. A target is
// a node, regexp%PATTERN or attrib%NAME=VALUE.
func AddLevel(words []string) (*pb.Edit, error) {
	if len(words) < 3 {
		return nil, Errorf("a level needs a number, a node and devices").With("write for example 1 lvss ipmi-lvss")
	}
	level, err := levelNumber(words[0])
	if err != nil {
		return nil, err
	}
	return &pb.Edit{Kind: &pb.Edit_AddLevel{AddLevel: &pb.AddLevel{Level: &pb.FencingLevel{
		Level: level, Target: words[1], Devices: devices(words[2:]),
	}}}}, nil
}

// RemoveLevel reads LEVEL [[target] NODE] [[stonith] DEVICE...].
func RemoveLevel(words []string) (*pb.Edit, error) {
	if len(words) == 0 {
		return nil, Errorf("which level?").With("write its number, and its node")
	}
	level, err := levelNumber(words[0])
	if err != nil {
		return nil, err
	}
	r := &pb.RemoveLevels{Level: level}
	words = slices.DeleteFunc(slices.Clone(words[1:]), func(w string) bool { return w == "target" || w == "stonith" })
	if len(words) > 0 {
		r.Target, r.Devices = words[0], devices(words[1:])
	}
	return &pb.Edit{Kind: &pb.Edit_RemoveLevels{RemoveLevels: r}}, nil
}

func levelNumber(word string) (uint32, error) {
	n, err := strconv.ParseUint(word, 10, 8)
	if err != nil || n == 0 {
		return 0, Errorf("%q is no fencing level", word).With("write 1 to 9")
	}
	return uint32(n), nil
}

func devices(words []string) []string {
	var list []string
	for _, w := range words {
		list = append(list, strings.FieldsFunc(w, func(r rune) bool { return r == ',' })...)
	}
	return list
}

// deviceWords writes the command that makes a device.
func deviceWords(d *pb.FencingDevice) []string {
	words := append([]string{"stonith", "create", d.GetId(), d.GetType()}, pairWords(escaped(d.GetParameters()))...)
	for _, o := range d.GetOperations() {
		words = append(append(words, "op"), OperationWords(o)...)
	}
	if d.GetDisabled() {
		words = append(words, "meta", "target-role=Stopped")
	}
	return words
}

func levelWords(l *pb.FencingLevel) []string {
	return append([]string{"stonith", "level", "add", strconv.FormatUint(uint64(l.GetLevel()), 10), l.GetTarget()}, l.GetDevices()...)
}
