package ipvs

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// A RealServer is told which addresses this node's tables balance: a node that is a real
// server for one of them as well must not take for itself, at the same time, what
// another director sends it, since the table would balance it again (S1).
type RealServer interface {
	// Direct names all addresses that a resource balances, before it does; none, when
	// it no longer does. The unspecified address of IPv6 stands for any.
	Direct(resource string, addrs []netip.Addr) error
}

// Use has a RealServer be told from now on. Nothing may have been started before.
func (a *Agent) Use(s RealServer) { a.realServer = s }

// direct tells of a resource's services.
func (a *Agent) direct(resource string, keys []Key) error {
	if a.realServer == nil {
		return nil
	}
	return a.realServer.Direct(resource, addressesOf(keys))
}

// addressesOf are the addresses of services; the unspecified one stands for those of
// a firewall mark, which only the rules that set it know.
func addressesOf(keys []Key) []netip.Addr {
	var addrs []netip.Addr
	for _, k := range keys {
		addr := k.Address.Addr()
		if k.Mark != 0 {
			addr = netip.IPv6Unspecified()
		}
		if !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// Balances reports whether the kernel's table, whoever wrote it, may balance what
// comes to an address.
func (a *Agent) Balances(addr netip.Addr) (bool, error) {
	k, err := openKernel()
	if errors.Is(err, errNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer k.close()
	var keys []Key
	_, err = k.read(func(key Key) bool {
		keys = append(keys, key)
		return false
	})
	if errors.Is(err, unix.EPERM) { // nobody in this namespace may write one
		return false, nil
	}
	if err != nil {
		return false, err
	}
	addrs := addressesOf(keys)
	return slices.Contains(addrs, addr) || slices.Contains(addrs, netip.IPv6Unspecified()), nil
}
