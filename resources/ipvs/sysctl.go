package ipvs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// sysctls are what the services need of the kernel, in this network namespace
// (ipvs-sysctl.rst, ip-sysctl.rst):
//
// NAT forwards packets, so forwarding is on in its family. A connection to a
// server that was removed, by its checks or because it was disabled, would hang,
// and is ended (expire_nodest_conn). A persistent client whose server has weight 0,
// since it is down or drained, is given another one (expire_quiescent_template).
//
// A director that sees only what clients send, as in direct routing, keeps a connection
// that has ended for two minutes more, and so long whoever connects from its port again
// is given its server, whatever the scheduler would say (conn_reuse_mode). Connections
// that were copied from another director do that for as many.
//
// Connections are copied once they are established,
// and again every few seconds while they carry anything, so that a node that was
// away, or was the owner before, soon knows them all; the default is by packets,
// and a slow connection has few. conntrack is the user's wish.
func (s *settings) sysctls() map[string]string {
	wanted := map[string]string{}
	if !s.sysctl {
		return wanted
	}
	if s.sync != nil {
		wanted["net.ipv4.vs.sync_threshold"] = "3 0"
		wanted["net.ipv4.vs.sync_refresh_period"] = "5"
	}
	if s.conntrack {
		wanted["net.ipv4.vs.conntrack"] = "1"
	}
	wanted["net.ipv4.vs.expire_nodest_conn"] = "1"
	for _, v := range s.config.Virtuals {
		if v.Timeout > 0 {
			wanted["net.ipv4.vs.expire_quiescent_template"] = "1"
		}
		for _, real := range slices.Concat(v.Reals, v.Sorry) {
			switch {
			case real.Method != NAT:
				wanted["net.ipv4.vs.conn_reuse_mode"] = "3"
			case v.Keys[0].is6():
				wanted["net.ipv6.conf.all.forwarding"] = "1"
			default:
				wanted["net.ipv4.ip_forward"] = "1"
			}
		}
	}
	return wanted
}

// tune has the kernel's settings be what is wanted for a resource, and restores
// what no longer is. A record of an earlier build had noted them itself.
func (a *Agent) tune(id string, wanted map[string]string, mine *record) error {
	if len(mine.Sysctls) > 0 {
		if err := a.sysctls.Adopt(id, mine.Sysctls); err != nil {
			return err
		}
		mine.Sysctls = nil
	}
	if err := a.sysctls.Set(id, wanted); err != nil {
		return fmt.Errorf("%w, or give sysctl=false", err)
	}
	return nil
}

// notes tell what Start would change of the kernel's settings.
func (a *Agent) notes(s *settings) []string {
	wanted := s.sysctls()
	var set []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if now, err := a.sysctls.Read(name); err != nil || now != wanted[name] {
			set = append(set, fmt.Sprintf("%s=%s", name, wanted[name]))
		}
	}
	if len(set) == 0 {
		return nil
	}
	return []string{"while it runs: " + strings.Join(set, ", ")}
}

// tuneDetail says what of the kernel is set, for people.
func (a *Agent) tuneDetail(r *pb.Resource) string {
	if set := a.sysctls.Describe(r.GetId()); set != "" {
		return ", sets " + set
	}
	return ""
}
