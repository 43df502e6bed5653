package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A verb is what a packet asks for.
type verb string

const (
	// Asked of the supervisor.
	verbStatus verb = "status"
	verbFault  verb = "fault"
	verbMeter  verb = "meter" // until the caller shuts its side
	verbDown   verb = "down"  // answered by the end of the connection
	// Asked of the supervisor, which passes them on to the host's init.
	verbExec verb = "exec"
	verbDial verb = "dial" // a connected unix socket
	// Asked of the host's init by the supervisor.
	verbBoot   verb = "boot"
	verbAgent  verb = "agent"
	verbWarden verb = "warden"
	// Sent to the host's init while its exec runs.
	verbSignal verb = "signal"
)

// A request is one packet on a lab's sockets. Files may come with it.
type request struct {
	Verb    verb
	Host    string `json:",omitempty"`
	Trouble Trouble
	Address string        `json:",omitempty"` // that the meter asks for
	Path    string        `json:",omitempty"` // of the socket to dial
	Boot    *bootOrder    `json:",omitempty"`
	Exec    *execOrder    `json:",omitempty"`
	Signal  unix.Signal   `json:",omitempty"`
	Agent   agentControl  `json:",omitempty"`
	Warden  wardenControl `json:",omitempty"`
}

// A response answers a request. Error is empty when it was done.
type response struct {
	Error string       `json:",omitempty"`
	Exit  int          `json:",omitempty"` // of an exec, as a shell reports it
	Steps []Step       `json:",omitempty"`
	Hosts []HostStatus `json:",omitempty"`
	Agent AgentStatus
	Meter *MeterReport `json:",omitempty"`
}

// packetSize bounds a request; a command line of more is refused by the kernel.
const packetSize = 192 << 10

// send writes v as one packet, with files.
func send(c *net.UnixConn, v any, files ...*os.File) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err = c.WriteMsgUnix(data, rights, nil)
	return err
}

// receive reads one packet into v and returns the files that came with it.
func receive(c *net.UnixConn, v any) ([]*os.File, error) {
	data, oob := make([]byte, packetSize), make([]byte, unix.CmsgSpace(8*4))
	n, oobn, flags, _, err := c.ReadMsgUnix(data, oob)
	if err != nil {
		return nil, err
	}
	files, err := parseRights(oob[:oobn])
	if err != nil {
		return nil, err
	}
	if flags&unix.MSG_TRUNC != 0 {
		closeAll(files)
		return nil, errors.New("packet is too long")
	}
	if err := json.Unmarshal(data[:n], v); err != nil {
		closeAll(files)
		return nil, fmt.Errorf("packet: %w", err)
	}
	return files, nil
}

func parseRights(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("packet's files: %w", err)
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // another kind of control message
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// call sends a request and waits for its response.
func call(c *net.UnixConn, r request, files ...*os.File) (response, error) {
	var answer response
	if err := send(c, r, files...); err != nil {
		return answer, err
	}
	received, err := receive(c, &answer)
	closeAll(received)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return answer, err
}

// failure is the response for err, which may be nil.
func failure(err error) response {
	if err == nil {
		return response{}
	}
	return response{Error: err.Error()}
}

// packetPair returns two connected sockets.
func packetPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	far := os.NewFile(uintptr(fds[1]), "far end")
	near, err := packetConn(os.NewFile(uintptr(fds[0]), "near end"))
	if err != nil {
		_ = far.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// packetConn makes a connection of an inherited or received socket and closes f.
func packetConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("socket: not a unix socket")
	}
	return u, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// now is the kernel's monotonic clock, which all processes of a machine share,
// in whichever namespaces they are.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // no Linux lacks it
	}
	return time.Duration(t.Nano())
}
