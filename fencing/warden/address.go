package warden

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// addressDelay is how long after its time an address is removed from its interface.
// It is the last resort: the kernel's guard has silenced it long ago, and an agent
// that goes on meanwhile would take the removal for another hand's.
const addressDelay = time.Second

// addressMark is the mark of an address as the table has it: what the kernel is told
// (struct ifaddrmsg of rtnetlink(7)) without the text's parsing.
func addressMark(text string) (string, error) {
	address, index, _ := strings.Cut(text, "@")
	p, err := netip.ParsePrefix(address)
	link, indexErr := strconv.ParseUint(index, 10, 31)
	if err = errors.Join(err, indexErr); err != nil {
		return "", fmt.Errorf("address %q: want ADDRESS/PREFIX@INDEX: %w", text, err)
	}
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	b := []byte{family, byte(p.Bits()), 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(link))
	return string(append(b, p.Addr().AsSlice()...)), nil
}

// A netlink removes addresses. Its socket is opened beforehand: that may take memory.
type netlink struct {
	fd      int
	message [64]byte
}

func openNetlink() (netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return netlink{fd: -1}, fmt.Errorf("open netlink: %w", err)
	}
	return netlink{fd: fd}, nil
}

const ifaddrmsgSize = 8

// remove asks the kernel to remove an address. Whether it did is not looked at: one
// that is gone already is an error, too.
func (n *netlink) remove(mark []byte) {
	if n.fd < 0 || len(mark) < ifaddrmsgSize {
		return
	}
	address := mark[ifaddrmsgSize:]
	b := n.message[:unix.NLMSG_HDRLEN]
	b = append(b, mark[:ifaddrmsgSize]...)
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(address)))
	b = binary.NativeEndian.AppendUint16(b, unix.IFA_LOCAL)
	b = append(b, address...)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_DELADDR)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	_, _ = unix.Write(n.fd, b) // to the kernel, which a netlink socket is bound for by itself
}
