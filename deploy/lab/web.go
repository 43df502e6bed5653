package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// runWeb is a small web server: `web ADDRESS` answers everything with its host's name.
func runWeb(args []string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	server := &http.Server{
		Addr: args[0], ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "hello from %s\n", name)
		}),
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

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
