package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// A socket speaks to nftables. The kernel does what a message says, and
// answers, before the call that sends it returns: nothing is waited for.
type socket struct{ fd int }

func openSocket() (socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return socket{-1}, fmt.Errorf("open a socket to nftables: %w", err)
	}
	return socket{fd}, nil
}

func (s socket) close() error {
	if err := unix.Close(s.fd); err != nil {
		return fmt.Errorf("close the socket to nftables: %w", err)
	}
	return nil
}

// commit has the kernel make the changes of a batch. After an error none of
// them was made, unless the answer was lost: then nothing is known.
func (s socket) commit(b *batch) error {
	if b.err != nil || b.count == 0 {
		return b.err
	}
	if err := unix.Sendto(s.fd, b.finish(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send to nftables: %w", err)
	}
	answers, err := s.answers()
	if err == nil && answers == 0 {
		err = errors.New("nftables did not answer")
	}
	return err
}

// answers counts what the kernel has agreed to, and returns its first refusal.
func (s socket) answers() (agreed int, err error) {
	buffer := make([]byte, 8<<10)
	for {
		n, _, e := unix.Recvfrom(s.fd, buffer, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(e, unix.EAGAIN):
			return agreed, err
		case errors.Is(e, unix.EINTR):
			continue
		case e != nil:
			return agreed, errors.Join(err, fmt.Errorf("read the answer of nftables: %w", e))
		}
		messages, e := syscall.ParseNetlinkMessage(buffer[:n])
		if e != nil {
			return agreed, errors.Join(err, fmt.Errorf("read the answer of nftables: %w", e))
		}
		for _, m := range messages {
			switch refusal := refused(m); {
			case refusal == nil:
				agreed++
			case err == nil:
				err = refusal
			}
		}
	}
}

// refused reads struct nlmsgerr (netlink(7)); nil: the change was agreed to.
func refused(m syscall.NetlinkMessage) error {
	if m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
		return fmt.Errorf("nftables answered with a message of type %d", m.Header.Type)
	}
	if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
		return fmt.Errorf("nftables refused message %d: %w", m.Header.Seq, unix.Errno(-code))
	}
	return nil
}
