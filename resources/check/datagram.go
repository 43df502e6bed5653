package check

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
)

// simpleProbe sends a text and reads until the answer matches, or the server
// ends it.
func simpleProbe(c Check) (probe, error) {
	if c.Receive == "" {
		return nil, errors.New("receive= is missing: the pattern that the answer is to match")
	}
	receive, err := pattern(c.Receive)
	if err != nil {
		return nil, err
	}
	request := unescape(c.Request)
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		conn, err := c.dial(ctx, "tcp", at)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		defer during(ctx, conn)()
		if _, err := io.WriteString(conn, request); err != nil {
			return "", err
		}
		return readUntil(conn, receive)
	}, nil
}

// readUntil reads until what came matches.
func readUntil(r io.Reader, want *regexp.Regexp) (string, error) {
	var got []byte
	buffer := make([]byte, 4<<10)
	for len(got) < longest {
		n, err := r.Read(buffer)
		got = append(got, buffer[:n]...)
		if want.Match(got) {
			return "the answer matches", nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && len(got) == 0 {
			return "", err
		}
		if err != nil {
			break
		}
	}
	return "", fmt.Errorf("it answered %q", clip(string(got)))
}

// unescape puts in what cannot be written in a word: \r, \n, \t, \xHH for any
// byte, and \\ for a backslash. What is none of these stays as it is.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case '\\':
			b.WriteByte('\\')
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'x':
			n, err := strconv.ParseUint(text[i+1:min(i+3, len(text))], 16, 8)
			if err != nil {
				b.WriteString(`\x`)
				continue
			}
			b.WriteByte(byte(n))
			i = min(i+2, len(text)-1)
		default:
			b.WriteString(text[i-1 : i+1])
		}
	}
	return b.String()
}

// udpProbe sends a datagram. Without an answer that was asked for, the host's
// ICMP refusal is all that tells a server that is down.
func udpProbe(c Check) (probe, error) {
	receive, err := pattern(c.Receive)
	if err != nil {
		return nil, err
	}
	request := unescape(c.Request)
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		conn, err := c.dial(ctx, "udp", at)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		defer during(ctx, conn)()
		if _, err := io.WriteString(conn, request); err != nil {
			return "", err
		}
		answer := make([]byte, 64<<10)
		n, err := conn.Read(answer)
		switch {
		case err != nil && receive == nil && errors.Is(plain(err), errTimeout):
			return "it was not refused", nil
		case err != nil:
			return "", err
		case receive != nil && !receive.Match(answer[:n]):
			return "", fmt.Errorf("it answered %q", clip(string(answer[:n])))
		}
		return "it answered", nil
	}, nil
}

// sipProbe asks for the server's abilities (RFC 3261, section 11).
func sipProbe(c Check) (probe, error) {
	c.TLS = false
	user := c.Login
	if user == "" {
		user = "quorate@localhost"
	}
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		conn, err := c.dial(ctx, "udp", at)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		defer during(ctx, conn)()
		id := fmt.Sprintf("%016x", rand.Uint64())
		if _, err := io.WriteString(conn, sipOptions(at, conn.LocalAddr(), user, id)); err != nil {
			return "", err
		}
		return sipAnswer(conn, id)
	}, nil
}

func sipOptions(at netip.AddrPort, local net.Addr, user, id string) string {
	return strings.Join([]string{
		fmt.Sprintf("OPTIONS sip:%s SIP/2.0", at),
		// z9hG4bK marks branches of RFC 3261 (section 8.1.1.7).
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport", local, id),
		"Max-Forwards: 70",
		fmt.Sprintf("From: <sip:%s>;tag=%s", user, id),
		fmt.Sprintf("To: <sip:%s>", at),
		"Call-ID: " + id,
		"CSeq: 1 OPTIONS",
		fmt.Sprintf("Contact: <sip:%s>", local),
		"Accept: application/sdp",
		"Content-Length: 0",
		"", "",
	}, "\r\n")
}

// sipAnswer waits for the final answer to the question with that id.
func sipAnswer(r io.Reader, id string) (string, error) {
	packet := make([]byte, 64<<10)
	for {
		n, err := r.Read(packet)
		if err != nil {
			return "", err
		}
		text := textproto.NewReader(bufio.NewReader(bytes.NewReader(packet[:n])))
		first, err := text.ReadLine()
		if err != nil {
			continue
		}
		header, _ := text.ReadMIMEHeader() // what could be read of it is there
		status, ok := strings.CutPrefix(first, "SIP/2.0 ")
		call := header.Get("Call-ID")
		if call == "" {
			call = header.Get("I") // its short form (section 7.3.3)
		}
		switch {
		case !ok || call != id || strings.HasPrefix(status, "1"):
		case strings.HasPrefix(status, "200"):
			return status, nil
		default:
			return "", fmt.Errorf("it answered %s", clip(status))
		}
	}
}
