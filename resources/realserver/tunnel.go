package realserver

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel's own ends of tunnels from anywhere, which a director's packets come
// out of, and the modules that make them.
const (
	tunnel4 = "tunl0"   // ipip
	tunnel6 = "ip6tnl0" // ip6_tunnel
)

var tunnelModules = map[string]string{tunnel4: "ipip", tunnel6: "ip6_tunnel"}

// tunnels are those that the addresses need.
func (s *settings) tunnels() []string {
	var names []string
	if s.tunnel && s.has4() {
		names = append(names, tunnel4)
	}
	if s.tunnel && s.has6() {
		names = append(names, tunnel6)
	}
	return names
}

// raise has a tunnel's end take packets, and reports whether it did not.
func raise(ctx context.Context, name string) (raised bool, err error) {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		if out, failed := exec.CommandContext(ctx, "modprobe", tunnelModules[name]).CombinedOutput(); failed != nil {
			return false, fmt.Errorf("tunnel: module %s: %s", tunnelModules[name], strings.TrimSpace(string(out)+" "+failed.Error()))
		}
		link, err = netlink.LinkByName(name)
	}
	if err != nil {
		return false, fmt.Errorf("tunnel: interface %s of the module %s: %w", name, tunnelModules[name], err)
	}
	if link.Attrs().Flags&unix.IFF_UP != 0 {
		return false, nil
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return false, fmt.Errorf("tunnel: set %s up: %w", name, err)
	}
	return true, nil
}

// lower undoes raise.
func lower(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil //nolint:nilerr // it went with its module
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return fmt.Errorf("tunnel: set %s down: %w", name, err)
	}
	return nil
}
