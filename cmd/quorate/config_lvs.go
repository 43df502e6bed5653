package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/adoption"
	"quorate/cluster/lvs"
	"quorate/cluster/state"
	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// importLdirectord adds what can be taken of an ldirectord.cf to the configuration,
// and reports on each of its lines.
func (a *app) importLdirectord(c *cobra.Command, words []string) error {
	if len(words) > 1 {
		return grammar.Errorf("%q is one word too many", words[1]).With("give one ldirectord.cf; all nodes have the same")
	}
	data, name, err := a.readFile(words[0])
	if err != nil {
		return err
	}
	f, err := lvs.ParseLdirectord("", name, data)
	if err != nil {
		return unreadable(err)
	}
	return a.importLVS(c, name, func(s *pb.State, try adoption.Trial) (*pb.Configuration, *adoption.Report, error) {
		return lvs.Ldirectord(f, state.Configuration(s), try)
	})
}

// importKeepalived does the same with one keepalived.conf, or NODE=FILE of several nodes.
func (a *app) importKeepalived(c *cobra.Command, words []string) error {
	var files []*lvs.File
	for _, word := range words {
		node, file, ok := strings.Cut(word, "=")
		if !ok || strings.ContainsAny(node, "/.") {
			node, file = "", word
		}
		if node == "" && len(words) > 1 {
			return grammar.Errorf("%q does not say whose file it is", word).With("write NODE=FILE for each")
		}
		data, name, err := a.readFile(file)
		if err != nil {
			return err
		}
		f, err := lvs.ParseKeepalived(node, name, data, openIncluded)
		if err != nil {
			return unreadable(err)
		}
		files = append(files, f)
	}
	return a.importLVS(c, files[0].Name, func(s *pb.State, try adoption.Trial) (*pb.Configuration, *adoption.Report, error) {
		return lvs.Keepalived(files, state.Configuration(s), s.GetNodes(), try)
	})
}

// unreadable makes bad input of a file that is not in its notation.
func unreadable(err error) error {
	if e, ok := errors.AsType[*lvs.SyntaxError](err); ok {
		return grammar.Errorf("%v", e)
	}
	return err
}

// openIncluded reads the files that an include of keepalived names.
func openIncluded(from, pattern string) (names []string, contents [][]byte, err error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(from), pattern)
	}
	names, err = filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		return nil, nil, fmt.Errorf("no file is named %s", pattern)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		contents = append(contents, data)
	}
	return names, contents, nil
}

// importLVS adds to what the cluster has: such a file is only a part of a
// configuration, unlike a CIB.
func (a *app) importLVS(c *cobra.Command, name string, translate func(*pb.State, adoption.Trial) (*pb.Configuration, *adoption.Report, error)) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	cfg, report, err := translate(resp.GetState(), a.trial(c.Context()))
	if err != nil {
		return err
	}
	return a.importReported(c, name, cfg, report)
}

// importReported replaces the configuration when something could be taken.
func (a *app) importReported(c *cobra.Command, name string, cfg *pb.Configuration, report *adoption.Report) error {
	if report.Count(adoption.Taken)+report.Count(adoption.Approximated) == 0 || len(cfg.Resources) == 0 {
		if err := a.printImport(report, nil); err != nil {
			return err
		}
		return grammar.Errorf("%s: no resource of it can be taken, and nothing was changed", name)
	}
	edit := replacement(cfg, a.force)
	if a.output == "json" || a.output == "yaml" {
		return a.importStructured(c, edit, report)
	}
	if err := a.printImport(report, nil); err != nil {
		return err
	}
	return a.change(c, edit)
}
