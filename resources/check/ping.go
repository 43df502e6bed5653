package check

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// pingProbe asks over a raw socket that is connected to the one address, so that
// the kernel leaves the answers to other checks away.
func pingProbe(Check) (probe, error) {
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		p, err := openPing(at.Addr())
		if err != nil {
			return "", err
		}
		defer p.conn.Close() //nolint:errcheck // the answer is known by then
		if deadline, ok := ctx.Deadline(); ok {
			_ = p.conn.SetDeadline(deadline)
		}
		defer during(ctx, p.conn)()
		return p.ask()
	}, nil
}

// A ping is one question to one address.
type ping struct {
	conn     *net.IPConn
	protocol int // number of ICMP (RFC 792) or ICMPv6 (RFC 4443)
	request  icmp.Type
	answer   icmp.Type
}

func openPing(to netip.Addr) (*ping, error) {
	p := &ping{protocol: 1, request: ipv4.ICMPTypeEcho, answer: ipv4.ICMPTypeEchoReply}
	raw := "ip4:icmp"
	if to.Is6() {
		p = &ping{protocol: 58, request: ipv6.ICMPTypeEchoRequest, answer: ipv6.ICMPTypeEchoReply}
		raw = "ip6:ipv6-icmp"
	}
	var err error
	p.conn, err = net.DialIP(raw, nil, &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()})
	if errors.Is(err, os.ErrPermission) {
		err = errors.New("the agent may not ping: it takes CAP_NET_RAW")
	}
	return p, err
}

// ask waits for the answer to its own question: its data tell, since the id has
// 16 bits only.
func (p *ping) ask() (string, error) {
	nonce := rand.Uint64()
	data := binary.BigEndian.AppendUint64(nil, nonce)
	m := icmp.Message{Type: p.request, Body: &icmp.Echo{ID: int(nonce & 0xffff), Seq: 1, Data: data}}
	packet, err := m.Marshal(nil) // ICMPv6's checksum is the kernel's (RFC 3542, section 3.1)
	if err != nil {
		return "", err
	}
	if _, err := p.conn.Write(packet); err != nil {
		return "", err
	}
	buffer := make([]byte, 1500)
	for {
		n, _, err := p.conn.ReadFromIP(buffer) // Read would keep the header of IPv4
		if err != nil {
			return "", err
		}
		m, err := icmp.ParseMessage(p.protocol, buffer[:n])
		if err != nil || m.Type != p.answer {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && string(echo.Data) == string(data) {
			return "it answered", nil
		}
	}
}
