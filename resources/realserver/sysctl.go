package realserver

import (
	"slices"
	"strings"
)

// sysctls are what keeps this host from telling neighbours of the addresses
// (ip-sysctl.rst): arp_ignore 1 answers only on the interface that has the address
// that is asked for, and an address on lo is on none that has neighbours;
// arp_announce 2 asks neighbours in the name of an address of the interface, never
// of the packet's, which would be the virtual one. The greater of all's and the
// interface's counts. What is as strict already stays.
//
// IPv6 needs nothing of the kind: a solicitation is answered on an interface that
// has the target itself.
//
// Packets out of a tunnel come from any client, whose way back is not the tunnel:
// rp_filter 2 lets them in if there is any way back, and is greater than the 1
// that distributions set for all. (It does so for an interface that has an address.)
func (a *Agent) wanted(s *settings) map[string]string {
	wanted := map[string]string{}
	if !s.has4() {
		return wanted
	}
	for _, scope := range s.scopes() {
		wanted[arpIgnore(scope)] = a.atLeast(arpIgnore(scope), "1", "2", "8")
		wanted[conf(scope)+"arp_announce"] = "2"
	}
	if s.tunnel {
		wanted[conf(tunnel4)+"rp_filter"] = "2"
	}
	return wanted
}

// scopes are those interfaces' settings that are changed.
func (s *settings) scopes() []string {
	if len(s.nics) == 0 {
		return []string{"all"}
	}
	return s.nics
}

// conf is what the settings of an interface, or of all, begin with.
func conf(scope string) string { return "net.ipv4.conf." + strings.ReplaceAll(scope, ".", "/") + "." }

func arpIgnore(scope string) string { return conf(scope) + "arp_ignore" }

// atLeast is the present value of a setting if it is one of the good ones, else
// the first of them.
func (a *Agent) atLeast(name string, good ...string) string {
	if now, err := a.sysctls.Read(name); err == nil && slices.Contains(good, now) {
		return now
	}
	return good[0]
}

// tune has the kernel's settings be what is wanted, and reports what was not so
// before.
func (a *Agent) tune(id string, s *settings) (drifted []string, err error) {
	if drifted, err = a.sysctls.Drifted(id); err != nil {
		return nil, err
	}
	return drifted, a.sysctls.Set(id, a.wanted(s))
}
