package reach

import (
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"
)

// sockets are those of a running Pinger, by address family, opened when a target
// needs one and again after a failure.
type sockets struct {
	pinger *Pinger
	group  *errgroup.Group

	mu   sync.Mutex
	open map[bool]Socket // by whether it is for IPv6
	err  map[bool]string // of the newest failure to open one, so that it is logged once
}

func (s *sockets) ask(to netip.Addr, data []byte) error {
	socket, err := s.get(!to.Is4())
	if err != nil {
		return err
	}
	return socket.Ask(to, data)
}

// get returns the family's socket. Only the loop of Run calls it.
func (s *sockets) get(v6 bool) (Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if socket := s.open[v6]; socket != nil {
		return socket, nil
	}
	socket, err := s.pinger.Open(v6)
	s.note(v6, err)
	if err != nil {
		return nil, err
	}
	s.open[v6] = socket
	s.group.Go(func() error {
		s.read(v6, socket)
		return nil
	})
	return socket, nil
}

// note logs that sockets cannot be opened, once for each reason. s.mu is held.
func (s *sockets) note(v6 bool, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != s.err[v6] {
		s.pinger.Log.Error("ping targets cannot be asked", "err", err)
	}
	if s.err == nil {
		s.err = make(map[bool]string)
	}
	s.err[v6] = text
}

// read takes answers in until the socket is closed or fails.
func (s *sockets) read(v6 bool, socket Socket) {
	for {
		from, data, err := socket.Answer()
		if err != nil {
			s.drop(v6, socket)
			return
		}
		s.pinger.answer(from, data)
	}
}

// drop closes a socket that failed; the next question opens another.
func (s *sockets) drop(v6 bool, socket Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[v6] == socket {
		delete(s.open, v6)
		_ = socket.Close()
	}
}

// close closes all sockets, which ends their readers.
func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v6, socket := range s.open {
		delete(s.open, v6)
		_ = socket.Close()
	}
}
