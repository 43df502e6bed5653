package state

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "quorate/proto/quorate/v1"
)

// Difference returns what differs between two configurations: the elements
// that only one of them has, or both in different words, and the settings that
// differ. It is nil when nothing does. What it holds is shared with them.
//
// It goes by the fields of the message, so that what a later release adds to a
// configuration is not forgotten: lists are of elements with an id or a name,
// maps of settings.
func Difference(before, after *pb.Configuration) *pb.ConfigurationChange {
	b, a := before.ProtoReflect(), after.ProtoReflect()
	gone, made := new(pb.Configuration), new(pb.Configuration)
	eachField(func(f protoreflect.FieldDescriptor) {
		if f.IsMap() {
			differingSettings(b.Get(f).Map(), a.Get(f).Map(), gone.ProtoReflect(), made.ProtoReflect(), f)
			return
		}
		differingElements(b.Get(f).List(), a.Get(f).List(), gone.ProtoReflect(), f)
		differingElements(a.Get(f).List(), b.Get(f).List(), made.ProtoReflect(), f)
	})
	if proto.Size(gone) == 0 && proto.Size(made) == 0 {
		return nil
	}
	return &pb.ConfigurationChange{Before: gone, After: made}
}

// eachField calls f for the fields of a configuration, in the order of their
// numbers.
func eachField(f func(protoreflect.FieldDescriptor)) {
	fields := new(pb.Configuration).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f(fields.Get(i))
	}
}

// differingSettings puts the settings that differ into gone and made.
func differingSettings(before, after protoreflect.Map, gone, made protoreflect.Message, f protoreflect.FieldDescriptor) {
	pick := func(from, other protoreflect.Map, into protoreflect.Message) {
		from.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if !other.Has(k) || other.Get(k).String() != v.String() {
				into.Mutable(f).Map().Set(k, v)
			}
			return true
		})
	}
	pick(before, after, gone)
	pick(after, before, made)
}

// differingElements appends to a field of into the elements that the other
// list lacks or has in other words.
func differingElements(list, other protoreflect.List, into protoreflect.Message, f protoreflect.FieldDescriptor) {
	known := byKey(other)
	for i := range list.Len() {
		m := list.Get(i).Message()
		if o, ok := known[key(m)]; !ok || !proto.Equal(o.Interface(), m.Interface()) {
			into.Mutable(f).List().Append(list.Get(i))
		}
	}
}

func byKey(list protoreflect.List) map[string]protoreflect.Message {
	found := make(map[string]protoreflect.Message, list.Len())
	for i := range list.Len() {
		m := list.Get(i).Message()
		found[key(m)] = m
	}
	return found
}

// keyField is the field by which a configuration's elements are told apart.
func keyField(d protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	return cmp.Or(d.Fields().ByName("id"), d.Fields().ByName("name"))
}

func key(m protoreflect.Message) string { return m.Get(keyField(m.Descriptor())).String() }

// namesOnly returns a configuration with the names of what it holds and nothing else.
func namesOnly(c *pb.Configuration) *pb.Configuration {
	names := new(pb.Configuration)
	eachField(func(f protoreflect.FieldDescriptor) {
		from := c.ProtoReflect().Get(f)
		if f.IsMap() {
			from.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
				names.ProtoReflect().Mutable(f).Map().Set(k, protoreflect.ValueOfString(""))
				return true
			})
			return
		}
		for i := range from.List().Len() {
			m := names.ProtoReflect().Mutable(f).List().AppendMutable().Message()
			m.Set(keyField(m.Descriptor()), protoreflect.ValueOfString(key(from.List().Get(i).Message())))
		}
	})
	return names
}

// undone returns a configuration as it was before a change. It shares with
// both what it holds.
func undone(c *pb.Configuration, change *pb.ConfigurationChange) *pb.Configuration {
	out := new(pb.Configuration)
	eachField(func(f protoreflect.FieldDescriptor) {
		b, a := change.GetBefore().ProtoReflect(), change.GetAfter().ProtoReflect()
		now, gone, made := c.ProtoReflect().Get(f), b.Get(f), a.Get(f)
		switch {
		case !b.Has(f) && !a.Has(f):
			if c.ProtoReflect().Has(f) {
				out.ProtoReflect().Set(f, now)
			}
		case f.IsMap():
			undoSettings(out.ProtoReflect(), f, now.Map(), gone.Map(), made.Map())
		default:
			undoElements(out.ProtoReflect(), f, now.List(), gone.List(), made.List())
		}
	})
	return out
}

func undoSettings(out protoreflect.Message, f protoreflect.FieldDescriptor, now, gone, made protoreflect.Map) {
	put := func(k protoreflect.MapKey, v protoreflect.Value) bool {
		out.Mutable(f).Map().Set(k, v)
		return true
	}
	now.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		return made.Has(k) || put(k, v)
	})
	gone.Range(put)
}

func undoElements(out protoreflect.Message, f protoreflect.FieldDescriptor, now, gone, made protoreflect.List) {
	elements := byKey(now)
	for name := range byKey(made) {
		delete(elements, name)
	}
	maps.Copy(elements, byKey(gone))
	names := slices.SortedFunc(maps.Keys(elements), strings.Compare)
	for _, name := range names {
		out.Mutable(f).List().Append(protoreflect.ValueOfMessage(elements[name]))
	}
}
