package ipvs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sysctls are what the services need of the kernel, in this network namespace
// (ipvs-sysctl.rst, ip-sysctl.rst):
//
// NAT forwards packets, so forwarding is on in its family. A connection to a
// server that was removed, which would hang, is ended (expire_nodest_conn). A
// persistent client whose server has weight 0 is given another one
// (expire_quiescent_template). Connections are copied once they are established,
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
	for _, v := range s.config.Virtuals {
		switch {
		case v.Quiescent && v.Timeout > 0:
			wanted["net.ipv4.vs.expire_quiescent_template"] = "1"
		case !v.Quiescent:
			wanted["net.ipv4.vs.expire_nodest_conn"] = "1"
		}
		if !slices.ContainsFunc(slices.Concat(v.Reals, v.Sorry), func(r Real) bool { return r.Method == NAT }) {
			continue
		}
		if v.Keys[0].is6() {
			wanted["net.ipv6.conf.all.forwarding"] = "1"
		} else {
			wanted["net.ipv4.ip_forward"] = "1"
		}
	}
	return wanted
}

func sysctlPath(name string) string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
}

func readSysctl(name string) (string, error) {
	b, err := os.ReadFile(sysctlPath(name))
	if err != nil {
		return "", fmt.Errorf("read %s, or give sysctl=false: %w", name, err)
	}
	return strings.Join(strings.Fields(string(b)), " "), nil
}

func writeSysctl(name, value string) error {
	if err := os.WriteFile(sysctlPath(name), []byte(value), 0); err != nil {
		return fmt.Errorf("set %s to %s, or give sysctl=false: %w", name, value, err)
	}
	return nil
}
