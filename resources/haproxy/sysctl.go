package haproxy

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// nonlocalBind are the settings, of this network namespace, that let a process
// bind an address that is on no interface (ip-sysctl.rst).
var nonlocalBind = []string{
	"/proc/sys/net/ipv4/ip_nonlocal_bind",
	"/proc/sys/net/ipv6/ip_nonlocal_bind",
}

// bindsNonlocal reports whether all are set. A kernel without IPv6 lacks one.
func bindsNonlocal() bool {
	for _, path := range nonlocalBind {
		b, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(b)) != "1" {
			return false
		}
	}
	return true
}

func allowNonlocal() error {
	if bindsNonlocal() {
		return nil
	}
	for _, path := range nonlocalBind {
		if err := os.WriteFile(path, []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("set %s, or give nonlocal_bind=false: %w", path, err)
		}
	}
	return nil
}
