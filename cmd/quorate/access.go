package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newHostCommand(a *app) *cobra.Command {
	return hidden(noun("host", "As \"cluster auth\", in newer pcs", "host auth lvsm lvss", nil, newAuthCommand(a)))
}

func newAuthCommand(a *app) *cobra.Command {
	var user, password string
	var stdin, force bool
	c := &cobra.Command{
		Use:   "auth [NODE [addr=ADDRESS]]...",
		Short: "Make this node and others trust each other, by a password",
		Long: "Make this node and others trust each other's keys, by the password that was set\n" +
			"on them with \"cluster password\". Without names: the nodes of this cluster.\n" +
			"The password is not sent; who listens or stands between learns nothing of it.",
		Example:           "cluster auth lvsm lvss web1 -u hacluster\ncluster auth lvsm addr=10.0.0.1 lvss addr=10.0.0.2 -u hacluster -p secret",
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			hosts, err := a.authHosts(c.Context(), words)
			if err != nil {
				return err
			}
			if !c.Flags().Changed("password") {
				if password, err = a.readPassword("Password of "+user, stdin, false); err != nil {
					return err
				}
			}
			return a.auth(c.Context(), &pb.AuthRequest{Hosts: hosts, User: user, Password: password})
		},
	}
	f := c.Flags()
	f.StringVarP(&user, "user", "u", "hacluster", "`NAME`")
	f.StringVarP(&password, "password", "p", "", "`PASSWORD`; asked for when left out, which keeps it off the list of processes")
	f.BoolVar(&stdin, "stdin", false, "read the password from standard input")
	f.BoolVar(&force, "force", false, "accepted from pcs; keys are always exchanged anew")
	_ = f.MarkHidden("force")
	return c
}

// authHosts reads the named hosts, or takes those of this node's cluster.
func (a *app) authHosts(ctx context.Context, words []string) ([]*pb.HostSpec, error) {
	if len(words) > 0 {
		return grammar.Hosts(words)
	}
	resp, err := a.get(ctx)
	if err != nil {
		return nil, err
	}
	var hosts []*pb.HostSpec
	for _, n := range resp.GetState().GetNodes() {
		hosts = append(hosts, &pb.HostSpec{Name: n.GetName(), Addresses: n.GetAddresses()})
	}
	if len(hosts) == 0 {
		return nil, grammar.Errorf("no node is named, and this one is in no cluster").With("write cluster auth NODE NODE …")
	}
	return hosts, nil
}

// auth tells of every host, also of those that were refused: their error
// carries the whole answer.
func (a *app) auth(ctx context.Context, r *pb.AuthRequest) error {
	var resp *pb.AuthResponse
	err := a.ask(ctx, proofTimeout, func(ctx context.Context, c *client) (err error) {
		resp, err = c.ClusterClient.Auth(ctx, r)
		return err
	})
	if err != nil {
		if resp = authResponse(err); resp == nil {
			return err
		}
		err = saidError{err}
	}
	return errors.Join(err, a.print(resp, func(w io.Writer) error {
		for _, h := range resp.GetHosts() {
			if h.GetError() != "" {
				fmt.Fprintf(a.err, "%s: host %s: %s\n", a.name, h.GetName(), strings.TrimPrefix(h.GetError(), "host "+h.GetName()+": "))
				continue
			}
			fmt.Fprintf(w, "%s: authorized\n", h.GetName())
		}
		return nil
	}))
}

// authResponse returns the answer that came with a refusal.
func authResponse(err error) *pb.AuthResponse {
	s, ok := statusOf(err)
	if !ok {
		return nil
	}
	for _, d := range s.Details() {
		if resp, ok := d.(*pb.AuthResponse); ok {
			return resp
		}
	}
	return nil
}

func newPasswordCommand(a *app) *cobra.Command {
	var stdin bool
	c := &cobra.Command{
		Use:     "password",
		Short:   "Set the password that \"cluster auth\" asks of this node",
		Example: "cluster password\ncluster password --stdin < FILE",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			password, err := a.readPassword("New password", stdin, true)
			if err != nil {
				return err
			}
			return a.ask(c.Context(), changeTimeout, func(ctx context.Context, cl *client) error {
				_, err := cl.SetPassword(ctx, &pb.SetPasswordRequest{Password: password})
				return err
			})
		},
	}
	c.Flags().BoolVar(&stdin, "stdin", false, "read it from standard input")
	return c
}

// readPassword asks on the terminal without echo, twice for a new one, or reads
// one line of standard input.
func (a *app) readPassword(prompt string, stdin, twice bool) (string, error) {
	if stdin {
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	if !isTerminal(a.in) {
		return "", grammar.Errorf("there is no terminal to ask for the password").With("use --stdin")
	}
	first, err := a.askSecret(prompt + ": ")
	if err != nil || !twice {
		return first, err
	}
	second, err := a.askSecret("Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", grammar.Errorf("the two passwords differ")
	}
	return first, nil
}

func (a *app) askSecret(prompt string) (string, error) {
	fmt.Fprint(a.err, prompt)
	secret, err := term.ReadPassword(int(a.in.(*os.File).Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(secret), nil
}

func newJoinCommand(a *app) *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:     "join TOKEN [addr=ADDRESS]...",
		Short:   "Make this node join a cluster, with a token of \"cluster token\"",
		Example: "cluster join TOKEN\ncluster join TOKEN addr=10.0.0.4 --name web2\ncluster join - < FILE",
		Args:    words(1, -1),
		RunE: func(c *cobra.Command, words []string) error {
			r := &pb.JoinRequest{Token: words[0], Name: name}
			for _, word := range words[1:] {
				p, err := grammar.SplitPair("address", word)
				if err != nil || p.Name != "addr" {
					return grammar.Errorf("%q is not known here", word).With("write addr=ADDRESS")
				}
				r.Addresses = append(r.Addresses, p.Value)
			}
			if r.GetToken() == "-" {
				line, err := bufio.NewReader(a.in).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("read the token: %w", err)
				}
				r.Token = strings.TrimSpace(line)
			}
			return a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.ClusterClient.Join(ctx, r)
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "`NAME` of this node; else its host name")
	return a.waits(c)
}

func newCertificateCommand(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "certificate USER",
		Short: "Make a certificate for asking this cluster from elsewhere",
		Long: "Make a certificate for asking this cluster from another machine: writes USER.crt,\n" +
			"USER.key and ca.crt, and prints how they are used. Whoever has the key has all rights.",
		Example: "cluster certificate anna\ncluster certificate monitoring --dir /etc/quorate-client",
		Args:    words(1, 1),
		RunE: func(c *cobra.Command, words []string) error {
			var resp *pb.CreateCertificateResponse
			err := a.ask(c.Context(), changeTimeout, func(ctx context.Context, cl *client) (err error) {
				resp, err = cl.CreateCertificate(ctx, &pb.CreateCertificateRequest{User: words[0]})
				return err
			})
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error { return a.writeCertificate(w, dir, words[0], resp) })
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "`DIRECTORY` to write to")
	return c
}

// writeCertificate writes the three files, none over another, and says how they are used.
func (a *app) writeCertificate(w io.Writer, dir, user string, r *pb.CreateCertificateResponse) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	base := filepath.Join(dir, filepath.Base(user))
	files := []struct {
		path    string
		content []byte
		mode    os.FileMode
	}{
		{base + ".key", r.GetKeyPem(), 0o600},
		{base + ".crt", r.GetCertificatePem(), 0o644},
	}
	for _, f := range files {
		if err := writeNew(f.path, f.content, f.mode); err != nil {
			return err
		}
	}
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, r.GetCaPem(), 0o644); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "export QUORATE_CA=%s QUORATE_CERT=%s.crt QUORATE_KEY=%s.key QUORATE_SERVER=HOST\n", ca, base, base)
	return err
}

func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
