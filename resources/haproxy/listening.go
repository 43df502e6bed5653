package haproxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A listener is a TCP socket of this network namespace that somebody listens on.
type listener struct {
	bind
	inode uint32
}

// What the kernel's sock_diag family is asked and answers (sock_diag(7)).
const (
	byFamily      = 20 // SOCK_DIAG_BY_FAMILY
	listenState   = 1 << 10
	answerLength  = 72 // of struct inet_diag_msg
	questionBytes = 56 // of struct inet_diag_req_v2
	attributeV6   = 11 // INET_DIAG_SKV6ONLY
)

// listening asks the kernel for all of them. It looks at those alone, however
// many connections there are.
func listening() ([]listener, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("sockets of the node: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to lose
	var all []listener
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		question := make([]byte, questionBytes)
		question[0], question[1] = family, unix.IPPROTO_TCP
		binary.NativeEndian.PutUint32(question[4:], listenState)
		answers, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: byFamily, Flags: netlink.Request | netlink.Dump}, Data: question,
		})
		if err != nil {
			return nil, fmt.Errorf("sockets of the node: %w", err)
		}
		for _, a := range answers {
			if len(a.Data) >= answerLength {
				all = append(all, readListener(a.Data))
			}
		}
	}
	return all, nil
}

// readListener reads a struct inet_diag_msg and what follows it.
func readListener(data []byte) listener {
	l := listener{inode: binary.NativeEndian.Uint32(data[68:])}
	l.from = binary.BigEndian.Uint16(data[4:])
	l.to = l.from
	if data[0] == unix.AF_INET {
		l.address = netip.AddrFrom4([4]byte(data[8:12]))
	} else {
		l.address = netip.AddrFrom16([16]byte(data[8:24])).Unmap()
	}
	if l.address == netip.IPv6Unspecified() && !sixOnly(data[answerLength:]) {
		l.address = netip.Addr{}
	}
	if index := binary.NativeEndian.Uint32(data[40:]); index != 0 {
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			l.device = i.Name
		}
	}
	l.said = ":" + strconv.Itoa(int(l.from))
	if l.address.IsValid() {
		l.said = netip.AddrPortFrom(l.address, l.from).String()
	}
	return l
}

// sixOnly tells of a socket of IPv6 whether IPv4 passes it by.
func sixOnly(attributes []byte) bool {
	decoder, err := netlink.NewAttributeDecoder(attributes)
	if err != nil {
		return false
	}
	for decoder.Next() {
		if decoder.Type() == attributeV6 {
			return decoder.Uint8() != 0
		}
	}
	return false
}

// process returns one that holds the socket.
func (l listener) process() (int, error) {
	link := fmt.Sprintf("socket:[%d]", l.inode)
	open, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, err
	}
	for _, path := range open {
		if to, err := os.Readlink(path); err == nil && to == link {
			return strconv.Atoi(strings.Split(path, "/")[2])
		}
	}
	return 0, errUnseen
}
