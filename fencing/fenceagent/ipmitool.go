package fenceagent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
)

// The programs that use ipmitool (fence_ipmilan and those that are it under another
// name) write the device's password into its arguments, where every user of the machine
// can read it until ipmitool has hidden it. So they are given another password, which
// is none, and instead of ipmitool our own program under the name IPMITool. It becomes
// ipmitool, which finds the password in its environment: that is root's to read.
//
// Source: ipmitool(1), option -E; proc(5), /proc/PID/environ.
const (
	IPMITool = "quorate-ipmitool"

	pathParameter    = "ipmitool_path"
	passwordVariable = "IPMITOOL_PASSWORD"
	programVariable  = "QUORATE_IPMITOOL" // the program that is meant
	standIn          = "in-the-environment"
)

// passwordParameters are its names, the present one first.
var passwordParameters = []string{"password", "passwd"}

// apart takes the password out of what the program is told, if that would hand it on
// to ipmitool, and returns what the environment must have instead.
func (p *Program) apart(ctx context.Context, told map[string]string) (environment []string) {
	i := slices.IndexFunc(passwordParameters, func(name string) bool { return told[name] != "" })
	if i < 0 || p.links == "" || told["sudo"] != "" || told["use_sudo"] != "" { // sudo clears the environment
		return nil
	}
	meta, _, err := p.Describe(ctx)
	at := slices.IndexFunc(meta.GetParameters(), func(p *pb.Parameter) bool { return p.Name == pathParameter })
	if err != nil || at < 0 {
		return nil
	}
	program := cmp.Or(told[pathParameter], meta.Parameters[at].Default)
	link := filepath.Join(p.links, IPMITool)
	if !executable(program) || strings.ContainsAny(link, " \t'\"\\") || linkSelf(link) != nil { // it is told of a path in a shell's words
		return nil
	}
	environment = []string{passwordVariable + "=" + told[passwordParameters[i]], programVariable + "=" + program}
	for _, name := range passwordParameters {
		delete(told, name)
	}
	told[passwordParameters[0]], told[pathParameter] = standIn, link
	return environment
}

// linkSelf makes a link to the program that is running.
func linkSelf(at string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if old, err := os.Readlink(at); err == nil && old == program {
		return nil
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(program, at); !errors.Is(err, fs.ErrExist) { // else another use was quicker
		return err
	}
	return nil
}

// BecomeIPMITool is what our program does under the name [IPMITool]. It returns only if
// it cannot.
func BecomeIPMITool(args []string) error {
	program := os.Getenv(programVariable)
	if program == "" {
		return fmt.Errorf("%s is for the programs that fence: use ipmitool", IPMITool)
	}
	list := []string{program}
	for i := 0; i < len(args); i++ {
		if args[i] == "-P" {
			list = append(list, "-E")
			i++
			continue
		}
		list = append(list, args[i])
	}
	return unix.Exec(program, list, os.Environ())
}
