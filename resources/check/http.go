package check

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
)

// searched is how much of an answer a pattern is looked for in.
const searched = 1 << 20

// A page asks for one page.
type page struct {
	check   Check
	head    *http.Request // of which only the method counts
	status  codes
	digest  string
	receive *regexp.Regexp
	absent  *regexp.Regexp
}

// httpProbe asks over a new connection each time: one that is kept would only
// prove that the process which had accepted it still runs.
func httpProbe(c Check) (probe, error) {
	p := &page{check: c, digest: strings.ToLower(c.Digest), head: &http.Request{Method: "GET"}}
	if c.Method != "" {
		p.head.Method = c.Method
	}
	status := c.Status
	if status == "" {
		status = defaultStatus
	}
	var err error
	if p.status, err = parseStatus(status); err != nil {
		return nil, err
	}
	if p.receive, err = pattern(c.Receive); err != nil {
		return nil, err
	}
	if p.absent, err = pattern(c.Absent); err != nil {
		return nil, err
	}
	if p.head.Method == "HEAD" && (c.Digest != "" || c.Receive != "" || c.Absent != "") {
		return nil, errors.New("method=HEAD brings no page: leave out digest=, receive= and absent=, or the method")
	}
	return p.probe, nil
}

func httpsProbe(c Check) (probe, error) {
	c.TLS = true
	return httpProbe(c)
}

// pattern compiles a word that may not be set.
func pattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no pattern
	}
	return regexp.Compile(text)
}

// readers are those of the probes: thousands of checks a second would leave as
// many buffers to the garbage collector.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

func (p *page) probe(ctx context.Context, at netip.AddrPort) (text string, err error) {
	err = p.fetch(ctx, at, func(answer *http.Response) error {
		text, err = p.judge(answer)
		return err
	})
	return text, err
}

// fetch lets look read the answer while it comes.
func (p *page) fetch(ctx context.Context, at netip.AddrPort, look func(*http.Response) error) error {
	conn, err := p.check.dial(ctx, "tcp", at)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer during(ctx, conn)()
	if _, err := io.WriteString(conn, p.text(at)); err != nil {
		return err
	}
	r := readers.Get().(*bufio.Reader) // nothing else is put there
	r.Reset(conn)
	defer func() { r.Reset(nil); readers.Put(r) }()
	answer, err := http.ReadResponse(r, p.head)
	if err != nil {
		return err
	}
	return errors.Join(look(answer), answer.Body.Close())
}

// text is the request. HTTP/1.1 lets the server say how long the answer is, and
// the Connection header lets it end the connection, as the probe does.
func (p *page) text(at netip.AddrPort) string {
	path, host := p.check.Path, p.check.Host
	if path == "" {
		path = "/"
	}
	if host == "" {
		host = hostHeader(at, p.check.TLS)
	}
	return p.head.Method + " " + path + " HTTP/1.1\r\nHost: " + host +
		"\r\nUser-Agent: quorate\r\nAccept: */*\r\nConnection: close\r\n\r\n"
}

// hostHeader leaves the port of the scheme out (RFC 9110, section 4.2).
func hostHeader(at netip.AddrPort, secure bool) string {
	if !secure && at.Port() == 80 || secure && at.Port() == 443 {
		if at.Addr().Is6() {
			return "[" + at.Addr().String() + "]"
		}
		return at.Addr().String()
	}
	return net.JoinHostPort(at.Addr().String(), fmt.Sprint(at.Port()))
}

// judge says whether an answer is the wanted one.
func (p *page) judge(answer *http.Response) (string, error) {
	text := fmt.Sprintf("status %d", answer.StatusCode)
	if !p.status.contain(answer.StatusCode) {
		return "", fmt.Errorf("it answered with %s", text)
	}
	sum := md5.New()
	body := io.TeeReader(answer.Body, sum)
	if p.receive != nil || p.absent != nil {
		if err := p.match(body); err != nil {
			return "", err
		}
	}
	if p.digest == "" {
		return text, nil
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.digest {
		return "", fmt.Errorf("the page's digest is %s", got)
	}
	return text + ", the digest is right", nil
}

func (p *page) match(body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, searched))
	if err != nil {
		return err
	}
	if p.receive != nil && !p.receive.Match(text) {
		return fmt.Errorf("the page does not match %q", p.receive)
	}
	if p.absent != nil && p.absent.Match(text) {
		return fmt.Errorf("the page matches %q", p.absent)
	}
	return nil
}

// Digest fetches a page as a check of kind http or https does, and returns the MD5
// digest of its body, for the word digest=. Header, if not nil, gets the answer's.
// Any status will do.
func Digest(ctx context.Context, c Check, at netip.AddrPort, header io.Writer) (digest string, status int, err error) {
	c.TLS = c.TLS || c.Kind == "https"
	p := &page{check: c, head: &http.Request{Method: "GET"}}
	sum := md5.New()
	err = p.fetch(ctx, at, func(answer *http.Response) error {
		status = answer.StatusCode
		if header != nil {
			fmt.Fprintf(header, "%s %s\r\n", answer.Proto, answer.Status)
			if err := answer.Header.Write(header); err != nil {
				return err
			}
		}
		_, err := io.Copy(sum, answer.Body)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), status, plain(err)
}
