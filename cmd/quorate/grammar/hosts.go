package grammar

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// corosync's own sections of `cluster setup`. They mean nothing here.
var corosync = []string{"transport", "link", "compression", "crypto", "totem", "quorum"}

// Setup reads [NAME] NODE [addr=ADDRESS]... and returns which of corosync's
// sections were skipped. The name comes first unless a flag gave it.
func Setup(name string, words []string) (r *pb.SetupRequest, skipped []string, err error) {
	if name == "" && len(words) > 0 {
		name, words = words[0], words[1:]
	}
	if name == "" || strings.Contains(name, "=") || slices.Contains(corosync, name) {
		return nil, nil, Errorf("the cluster has no name").With("write NAME NODE NODE …")
	}
	if i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(corosync, w) }); i >= 0 {
		skipped, words = sectionNames(words[i:]), words[:i]
	}
	hosts, err := Hosts(words)
	if err != nil {
		return nil, nil, err
	}
	if len(hosts) == 0 {
		return nil, nil, Errorf("cluster %q has no nodes", name).With("write NAME NODE NODE …")
	}
	return &pb.SetupRequest{Name: name, Hosts: hosts}, skipped, nil
}

func sectionNames(words []string) []string {
	var names []string
	for _, w := range words {
		if slices.Contains(corosync, w) && !slices.Contains(names, w) {
			names = append(names, w)
		}
	}
	return names
}

// Hosts reads NODE [addr=ADDRESS]... any number of times, and the older
// NODE,ADDRESS for a second link.
func Hosts(words []string) ([]*pb.HostSpec, error) {
	var hosts []*pb.HostSpec
	for _, word := range words {
		if address, ok := strings.CutPrefix(word, "addr="); ok {
			if len(hosts) == 0 || address == "" {
				return nil, Errorf("%q belongs to no node", word).With("write NODE addr=ADDRESS")
			}
			last := hosts[len(hosts)-1]
			last.Addresses = append(last.Addresses, address)
			continue
		}
		if strings.Contains(word, "=") {
			return nil, Errorf("%q is not known here", word).With("write NODE [addr=ADDRESS]")
		}
		h := host(word)
		if slices.ContainsFunc(hosts, func(o *pb.HostSpec) bool { return o.GetName() == h.GetName() }) {
			return nil, Errorf("node %q is given twice", h.GetName())
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// host reads NODE or NODE,ADDRESS: the name is the first link's address, too.
func host(word string) *pb.HostSpec {
	name, second, ok := strings.Cut(word, ",")
	if !ok {
		return &pb.HostSpec{Name: word}
	}
	return &pb.HostSpec{Name: name, Addresses: []string{name, second}}
}

// ParseRole reads voter, witness or replica.
func ParseRole(word string) (pb.Role, error) {
	switch strings.ToLower(word) {
	case "", "voter":
		return pb.Role_ROLE_VOTER, nil
	case "witness":
		return pb.Role_ROLE_WITNESS, nil
	case "replica":
		return pb.Role_ROLE_REPLICA, nil
	}
	return 0, Errorf("role %q is not known", word).With("write voter, witness or replica")
}
