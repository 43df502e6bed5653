package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quorate/cmd/quorate/render"
)

// defaultPageInterval is crm_mon's.
const defaultPageInterval = 5 * time.Second

// keepPage writes the status as a page of HTML, anew after every interval, as the script
// ClusterMon wants it: here until it is ended, or by a process in the background.
func (a *app) keepPage(ctx context.Context, g *given) error {
	interval := defaultPageInterval
	if g.has("interval") {
		n, err := strconv.Atoi(strings.TrimSuffix(g.last("interval"), "s"))
		if err != nil || n < 1 {
			return scriptError{badUsage("the interval %q is no number of seconds", g.last("interval")).With("write -i 15"), exitUsage}
		}
		interval = time.Duration(n) * time.Second
	}
	if g.has("daemonize") {
		return a.inBackground(ctx, g, interval)
	}
	for {
		if err := a.writePage(ctx, g.last("as-html"), interval); err != nil {
			return err
		}
		if g.has("one-shot") {
			return nil
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return nil
		}
	}
}

// writePage writes it once; what cannot be asked stands on the page.
func (a *app) writePage(ctx context.Context, file string, interval time.Duration) error {
	var text strings.Builder
	resp, err := a.member(ctx)
	if err == nil {
		err = render.Status(&text, resp, a.now(), render.Options{Program: "quorate"})
	}
	if err != nil {
		fmt.Fprintf(&text, "%s\n", a.explain(err))
	}
	page := fmt.Sprintf("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"%d\"><title>Cluster status</title></head>\n"+
		"<body><pre>\n%s</pre><p>%s</p></body></html>\n", int(interval.Seconds()), html.EscapeString(text.String()), a.now().Format(time.DateTime))
	if err := os.WriteFile(file+".new", []byte(page), 0o644); err != nil { //nolint:gosec // a page for a web server
		return err
	}
	return os.Rename(file+".new", file)
}

// inBackground leaves a process that writes the page, whose number is in the file that was
// named. One that runs already is enough.
func (a *app) inBackground(ctx context.Context, g *given, interval time.Duration) error {
	file := g.last("pid-file")
	if pid, alive := runningPID(file); alive {
		return scriptError{fmt.Errorf("process %d writes it already (%s)", pid, file), exitFailed}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Args = []string{"crm_mon", "-h", g.last("as-html"), "-i", strconv.Itoa(int(interval.Seconds()))}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if file == "" {
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil { //nolint:gosec // others look whether it runs
		return errors.Join(err, cmd.Process.Kill())
	}
	return nil
}

// runningPID is the process that a file names, and whether there is one.
func runningPID(file string) (pid int, alive bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, err == nil && pid > 0 && unix.Kill(pid, 0) == nil
}
