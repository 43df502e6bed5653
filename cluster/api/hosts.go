package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"quorate/cluster/state"
	"quorate/cluster/transport"
	pb "quorate/proto/quorate/v1"
)

// DefaultPort is where agents listen, TCP and UDP, unless told otherwise.
const DefaultPort = 7480

// maxLinks is how many addresses a node may have.
const maxLinks = 4

// unreachable says which check of reaching a host failed: resolve, connect, tls
// or answer.
func unreachable(host, check string, err error) error {
	fix := map[string]string{
		"resolve": "give its address: " + host + " addr=ADDRESS",
		"connect": "is the agent running there, and does a firewall let TCP and UDP through on that port?",
	}[check]
	return fail(codes.Unavailable, ReasonUnreachable, fmt.Sprintf("host %s: %s: %s", host, check, sentence(err.Error(), fix)),
		keyField, "host "+host, keyHost, host, keyCheck, check, keyFix, fix)
}

// resolve returns where a host is reached, as host:port with numbers, the
// preferred one first.
func (s *Server) resolve(ctx context.Context, h *pb.HostSpec) ([]string, error) {
	if h.Name == "" {
		return nil, invalid("host", "a name is missing", "")
	}
	given := h.Addresses
	if len(given) == 0 {
		given = []string{h.Name}
	}
	if len(given) > maxLinks {
		return nil, invalid("host "+h.Name+" addr", fmt.Sprintf("%d addresses are given", len(given)), fmt.Sprintf("give at most %d, one a link", maxLinks))
	}
	var list []string
	for _, text := range given {
		host, port, err := splitAddress(text)
		if err != nil {
			return nil, invalid("host "+h.Name+" addr", err.Error(), "write ADDRESS or ADDRESS:PORT")
		}
		ip, err := s.lookup(ctx, host)
		if err != nil {
			return nil, unreachable(h.Name, "resolve", err)
		}
		address := net.JoinHostPort(ip.String(), port)
		if slices.Contains(list, address) {
			return nil, invalid("host "+h.Name+" addr", fmt.Sprintf("%q is %s, which is given twice", text, address), "give each link an address of its own")
		}
		list = append(list, address)
	}
	return list, nil
}

// readdress makes the new addresses of a node host:port with numbers, and finds
// out whether that node answers at those that it did not have.
func (d *draft) readdress(ctx context.Context, u *pb.UpdateNode) error {
	n := state.NodeByName(d.state, u.Name)
	if n == nil {
		return nil // the state says so, and which name may be meant
	}
	var err error
	if u.Addresses, err = d.resolve(ctx, &pb.HostSpec{Name: u.Name, Addresses: u.Addresses}); err != nil {
		return err
	}
	for _, a := range u.Addresses {
		if slices.Contains(n.Addresses, a) {
			continue
		}
		if err := d.knock(ctx, u.Name, a, d.verifyMember(n.Id)); err != nil {
			return err
		}
	}
	return nil
}

// knock finds out whether a machine that verify accepts answers at an address.
func (s *Server) knock(ctx context.Context, host, address string, verify func(tls.ConnectionState) error) error {
	conn, err := s.dialer.DialHost(ctx, address, transport.ALPNJoin, verify)
	if err != nil {
		return unreachable(host, checkOf(err), err)
	}
	return conn.Close()
}

// verifyMember accepts one member.
func (s *Server) verifyMember(id string) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		p, err := s.identity.PeerID(cs)
		if err == nil && p.Node != id {
			err = errOtherMachine
		}
		return err
	}
}

// splitAddress takes an address with or without a port.
func splitAddress(text string) (host, port string, err error) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return ip.String(), strconv.Itoa(DefaultPort), nil
	}
	if !strings.Contains(text, ":") {
		return text, strconv.Itoa(DefaultPort), nil
	}
	host, port, err = net.SplitHostPort(text)
	if err != nil {
		return "", "", fmt.Errorf("%q is not an address", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q has no port between 1 and 65535", text)
	}
	return host, port, nil
}

// lookup finds the address of a name: the first of IPv4, else the first.
func (s *Server) lookup(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, nil
	}
	found, err := s.resolver.LookupHost(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	var list []netip.Addr
	for _, text := range found {
		if ip, err := netip.ParseAddr(text); err == nil {
			list = append(list, ip.Unmap())
		}
	}
	if len(list) == 0 {
		return netip.Addr{}, errors.New("the name has no address")
	}
	return slices.MinFunc(list, func(a, b netip.Addr) int { return cmp.Compare(rank(a), rank(b)) }), nil
}

// rank puts first what other machines can use: Debian's installer names the
// machine itself 127.0.1.1.
func rank(ip netip.Addr) int {
	switch {
	case ip.IsLoopback():
		return 2
	case ip.Is4():
		return 0
	default:
		return 1
	}
}

// A line is an open connection to a host's Join service.
type line struct {
	pb.JoinClient
	conn  *grpc.ClientConn
	state tls.ConnectionState
	local netip.Addr // of this end
}

func (l *line) close() { _ = l.conn.Close() }

// dial opens a line to the first of the host's addresses that answers. The
// caller closes it.
func (s *Server) dial(ctx context.Context, host string, addresses []string, verify func(tls.ConnectionState) error) (*line, error) {
	var failed []error
	for _, address := range addresses {
		conn, err := s.dialer.DialHost(ctx, address, transport.ALPNJoin, verify)
		if err == nil {
			return s.newLine(conn)
		}
		failed = append(failed, err)
	}
	err := errors.Join(failed...)
	if errors.Is(err, errNotTrusted) {
		return nil, notAuthenticated(host)
	}
	return nil, unreachable(host, checkOf(err), err)
}

// newLine speaks gRPC over one connection, and only over it: another one would
// be another channel, which nobody has proved.
func (s *Server) newLine(conn net.Conn) (*line, error) {
	l := &line{}
	if t, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		l.state = t.ConnectionState()
	}
	if at, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
		l.local = at.Addr().Unmap()
	}
	only := make(chan net.Conn, 1)
	only <- conn
	var err error
	l.conn, err = grpc.NewClient("passthrough:///host",
		grpc.WithTransportCredentials(s.dialer.ServerCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-only:
				return c, nil
			default:
				return nil, errors.New("the connection was lost; begin again")
			}
		}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("use the connection: %w", err), conn.Close())
	}
	l.JoinClient = pb.NewJoinClient(l.conn)
	return l, nil
}

// checkOf tells a machine that is not reached from one that is not what it should be.
func checkOf(err error) string {
	if _, refused := errors.AsType[syscall.Errno](err); refused || errors.Is(err, context.DeadlineExceeded) {
		return "connect"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "connect"
	}
	return "tls"
}
