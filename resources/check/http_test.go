package check

import (
	"crypto/md5"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

const pageText = "<html>Test Page</html>\n"

// site answers by path and host.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, pageText)
	})
	mux.HandleFunc("/host", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "host="+r.Host+";") })
	mux.HandleFunc("/method", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", r.Method); w.WriteHeader(204) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusMovedPermanently) })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, pageText) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { // in chunks
		for i := range 5000 {
			fmt.Fprintf(w, "line %d of a long page\n", i)
			if i%1000 == 0 {
				w.(http.Flusher).Flush()
			}
		}
	})
	return mux
}

func addressOf(s *httptest.Server) netip.AddrPort {
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func longPage() string {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "line %d of a long page\n", i)
	}
	return b.String()
}

var pageTests = []struct{ words, want string }{
	{"", "ok status 200"},
	{"path=/missing", "it answered with status 404"},
	{"path=/missing status=200-299,400-499", "ok status 404"},
	{"path=/broken", "it answered with status 503"},
	{"path=/broken status=503 receive=Test", "ok status 503"},
	{"path=/moved", "it answered with status 301"},
	{"path=/moved status=301", "ok status 301"},
	{"path=/method method=HEAD", "ok status 204"},
	{"path=/method method=OPTIONS", "ok status 204"},
	{"method=HEAD", "ok status 200"},
	{`receive="Test Page"`, "ok status 200"},
	{`receive=T[a-z]+.P`, "ok status 200"},
	{`receive="Other Page"`, `the page does not match "Other Page"`},
	{`absent="Test Page"`, `the page matches "Test Page"`},
	{`absent=Fault receive=Test`, "ok status 200"},
	{"path=/host host=www.example.com receive=host=www.example.com;", "ok status 200"},
	{"path=/host receive=host=127.0.0.1:[0-9]+;", "ok status 200"},
	{"digest=" + md5Of(pageText), "ok status 200, the digest is right"},
	{"digest=" + strings.ToUpper(md5Of(pageText)), "ok status 200, the digest is right"},
	{"receive=Test digest=" + md5Of(pageText), "ok status 200, the digest is right"},
	{"digest=" + md5Of("other"), "the page's digest is " + md5Of(pageText)},
	{"path=/long digest=" + md5Of(longPage()), "ok status 200, the digest is right"},
	{`path=/long receive="line 4999 of"`, "ok status 200"},
}

func TestAPageIsJudged(t *testing.T) {
	plain := httptest.NewServer(site())
	defer plain.Close()
	secure := httptest.NewTLSServer(site())
	defer secure.Close()
	for _, tt := range pageTests {
		t.Run(tt.words, func(t *testing.T) {
			text, err := ask(t, "http "+tt.words, addressOf(plain))
			wants(t, text, err, tt.want)
			text, err = ask(t, "https "+tt.words, addressOf(secure))
			wants(t, text, err, tt.want)
		})
	}
}

func TestACertificateIsVerifiedOnlyIfThatIsAskedFor(t *testing.T) {
	s := httptest.NewTLSServer(site())
	defer s.Close()
	text, err := ask(t, "https", addressOf(s))
	wants(t, text, err, "ok status 200")
	if _, err := ask(t, "https verify=yes sni=example.com", addressOf(s)); err == nil {
		t.Error("a certificate of an unknown authority was taken")
	} else if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("got %v, want that the authority is unknown", err)
	}
}

func TestTheServersNameOfTheHandshake(t *testing.T) {
	tests := []struct{ words, want string }{
		{"", ""},
		{"host=www.example.com:8443", "www.example.com"},
		{"host=www.example.com sni=other.example.com", "other.example.com"},
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "sni="+r.TLS.ServerName+";") }))
	defer s.Close()
	for _, tt := range tests {
		text, err := ask(t, "https "+tt.words+" receive=sni="+tt.want+";", addressOf(s))
		wants(t, text, err, "ok status 200")
	}
}

func TestTheDigestIsThatOfTheCheck(t *testing.T) {
	s := httptest.NewServer(site())
	defer s.Close()
	for _, path := range []string{"/", "/long", "/missing"} {
		var header strings.Builder
		digest, status, err := Digest(t.Context(), Check{Kind: "http", Path: path}, addressOf(s), &header)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(header.String(), fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Errorf("%s: the header is %q, the status %d", path, header.String(), status)
		}
		text, err := ask(t, fmt.Sprintf("http path=%s status=%d digest=%s", path, status, digest), addressOf(s))
		wants(t, text, err, fmt.Sprintf("ok status %d, the digest is right", status))
	}
}

func TestWhatIsNoHTTPIsToldSo(t *testing.T) {
	text, err := ask(t, "http", scripted(t, "S: 220 mx.example.com"))
	wants(t, text, err, "malformed HTTP")
}
