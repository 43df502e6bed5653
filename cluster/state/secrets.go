package state

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// secretPrefix begins a parameter's value that is kept apart.
const secretPrefix = "secret:"

// hideSecrets keeps the secret parameters of a device apart: what remains in it is
// a reference, which may be seen, exported and restored, also when the secret itself
// has been forgotten since (see [MissingSecret]).
func (d *draft) hideSecrets(f *pb.FencingDevice) error {
	for _, name := range f.GetTraits().GetSecrets() {
		value, given := f.Parameters[name]
		kept := "stonith/" + f.Id + "/" + name
		switch {
		case !given, value == secretPrefix+kept:
		case strings.HasPrefix(value, secretPrefix):
			return refuse(Invalid, "parameter "+name, "give the secret itself: "+name+"=@FILE", "%s is of another device", value)
		default:
			d.Secrets = put(d.Secrets, kept, bySecret, &pb.Secret{Name: kept, Value: value})
			f.Parameters[name] = secretPrefix + kept
		}
	}
	return nil
}

// forgetSecrets forgets those that no device refers to any more.
func (d *draft) forgetSecrets() {
	used := make(map[string]bool)
	for _, f := range d.Devices {
		for _, value := range f.Parameters {
			if name, ok := strings.CutPrefix(value, secretPrefix); ok {
				used[name] = true
			}
		}
	}
	d.Secrets = without(d.Secrets, func(s *pb.Secret) bool { return !used[s.Name] })
}

func secretOf(s *pb.State, name string) *pb.Secret { return get(s.GetSecrets(), name, bySecret) }

func bySecret(s *pb.Secret, name string) int { return strings.Compare(s.Name, name) }

// Revealed returns a device with its secrets in plain words, for who is to use it.
func Revealed(s *pb.State, f *pb.FencingDevice) *pb.FencingDevice {
	return with(f, func(f *pb.FencingDevice) {
		for name, value := range f.Parameters {
			if kept, ok := strings.CutPrefix(value, secretPrefix); ok {
				f.Parameters[name] = secretOf(s, kept).GetValue()
			}
		}
	})
}

// MissingSecret names the first parameter of a device whose secret is not known;
// empty: there is none.
func MissingSecret(s *pb.State, f *pb.FencingDevice) string {
	for _, name := range sortedKeys(f.Parameters) {
		if kept, ok := strings.CutPrefix(f.Parameters[name], secretPrefix); ok && secretOf(s, kept) == nil {
			return name
		}
	}
	return ""
}

// Shown returns a state for people: without secrets, without checkpoints, which may be
// larger than all the rest, and without what tells a command from its repetition.
func Shown(s *pb.State) *pb.State {
	c := shallow(s)
	c.Checkpoints, c.Secrets, c.Accepted = nil, nil, nil
	return c
}

// ShownWithSecrets is Shown for who asked for them: they take the places of the
// references to them.
func ShownWithSecrets(s *pb.State) *pb.State {
	c := Shown(s)
	c.Devices = slices.Clone(s.GetDevices())
	for i, f := range c.Devices {
		c.Devices[i] = Revealed(s, f)
	}
	return c
}
