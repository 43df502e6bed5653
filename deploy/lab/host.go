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
	Name    string       `json:"name"`
	Address string       `json:"address"`
	Power   bool         `json:"power"`
	Link    string       `json:"link"` // of the first network: up, cut, unplugged, none
	Links   []LinkStatus `json:"links"`
	Agent   AgentStatus  `json:"agent"`
	Log     string       `json:"log"`
}

// LinkStatus is what has become of a host's cable to a network.
type LinkStatus struct {
	Network string   `json:"network"`
	Address string   `json:"address"`
	State   string   `json:"state"`           // up, cut, unplugged, none
	Drops   []string `json:"drops,omitempty"` // what else is lost
}

// A host is one machine of the lab, as the supervisor has it.
type host struct {
	Host
	dir     directory
	log     *slog.Logger
	bridges []netlink.Link
	drops   *drops
	kernels *kernels
	ports   *portTable // of the first network

	mu     sync.Mutex // held over a change of power, link or agent
	init   *machine   // nil: no power
	cables []*cable   // by network; none without power
}

// A machine is a host from power-on to power-off.
type machine struct {
	cmd   *exec.Cmd
	conn  *net.UnixConn // to its init
	watch func()        // ends the listening to its kernel
}

// powerOn starts the host's init in namespaces of its own, lays its cables and
// boots it. The caller holds h.mu.
func (h *host) powerOn() error {
	m, err := h.startInit()
	if err != nil {
		return err
	}
	h.init = m
	if m.watch, err = h.kernels.follow(h.Name, m.cmd.Process.Pid); err == nil {
		h.cables, err = plug(h.bridges, h.Host, m.cmd.Process.Pid)
	}
	if err == nil {
		h.ports.add(h.cables[0].index(), port{h.Name, h.cables[0].port.Attrs().HardwareAddr})
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
	h.kernels.record.forget(h.Name)
	if m.watch != nil {
		m.watch()
		h.kernels.record.forget(h.Name) // also what came after the power went
	}
	err = errors.Join(err, m.conn.Close())
	if len(h.cables) > 0 {
		h.ports.remove(h.cables[0].index())
		err = errors.Join(err, removeAll(h.cables))
	}
	h.init, h.cables = nil, nil
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
	if err := near.SetReadDeadline(time.Now().Add(slow(orderTime))); err != nil {
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

// controlWarden acts on the host's warden. The caller holds h.mu.
func (h *host) controlWarden(c wardenControl) error {
	if !needsWarden(h.Command) {
		return errors.New("no warden runs here")
	}
	_, err := h.order(request{Verb: verbWarden, Warden: c})
	return err
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
		Links: h.linkStatus(), Log: h.dir.log(h.Name),
	}
	s.Link = s.Links[0].State
	if h.init != nil {
		agent, err := h.control(agentLook)
		if err != nil {
			agent.State = err.Error()
		}
		s.Agent = agent
	}
	return s
}

func (h *host) linkStatus() []LinkStatus {
	var links []LinkStatus
	for network, a := range h.Addresses() {
		l := LinkStatus{Network: Networks[network], Address: a.String(), State: string(linkNone)}
		if len(h.cables) > 0 {
			l.State = string(h.cables[network].state)
		}
		for _, d := range h.drops.of(h.Name) {
			if d.network == network {
				l.Drops = append(l.Drops, d.String())
			}
		}
		links = append(links, l)
	}
	return links
}
