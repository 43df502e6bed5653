package ipvs

import (
	"fmt"
	"net/netip"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// Foreruns implements [resources.Forerunner]: an address is of use once its
// connections are balanced.
func (a *Agent) Foreruns(r, other *pb.Resource) string {
	addr, err := netip.ParseAddr(other.GetParameters()["ip"])
	if err != nil {
		return ""
	}
	s, err := a.parse(r)
	if err != nil {
		return "" // what cannot be read balances nothing
	}
	if !slices.ContainsFunc(s.config.Keys(), func(k Key) bool { return k.Mark == 0 && k.Address.Addr() == addr.Unmap() }) {
		return ""
	}
	return fmt.Sprintf("what reaches %s before the director has its table is refused: open connections are lost at a failover", addr)
}
