package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where things are in an Ethernet frame.
const (
	etherType = 12
	etherBody = 14
)

// openMeter opens a socket that gets the answers for a, and nothing else, from
// all interfaces, with the time the kernel got them.
func openMeter(a netip.Addr) (int, error) {
	all := int(htons(unix.ETH_P_ALL)) // a bridge takes frames before sockets of one protocol see them
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("meter: %w", err)
	}
	err = attach(fd, answers(a))
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(all)})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("meter: %w", err)
	}
	return fd, nil
}

// answers is a filter that passes ARP replies, or neighbour advertisements.
func answers(a netip.Addr) []bpf.Instruction {
	drop, pass := bpf.RetConstant{Val: 0}, bpf.RetConstant{Val: 256}
	if a.Is4() {
		return []bpf.Instruction{
			bpf.LoadAbsolute{Off: etherType, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_ARP, SkipTrue: 3},
			bpf.LoadAbsolute{Off: etherBody + 6, Size: 2}, // operation
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 2, SkipTrue: 1},
			pass, drop,
		}
	}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: etherType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IPV6, SkipTrue: 5},
		bpf.LoadAbsolute{Off: etherBody + 6, Size: 1}, // next header
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 3},
		bpf.LoadAbsolute{Off: etherBody + 40, Size: 1}, // ICMPv6 type
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: neighbourAdvertisement, SkipTrue: 1},
		pass, drop,
	}
}

func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// ICMPv6 types (RFC 4861).
const (
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
)

// question is the frame that asks who has a. The asker's address is one that no host has.
func question(a netip.Addr, mac net.HardwareAddr) []byte {
	asker := Host{Octet: meterOctet}
	if a.Is4() {
		return arpRequest(a, asker.Address(), mac)
	}
	return solicitation(a, asker.Address6(), mac)
}

func arpRequest(a, asker netip.Addr, mac net.HardwareAddr) []byte {
	return slices.Concat(
		[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, []byte{0x08, 0x06},
		[]byte{0, 1, 8, 0, 6, 4, 0, 1}, // Ethernet, IPv4, request
		mac, asker.AsSlice(), make([]byte, 6), a.AsSlice(),
	)
}

func solicitation(a, asker netip.Addr, mac net.HardwareAddr) []byte {
	target := a.As16()
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	copy(group[13:], target[13:])
	from := asker.As16()
	body := slices.Concat([]byte{neighbourSolicitation, 0, 0, 0, 0, 0, 0, 0}, target[:], []byte{1, 1}, mac)
	pseudo := slices.Concat(from[:], group[:], []byte{0, 0, 0, byte(len(body)), 0, 0, 0, unix.IPPROTO_ICMPV6}, body)
	binary.BigEndian.PutUint16(body[2:], checksum(pseudo))
	return slices.Concat(
		[]byte{0x33, 0x33}, group[12:], mac, []byte{0x86, 0xdd},
		[]byte{0x60, 0, 0, 0, 0, byte(len(body)), unix.IPPROTO_ICMPV6, 255}, from[:], group[:], body,
	)
}

// checksum is the Internet's (RFC 1071), of an even number of bytes.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// isAnswer tells whether a frame that passed the filter answers for a.
func isAnswer(frame []byte, a netip.Addr) bool {
	at, size := etherBody+14, 4 // the sender's address
	if a.Is6() {
		at, size = etherBody+40+8, 16 // the target's
	}
	return len(frame) >= at+size && slices.Equal(frame[at:at+size], a.AsSlice())
}

// arrival is when the kernel got a packet, by its control messages; now if they do not say.
func arrival(oob []byte) time.Duration {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			return monotonic(*(*unix.Timespec)(unsafe.Pointer(&m.Data[0])))
		}
	}
	return now()
}

// monotonic is a time of the wall clock on the monotonic one, both read at once:
// again if something came between.
func monotonic(stamp unix.Timespec) time.Duration {
	var wall unix.Timespec
	for range 5 {
		before := now()
		if unix.ClockGettime(unix.CLOCK_REALTIME, &wall) != nil {
			break
		}
		if after := now(); after-before < 100*time.Microsecond {
			return after - time.Duration(wall.Nano()-stamp.Nano())
		}
	}
	return now()
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }
