package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"quorate/cluster/fork"
)

// A stream of Raft's begins with one line from each end, the caller's first:
//
//	forks ID ID …\n
//
// Both ends come to the same answer (fork.Check), and both close a stream that
// may not be.
const (
	historyWord = "forks"
	historySize = 64 << 10 // longest line; an id has 36 bytes
)

// errChanged is returned when the history changed while it was exchanged.
var errChanged = errors.New("this node's log was replaced meanwhile")

// A raftConn is a stream of Raft's.
type raftConn struct {
	net.Conn
	streams  *raftStreams
	accepted bool
	node     string   // at the other end
	mine     []string // history that it began with

	once sync.Once
	err  error // why it carries nothing
}

// Read implements net.Conn.
func (c *raftConn) Read(b []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Close implements net.Conn.
func (c *raftConn) Close() error {
	c.streams.leave(c)
	return c.Conn.Close()
}

// begin exchanges the histories, once.
func (c *raftConn) begin() error {
	c.once.Do(func() { c.err = c.exchange() })
	return c.err
}

func (c *raftConn) exchange() error {
	if err := c.SetDeadline(time.Now().Add(raftTimeout)); err != nil {
		return err
	}
	c.mine = c.streams.History()
	check := fork.Check
	if c.accepted {
		if err := c.identify(); err != nil {
			return err
		}
		check = func(mine, theirs []string) error { return fork.Check(theirs, mine) }
	}
	theirs, err := c.swap()
	if err != nil {
		return fmt.Errorf("exchange histories with node %s: %w", c.node, err)
	}
	refused := check(c.mine, theirs)
	c.streams.tell(c.node, refused)
	if refused != nil {
		return refused
	}
	if err := c.streams.enter(c); err != nil {
		return err
	}
	return c.SetDeadline(time.Time{})
}

// identify finds out who called.
func (c *raftConn) identify() error {
	t, ok := c.Conn.(*tls.Conn)
	if !ok {
		return errNotTLS
	}
	p, err := c.streams.transport.Identity.Verify(t.ConnectionState())
	c.node = p.Node
	return err
}

// swap sends this end's history and returns the other's; the caller goes first.
func (c *raftConn) swap() (theirs []string, err error) {
	line := strings.Join(append([]string{historyWord}, c.mine...), " ") + "\n"
	if c.accepted {
		if theirs, err = readHistory(c.Conn); err != nil {
			return nil, err
		}
	}
	if _, err := io.WriteString(c.Conn, line); err != nil {
		return nil, err
	}
	if !c.accepted {
		return readHistory(c.Conn)
	}
	return theirs, nil
}

// readHistory reads one line and not a byte more.
func readHistory(from io.Reader) ([]string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < historySize; {
		if _, err := io.ReadFull(from, b); err != nil {
			return nil, err
		}
		if b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		words := strings.Split(string(line), " ")
		if words[0] != historyWord {
			return nil, fmt.Errorf("it begins with %.40q, not with its history", line)
		}
		return words[1:], nil
	}
	return nil, fmt.Errorf("its history is longer than %d bytes", historySize)
}
