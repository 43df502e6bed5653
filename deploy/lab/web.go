package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A webServer is a small one: `web ADDRESS` answers everything with its host's name,
// but for
//
//	/alive.html            "I am alive", the same on every host
//	/slow?seconds=N        a line every 200 ms for so long
//	/served                how many pages it has answered, but for these
type webServer struct {
	name   string
	served atomic.Int64
}

func runWeb(args []string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	// An emulated machine may stand still for seconds.
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: (&webServer{name: name}).pages()}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	// For clients that do not do as withRequest has it, a connection is made by its first request.
	listening := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return set(c, unix.TCP_DEFER_ACCEPT, 1)
	}}
	listener, err := listening.Listen(ctx, "tcp", args[0])
	if err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *webServer) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.served.Add(1)
		fmt.Fprintf(w, "hello from %s\n", s.name)
	})
	mux.HandleFunc("/alive.html", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "I am alive") })
	mux.HandleFunc("/served", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, s.served.Load()) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		trickle(w, r)
	})
	return mux
}

// trickle writes a line every 200 ms until the time that was asked for is over.
func trickle(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.URL.Query().Get("seconds"))
	out := http.NewResponseController(w)
	tick := time.NewTicker(trickleEvery)
	defer tick.Stop()
	for range seconds * int(time.Second/trickleEvery) {
		if _, err := fmt.Fprintln(w, "still here"); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprintln(w, "done")
}

const trickleEvery = 200 * time.Millisecond

const webService = "WebService"

// CreateHAProxy gives the cluster an HAProxy that goes with the address, in
// front of the lab's web servers.
func (c *Cluster) CreateHAProxy(ctx context.Context) error {
	file := filepath.Join(c.Lab.Shared(), "haproxy.cfg")
	var servers strings.Builder
	for _, name := range []string{"www1", "www2"} {
		h, _ := c.Lab.Spec.Host(name)
		fmt.Fprintf(&servers, "    server %s %s:80 check inter 1s\n", name, h.Address())
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, haproxyConf, VIP, servers.String()), 0o644); err != nil {
		return err
	}
	for _, line := range []string{
		"pcs resource create " + webService + " ocf:heartbeat:haproxy conffile=" + file + " op monitor interval=20 timeout=10",
		"pcs constraint colocation add " + webService + " with " + vipResource + " INFINITY",
	} {
		if _, err := c.Type(ctx, c.Lab.Spec.Nodes()[0], line); err != nil {
			return err
		}
	}
	return nil
}

const haproxyConf = `global
    maxconn 2000
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend web
    bind %s:80
    default_backend servers
backend servers
    balance roundrobin
    option httpchk GET /
%s`
