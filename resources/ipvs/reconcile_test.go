package ipvs

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawTable draws a small table: services with few servers, so that tables meet.
func drawTable(t *rapid.T, label string) []Service {
	keys := rapid.SliceOfNDistinct(rapid.Custom(drawKey), 0, 6, rapid.ID[Key]).Draw(t, label)
	var table []Service
	for _, k := range keys {
		s := Service{
			Key: k, Scheduler: rapid.SampledFrom([]string{"rr", "wlc"}).Draw(t, "scheduler"),
			Flags: rapid.SampledFrom([]Flags{0, Persistent}).Draw(t, "flags"), Mask: k.bits(),
		}
		s.Servers = rapid.SliceOfNDistinct(rapid.Custom(drawServer), 0, 4, func(s Server) netip.AddrPort { return s.Address }).Draw(t, "servers")
		slices.SortFunc(s.Servers, compareServers)
		table = append(table, s)
	}
	return table
}

func drawKey(t *rapid.T) Key {
	if rapid.Bool().Draw(t, "mark") {
		return Key{Mark: rapid.Uint32Range(1, 3).Draw(t, "mark"), V6: rapid.Bool().Draw(t, "v6")}
	}
	return Key{Protocol: rapid.SampledFrom([]Protocol{TCP, UDP}).Draw(t, "protocol"), Address: drawAddress(t)}
}

func drawServer(t *rapid.T) Server {
	return Server{Address: drawAddress(t), Method: Direct, Weight: rapid.Uint32Range(0, 2).Draw(t, "weight")}
}

func drawAddress(t *rapid.T) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(1, 4).Draw(t, "host")}), 80)
}

// perform is a second, naive kernel. It refuses what the real one does.
func perform(t *rapid.T, table []Service, changes []Change) []Service {
	table = slices.Clone(table)
	for _, c := range changes {
		i := slices.IndexFunc(table, func(s Service) bool { return s.Key == c.Service.Key })
		if (i < 0) != (c.Verb == AddService) {
			t.Fatalf("%v: service there: %v", c, i >= 0)
		}
		switch c.Verb {
		case AddService:
			table = append(table, c.Service)
			continue
		case SetService:
			servers := table[i].Servers
			table[i] = c.Service
			table[i].Servers = servers
			continue
		case RemoveService:
			table = slices.Delete(table, i, i+1)
			continue
		case AddServer, SetServer, RemoveServer:
		}
		servers := slices.Clone(table[i].Servers)
		j := slices.IndexFunc(servers, func(s Server) bool { return s.Address == c.Server.Address })
		if (j < 0) != (c.Verb == AddServer) {
			t.Fatalf("%v: server there: %v", c, j >= 0)
		}
		switch c.Verb {
		case AddServer:
			servers = append(servers, c.Server)
		case SetServer:
			servers[j] = c.Server
		case RemoveServer:
			servers = slices.Delete(servers, j, j+1)
		case AddService, SetService, RemoveService:
		}
		slices.SortFunc(servers, compareServers)
		table[i].Servers = servers
	}
	return table
}

func TestReconcilingMakesWhatIsWantedAndTouchesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wanted, found := drawTable(t, "wanted"), drawTable(t, "found")
		var owned []Key
		for _, s := range found {
			if rapid.Bool().Draw(t, "owned") {
				owned = append(owned, s.Key)
			}
		}
		changes := Reconcile(wanted, found, owned)
		after := perform(t, found, changes)
		for _, w := range wanted {
			got := find(after, w.Key)
			if got == nil || !same(*got, w) || !slices.Equal(got.Servers, w.Servers) {
				t.Fatalf("%s is %+v, want %+v; by %v", w.Key, got, w, changes)
			}
		}
		for _, f := range found {
			got := find(after, f.Key)
			switch {
			case find(wanted, f.Key) != nil:
			case slices.Contains(owned, f.Key) && got != nil:
				t.Fatalf("%s is left, by %v", f.Key, changes)
			case !slices.Contains(owned, f.Key) && (got == nil || !reflect.DeepEqual(*got, f)):
				t.Fatalf("foreign %s became %+v, by %v", f.Key, got, changes)
			}
		}
		if again := Reconcile(wanted, after, owned); len(again) > 0 {
			t.Fatalf("after %v there is still %v to do", changes, again)
		}
	})
}

func TestReconcilingWritesOnlyDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wanted, found := drawTable(t, "wanted"), drawTable(t, "found")
		changes := Reconcile(wanted, found, nil)
		for i, c := range changes {
			w, f := find(wanted, c.Service.Key), find(found, c.Service.Key)
			if c.Verb == SetService && same(*w, *f) {
				t.Fatalf("%v writes what is there", c)
			}
			if c.Verb == SetServer && slices.Contains(f.Servers, c.Server) {
				t.Fatalf("%v writes what is there", c)
			}
			for _, other := range changes[:i] {
				if other.Verb == c.Verb && other.Service.Key == c.Service.Key && other.Server.Address == c.Server.Address {
					t.Fatalf("%v is done twice", c)
				}
			}
		}
	})
}

func TestAServerIsAddedBeforeAnotherGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gone := map[Key]bool{}
		for _, c := range Reconcile(drawTable(t, "wanted"), drawTable(t, "found"), nil) {
			if c.Verb == RemoveServer {
				gone[c.Service.Key] = true
			}
			if c.Verb == AddServer && gone[c.Service.Key] {
				t.Fatalf("%v comes after another was removed", c)
			}
		}
	})
}
