package lab

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// linkState is what became of a host's cable.
type linkState string

const (
	linkWhole     linkState = "up"
	linkCut       linkState = "cut"
	linkUnplugged linkState = "unplugged"
	linkNone      linkState = "none" // without power
)

// HostStatus is what a host is doing.
type HostStatus struct {
	Name    string      `json:"name"`
	Address string      `json:"address"`
	Power   bool        `json:"power"`
	Link    string      `json:"link"` // up, cut, unplugged, none
	Agent   AgentStatus `json:"agent"`
	Log     string      `json:"log"`
}

// A host is one machine of the lab, as the supervisor has it.
type host struct {
	Host
	dir      directory
	log      *slog.Logger
	bridge   netlink.Link
	presence *presence
	ports    *portTable

	mu    sync.Mutex // held over a change of power, link or agent
	init  *machine   // nil: no power
	cable *cable
	link  linkState
}

// A machine is a host from power-on to power-off.
type machine struct {
	cmd   *exec.Cmd
	conn  *net.UnixConn // to its init
	watch func()        // ends the watch of its addresses
}

// powerOn starts the host's init in namespaces of its own, lays its cable and
// boots it. The caller holds h.mu.
func (h *host) powerOn() error {
	m, err := h.startInit()
	if err != nil {
		return err
	}
	h.init = m
	h.cable, err = plug(h.bridge, h.Host, m.cmd.Process.Pid)
	if err == nil {
		h.link = linkWhole
		h.ports.add(h.cable.index(), port{h.Name, h.cable.port.Attrs().HardwareAddr})
		m.watch, err = h.presence.follow(h.Name, m.cmd.Process.Pid)
	}
	if err == nil {
		_, err = h.order(request{Verb: verbBoot, Boot: &bootOrder{Directory: string(h.dir), Host: h.Host}})
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", h.Name, err), h.powerOff())
	}
	return nil
}

func (h *host) startInit() (*machine, error) {
	near, far, err := packetPair()
	if err != nil {
		return nil, err
	}
	defer far.Close()
	cmd := inside("node")
	cmd.ExtraFiles = []*os.File{far}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS |
		unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", h.Name, err), near.Close())
	}
	return &machine{cmd: cmd, conn: near}, nil
}

// powerOff kills the host's init and with it all that runs on the host, which
// is gone when powerOff returns. The caller holds h.mu.
func (h *host) powerOff() error {
	m := h.init
	if m == nil {
		return nil
	}
	err := m.cmd.Process.Kill()
	_ = m.cmd.Wait() // killed, as asked
	h.presence.forget(h.Name)
	if m.watch != nil {
		m.watch()
	}
	err = errors.Join(err, m.conn.Close())
	if h.cable != nil {
		h.ports.remove(h.cable.index())
		err = errors.Join(err, h.cable.remove())
	}
	h.init, h.cable, h.link = nil, nil, linkNone
	return err
}

// orderTime bounds what a host's init may take for an order.
const orderTime = 10 * time.Second

// order sends a request to the host's init on a connection of its own and
// waits for the answer.
func (h *host) order(r request, files ...*os.File) (response, error) {
	near, far, err := packetPair()
	if err != nil {
		return response{}, err
	}
	defer func() { _ = near.Close() }()
	err = send(h.init.conn, r, append([]*os.File{far}, files...)...)
	_ = far.Close()
	if err != nil {
		return response{}, fmt.Errorf("%s: %w", h.Name, err)
	}
	if err := near.SetReadDeadline(time.Now().Add(orderTime)); err != nil {
		return response{}, err
	}
	var answer response
	received, err := receive(near, &answer)
	closeAll(received)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return answer, err
}

// control acts on the host's agent. The caller holds h.mu.
func (h *host) control(c agentControl) (AgentStatus, error) {
	if len(h.Command) == 0 && c != agentLook {
		return AgentStatus{}, errNoAgent
	}
	answer, err := h.order(request{Verb: verbAgent, Agent: c})
	return answer.Agent, err
}

// pass hands a caller's request, its connection and its files on to the host's
// init, which answers it itself.
func (h *host) pass(caller *net.UnixConn, r request, files []*os.File) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.init == nil {
		return fmt.Errorf("%s has no power", h.Name)
	}
	f, err := caller.File()
	if err != nil {
		return err
	}
	defer f.Close()
	return send(h.init.conn, r, append([]*os.File{f}, files...)...)
}

func (h *host) status() HostStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HostStatus{
		Name: h.Name, Address: h.Address().String(), Power: h.init != nil,
		Link: string(h.link), Log: h.dir.log(h.Name),
	}
	if h.init != nil {
		agent, err := h.control(agentLook)
		if err != nil {
			agent.State = err.Error()
		}
		s.Agent = agent
	}
	return s
}
