package ipvs

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The numbers of linux/ip_vs.h that say how connections are copied from one
// director to another. The library has none of them.
const (
	familyName    = "IPVS"
	familyVersion = 1

	cmdNewDaemon = 9
	cmdDelDaemon = 10
	cmdGetDaemon = 11

	attrDaemon = 3

	daemonState = 1
	daemonLink  = 2
	daemonID    = 3
)

// A Role is what a director does with its table of connections.
type Role uint32

// The roles, by the kernel's numbers.
const (
	Master Role = 1 // sends it
	Backup Role = 2 // receives it
)

func (r Role) String() string {
	if r == Master {
		return "master"
	}
	return "backup"
}

// A Daemon is the kernel's thread that has a role. There is at most one of each.
type Daemon struct {
	Role Role
	Link string // interface
	ID   uint32 // 0 to 255; a backup takes what comes with its own, or all if that is 0
}

// A daemonLine asks the kernel about its daemons.
type daemonLine struct {
	conn   *genetlink.Conn
	family genetlink.Family
}

func openDaemonLine() (*daemonLine, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, err
	}
	family, err := conn.GetFamily(familyName)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &daemonLine{conn, family}, nil
}

func (l *daemonLine) close() error { return l.conn.Close() }

// answerTime bounds the wait for an answer. The kernel gives it before the request
// has returned, or never: a daemon that is stopped before it ever ran makes it
// forget the answer (kthread_stop returns EINTR, on which netlink sends none).
const answerTime = 2 * time.Second

func (l *daemonLine) ask(command uint8, flags netlink.HeaderFlags, data []byte) ([]genetlink.Message, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	m := genetlink.Message{Header: genetlink.Header{Command: command, Version: familyVersion}, Data: data}
	return l.conn.Execute(m, l.family.ID, flags)
}

// list returns the daemons that run.
func (l *daemonLine) list() ([]Daemon, error) {
	answers, err := l.ask(cmdGetDaemon, netlink.Request|netlink.Dump, nil)
	if err != nil {
		return nil, fmt.Errorf("sync daemon: %w", denied(err))
	}
	var all []Daemon
	for _, m := range answers {
		attributes, err := netlink.NewAttributeDecoder(m.Data)
		if err != nil {
			return nil, fmt.Errorf("sync daemon: %w", err)
		}
		for attributes.Next() {
			if attributes.Type() == attrDaemon {
				var d Daemon
				attributes.Nested(d.decode)
				all = append(all, d)
			}
		}
		if err := attributes.Err(); err != nil {
			return nil, fmt.Errorf("sync daemon: %w", err)
		}
	}
	return all, nil
}

func (d *Daemon) decode(a *netlink.AttributeDecoder) error {
	for a.Next() {
		switch a.Type() {
		case daemonState:
			d.Role = Role(a.Uint32())
		case daemonLink:
			d.Link = a.String()
		case daemonID:
			d.ID = a.Uint32()
		}
	}
	return a.Err()
}

// start starts a daemon. One of its role must not run.
func (l *daemonLine) start(d Daemon) error {
	err := l.change(cmdNewDaemon, d)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("sync daemon: there is no interface %s, or it is down", d.Link)
	}
	return err
}

// stop ends the daemon of a role, if there is one.
func (l *daemonLine) stop(r Role) error {
	err := l.change(cmdDelDaemon, Daemon{Role: r})
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		left, listErr := l.list()
		if listErr == nil && of(r, left) == (Daemon{}) {
			return nil
		}
	}
	return err
}

func (l *daemonLine) change(command uint8, d Daemon) error {
	e := netlink.NewAttributeEncoder()
	e.Nested(attrDaemon, func(e *netlink.AttributeEncoder) error {
		e.Uint32(daemonState, uint32(d.Role))
		if command == cmdNewDaemon {
			e.String(daemonLink, d.Link)
			e.Uint32(daemonID, d.ID)
		}
		return nil
	})
	data, err := e.Encode()
	if err == nil {
		_, err = l.ask(command, netlink.Request|netlink.Acknowledge, data)
	}
	if err != nil {
		return fmt.Errorf("sync daemon, %s: %w", d.Role, denied(err))
	}
	return nil
}

// set makes the daemons those that are wanted, at most one of each role. What is
// as it should be is not restarted.
func (l *daemonLine) set(wanted ...Daemon) error {
	found, err := l.list()
	if err != nil {
		return err
	}
	for _, role := range []Role{Master, Backup} {
		w, f := of(role, wanted), of(role, found)
		if w == f {
			continue
		}
		if f != (Daemon{}) {
			err = errors.Join(err, l.stop(role))
		}
		if w != (Daemon{}) {
			err = errors.Join(err, l.start(w))
		}
	}
	return err
}

// of returns the daemon of a role, or none.
func of(r Role, all []Daemon) Daemon {
	for _, d := range all {
		if d.Role == r {
			return d
		}
	}
	return Daemon{}
}
