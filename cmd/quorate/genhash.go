package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/grammar"
	"quorate/resources/check"
)

// genhashFlags are those of keepalived's genhash.
type genhashFlags struct {
	address, path, host string
	port                uint16
	tls, sni, verbose   bool
	timeout             uint
}

func newGenhashCommand(a *app) *cobra.Command {
	var f genhashFlags
	c := &cobra.Command{
		Use:   "genhash -s ADDRESS [-p PORT] [-u PATH]",
		Short: "Print the MD5 digest of a page, as a check wants it",
		Long: "Print the MD5 digest of a page, as \"check http digest=…\" and keepalived's \"digest\"\n" +
			"want it. The flags are those of keepalived's genhash.",
		Example: "genhash -s 10.0.0.31 -p 80 -u /index.html\ngenhash -S -s 10.0.0.31 -u / -V www.example.com",
		Args:    words(0, 0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.genhash(c.Context(), f) },
	}
	c.Flags().StringVarP(&f.address, "address", "s", "", "`ADDRESS` to connect to")
	c.Flags().Uint16VarP(&f.port, "port", "p", 0, "`PORT` to connect to (default 80, with TLS 443)")
	c.Flags().StringVarP(&f.path, "url", "u", "/", "`PATH` of the page")
	c.Flags().StringVarP(&f.host, "use-virtualhost", "V", "", "virtual `HOST` to ask for")
	c.Flags().BoolVarP(&f.tls, "use-ssl", "S", false, "connect with TLS")
	c.Flags().BoolVarP(&f.sni, "use-sni", "I", false, "name the virtual host in the TLS handshake, which is always done")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print the answer's header, too")
	c.Flags().UintVarP(&f.timeout, "timeout", "t", 5, "give up after `SECONDS`")
	return c
}

func (a *app) genhash(ctx context.Context, f genhashFlags) error {
	address := cmp.Or(f.address, a.server) // --server means this here, as in genhash
	if address == "" {
		return grammar.Errorf("no server is named").With("write -s ADDRESS")
	}
	at, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return grammar.Errorf("-s: %q is not an IPv4 or IPv6 address", address)
	}
	if f.port == 0 {
		f.port = 80
		if f.tls {
			f.port = 443
		}
	}
	words := []string{"http", "path=" + f.path}
	if f.host != "" {
		words = append(words, "host="+f.host)
	}
	page, err := check.ParseWords(words)
	if err != nil {
		return grammar.Errorf("%v", err)
	}
	page.TLS = f.tls
	var header io.Writer
	if f.verbose && a.output == "table" {
		header = a.out
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(f.timeout)*time.Second)
	defer cancel()
	digest, status, err := check.Digest(ctx, page, netip.AddrPortFrom(at, f.port), header)
	if err != nil {
		return fmt.Errorf("%s: %w", netip.AddrPortFrom(at, f.port), err)
	}
	if a.output == "json" || a.output == "yaml" {
		return document.Value(a.out, a.output, struct {
			Digest string `json:"digest"`
			Status int    `json:"status"`
		}{digest, status})
	}
	if header != nil {
		fmt.Fprintln(a.out)
	}
	_, err = fmt.Fprintln(a.out, digest)
	return err
}
