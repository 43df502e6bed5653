package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAServerIsAskedByHand(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/index.html" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "Test Page\n")
	}))
	defer s.Close()
	address := s.Listener.Addr().String()
	host, port, _ := strings.Cut(address, ":")
	tests := []struct {
		line string
		exit int
		want string // in what is printed
	}{
		{"check " + address + " http path=/index.html receive=Test", 0, "up: status 200 ("},
		{"check " + address + " http", 1, "down: it answered with status 404 ("},
		{"check " + address + " http -o json", 1, `"state": "down"`},
		{"check " + address + " tcp", 0, "up: it is connected ("},
		{"check " + address + " gopher", 2, `"gopher" is no kind of check`},
		{"check " + host + " tcp", 2, "it has no port to ask"},
		{"check web1:80 http", 2, "give the address of web1"},
		{"check http " + address, 2, "write the server before the kind of check"},
		{"check " + address, 2, "needs more words"},
		{"genhash -s " + host + " -p " + port + " -u /index.html", 0, "d5d2ff66a8f30775df81b68c7ab2f9a4\n"},
		{"genhash --server " + host + " -p " + port + " -u /index.html -o json", 0, `"digest": "d5d2ff66a8f30775df81b68c7ab2f9a4"`},
		{"genhash -v -s " + host + " -p " + port + " -u /index.html", 0, "HTTP/1.1 200 OK\r\n"},
		{"genhash -p " + port, 2, "no server is named; write -s ADDRESS"},
		{"genhash -s web1", 2, "is not an IPv4 or IPv6 address"},
		{"genhash -s 127.0.0.1 -u index.html", 2, "begin it with a slash"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			out, errOut, exit := newWorld(t).run("quorate", strings.Fields(tt.line)...)
			if exit != tt.exit || !strings.Contains(out+errOut, tt.want) {
				t.Errorf("got exit %d, %q, %q; want exit %d and %q", exit, out, errOut, tt.exit, tt.want)
			}
		})
	}
}
