package grammar

import (
	"strconv"

	pb "quorate/proto/quorate/v1"
)

// ParseWeight reads the weight of a server, or the word that takes an order for one
// back.
func ParseWeight(word string) (weight uint32, reset bool, err error) {
	if word == "default" {
		return 0, true, nil
	}
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil {
		return 0, false, Errorf("weight: %q is not a number from 0 to 65535", word).With("write default for what the configuration says")
	}
	return uint32(n), false, nil
}

// serverWords are the commands that keep orders for the servers of a resource.
func serverWords(r *pb.Resource) [][]string {
	var all [][]string
	for _, o := range r.GetServerOrders() {
		where := []string{"--resource", r.GetId(), "--service", o.GetService(), "--kept"}
		switch o.GetMode() {
		case pb.ServerMode_SERVER_MODE_DRAIN:
			all = append(all, append([]string{"server", "drain", o.GetServer()}, where...))
		case pb.ServerMode_SERVER_MODE_DISABLED:
			all = append(all, append([]string{"server", "disable", o.GetServer()}, where...))
		case pb.ServerMode_SERVER_MODE_UNSPECIFIED, pb.ServerMode_SERVER_MODE_READY: // the same, where nothing else is kept
		}
		if o.Weight != nil {
			all = append(all, append([]string{"server", "weight", o.GetServer(), strconv.FormatUint(uint64(o.GetWeight()), 10)}, where...))
		}
	}
	return all
}
