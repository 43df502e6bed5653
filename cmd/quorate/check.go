package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/grammar"
	"quorate/resources/check"
)

func newCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check ADDRESS[:PORT] KIND [WORD=VALUE]...",
		Short: "Ask a server once, as the check of a real server would",
		Long: "Ask a server once, from this machine, as the check of a real server would. The exit\n" +
			"status is 0 if the server passes. The kinds are:\n\n" + kindsOfChecks(),
		Example: "check 10.0.0.31:80 http path=/alive status=200-299\n" +
			"check 10.0.0.31 ping\ncheck 10.0.0.31:3306 mysql login=reader password=secret",
		Args: words(2, -1),
		ValidArgsFunction: func(_ *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(got) == 1 {
				return check.Kinds(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, words []string) error { return a.check(c, words) },
	}
}

func kindsOfChecks() string {
	var b strings.Builder
	for _, kind := range check.Kinds() {
		fmt.Fprintf(&b, "  %-10s %s\n", kind, check.Summary(kind))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// A checkReport is what a check found, as programs read it.
type checkReport struct {
	State     string  `json:"state"`
	Reason    string  `json:"reason"`
	LatencyMS float64 `json:"latency_ms"`
}

func (a *app) check(c *cobra.Command, words []string) error {
	server, err := parseServer(words[0])
	if err != nil {
		return err
	}
	asked, err := check.ParseWords(words[1:])
	if err != nil {
		return grammar.Errorf("%v", err)
	}
	if err := asked.Suits(server); err != nil {
		return grammar.Errorf("%s: %v", words[0], err)
	}
	text, took, failure := check.Once(c.Context(), asked, server)
	report := checkReport{State: check.Up.String(), Reason: text, LatencyMS: float64(took.Microseconds()) / 1000}
	if failure != nil {
		report.State, report.Reason = check.Down.String(), failure.Error()
	}
	if err := a.printCheck(report, took); err != nil || failure == nil {
		return err
	}
	return errSaid
}

func (a *app) printCheck(r checkReport, took time.Duration) error {
	if a.output == "json" || a.output == "yaml" {
		return document.Value(a.out, a.output, r)
	}
	_, err := fmt.Fprintf(a.out, "%s: %s (%s)\n", r.State, r.Reason, took.Round(10*time.Microsecond))
	return err
}

// parseServer reads 10.0.0.31, 10.0.0.31:80, fd00::31 or [fd00::31]:80.
func parseServer(word string) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(word); err == nil {
		return at, nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil {
		return netip.AddrPortFrom(addr, 0), nil
	}
	e := grammar.Errorf("%q is not an IPv4 or IPv6 address with or without a port", word)
	if slices.Contains(check.Kinds(), word) {
		return netip.AddrPort{}, e.With("write the server before the kind of check")
	}
	if host, port, ok := strings.Cut(word, ":"); ok {
		if _, err := strconv.Atoi(port); err == nil && host != "" {
			return netip.AddrPort{}, e.With("give the address of %s", host)
		}
	}
	return netip.AddrPort{}, e
}
