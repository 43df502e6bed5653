package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// TestE2EBadInputChangesNothing is S8: one line that names what is wrong, exit
// status 2, and the same cluster as before.
func TestE2EBadInputChangesNothing(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1", "other", "spare", "late")
	s.writeHAProxyConfiguration()
	broken := strings.Replace(haproxyConfiguration, "default_backend", "defualt_backend", 1)
	if err := os.WriteFile(filepath.Join(s.Shared(), "broken.cfg"), []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	s.play(`
		lvsm# pcs cluster auth lvsm lvss web1 -u hacluster -p secret
		lvsm# pcs cluster setup --name first lvsm lvss web1 --start --wait
		lvsm# pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP cidr_netmask=32 op monitor interval=30s
		lvsm# pcs resource create WebService ocf:heartbeat:haproxy conffile=$SHARED/haproxy.cfg
		lvsm# pcs constraint order VirtualIP then WebService
		lvsm# pcs constraint colocation add WebService with VirtualIP
		all on lvsm

		other# pcs cluster auth other -u hacluster -p secret
		other# pcs cluster setup second other --start --wait
		lvsm#  quorate cluster certificate ann --dir $SHARED/first
		other# quorate cluster certificate eve --dir $SHARED/second

		lvsm# quorate cluster token >$SHARED/used
		spare# quorate cluster join $(cat $SHARED/used)
		lvsm# quorate cluster token --lifetime 2s >$SHARED/expired && sleep 2
	`)
	asAnn := "quorate status --server lvsm --ca $SHARED/first/ca.crt --cert $SHARED/first/ann.crt --key $SHARED/first/ann.key"
	s.play("client# " + asAnn)
	for _, tt := range []struct{ name, host, command, says string }{
		{"unknown agent", "lvsm", "pcs resource create A ocf:heartbeat:Nothing ip=10.77.0.101", "agent: ocf:heartbeat:Nothing is not installed on this node"},
		{"no ip", "lvsm", "pcs resource create A ocf:heartbeat:IPaddr2 cidr_netmask=32", "ip: is missing"},
		{"no address", "lvsm", "pcs resource create A ocf:heartbeat:IPaddr2 ip=300.1.1.1", `ip: "300.1.1.1" is not an address`},
		{"address of no network here", "lvsm", "pcs resource create A ocf:heartbeat:IPaddr2 ip=192.0.2.1", "ip: 192.0.2.1 is in no network"},
		{"unknown node", "lvsm", "pcs constraint location VirtualIP prefers nobody=50", `node: there is no node "nobody"`},
		{"unknown node to move to", "lvsm", "pcs resource move VirtualIP nobody", `node: there is no node "nobody"`},
		{"unknown node to stop", "lvsm", "pcs cluster stop nobody", `node: "nobody" is not a node`},
		{"duplicate id", "lvss", "pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.77.0.101", "resource id: there is a resource VirtualIP already"},
		{"location of nothing", "lvsm", "pcs constraint location Nothing prefers lvsm=50", `resource: there is no resource or group "Nothing"`},
		{"colocation with nothing", "lvsm", "pcs constraint colocation add VirtualIP with Nothing", `"Nothing"`},
		{"order after nothing", "lvsm", "pcs constraint order Nothing then VirtualIP", `"Nothing"`},
		{"circle of orders", "web1", "pcs constraint order WebService then VirtualIP", "circle: VirtualIP then WebService then VirtualIP"},
		{"score", "lvsm", "pcs constraint location VirtualIP prefers lvss=abc", `score "abc" is not a number`},
		{"haproxy.cfg", "lvsm", "pcs resource create B ocf:heartbeat:haproxy conffile=$SHARED/broken.cfg", "conffile: parsing [$SHARED/broken.cfg:30]"},
		{"haproxy.cfg in an update", "lvsm", "pcs resource update WebService conffile=$SHARED/broken.cfg", "conffile: parsing [$SHARED/broken.cfg:30]"},
		{"member of another cluster", "lvsm", "pcs cluster setup --name third lvsm late", `host lvsm: it already is in cluster "first"`},
		{"others' node", "late", "pcs cluster auth other -u hacluster -p secret && pcs cluster setup third late other", `host other: it already is in cluster "second"`},
		{"password", "late", "pcs cluster auth lvsm -u hacluster -p guess", "host lvsm: password: wrong"},
		{"token that expired", "late", "quorate cluster join $(cat $SHARED/expired)", "token: it has expired"},
		{"token that was used", "late", "quorate cluster join $(cat $SHARED/used)", "token: it is unknown, has expired or was used"},
		{"token that is none", "late", "quorate cluster join qt1.nothing", "quorate: token: it is "},
		{"certificate of another cluster", "client", strings.NewReplacer("first/ann", "second/eve").Replace(asAnn), "--cert"},
		{"server of another cluster", "client", strings.NewReplacer("--server lvsm", "--server other").Replace(asAnn), "--ca"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			s.unchangedBy(func() {
				if says := s.expand(tt.says); !strings.Contains(s.fails(2, tt.host, s.expand(tt.command)), says) {
					t.Errorf("want it to say %q", says)
				}
			})
		})
	}
}

// unchangedBy checks that something changes nothing that people wrote.
func (s *scene) unchangedBy(f func()) {
	s.Helper()
	before := s.written()
	f()
	for node, after := range s.written() {
		if !proto.Equal(before[node], after) {
			s.Errorf("%s: the state was\n%v\nand is\n%v", node, before[node], after)
		}
	}
}

// written is what every node knows by the will of people, once all of a cluster
// know the same: its state without what the cluster itself does.
func (s *scene) written() map[string]*pb.State {
	s.Helper()
	states := map[string]*pb.State{}
	err := await(s.Context(), "all nodes to know the same", func() error {
		indexes := map[string]uint64{} // by cluster
		for _, n := range s.Spec.Nodes() {
			v, err := s.cluster.View(s.Context(), n)
			if err != nil {
				return err
			}
			cluster := v.GetState().GetClusterId()
			if index, ok := indexes[cluster]; ok && index != v.GetIndex() {
				return fmt.Errorf("%s is at entry %d, another one at %d", n, v.GetIndex(), index)
			}
			indexes[cluster], states[n] = v.GetIndex(), v.GetState()
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	for _, state := range states {
		for _, node := range state.GetNodes() {
			node.Admission, node.Epoch, node.Nonce, node.ElectorateConfirmed, node.AdmittedAt, node.GoneAt = 0, 0, 0, 0, nil, nil
			node.DiskHangsSince = nil
		}
		state.Electorate, state.Assignments, state.Instances, state.Operations = nil, nil, nil, nil
		state.LastAssignment, state.LastOperation, state.LastEvent = 0, 0, 0
		state.Events = slices.DeleteFunc(state.GetEvents(), func(e *pb.Event) bool { return e.GetActor() == "" })
	}
	return states
}
