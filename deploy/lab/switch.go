package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// SwitchCommand is the name under which this program is a fencing device on the
// hosts of a lab: it speaks the protocol of the fence_ programs, and switches hosts
// as a BMC would, whatever has become of their network.
const SwitchCommand = "fence_lab"

// Exit statuses of the protocol.
const (
	switchDone   = 0
	switchFailed = 1
	switchIsOff  = 2
)

// switchMetadata describes the program in the words of the protocol.
const switchMetadata = `<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="Power of the hosts of a lab">
<longdesc>It switches hosts of the lab in which it runs.</longdesc>
<parameters>
	<parameter name="action" unique="0" required="1"><content type="string" default="off" /></parameter>
	<parameter name="plug" unique="0" required="1"><content type="string" /><shortdesc lang="en">Host of the lab</shortdesc></parameter>
	<parameter name="broken" unique="0" required="0"><content type="string" /><shortdesc lang="en">While this file exists nothing works</shortdesc></parameter>
	<parameter name="password" unique="0" required="0"><content type="string" /><shortdesc lang="en">Nobody asks for it</shortdesc></parameter>
</parameters>
<actions>
	<action name="on" automatic="0" /><action name="off" /><action name="status" /><action name="list" /><action name="monitor" /><action name="metadata" />
</actions>
</resource-agent>
`

// Switch is the fencing device: it reads its order from in and returns the exit status.
// program is by what path it was called, which is in the lab's directory.
func Switch(ctx context.Context, program string, in io.Reader, out, errOut io.Writer) int {
	order := make(map[string]string)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			order[name] = value
		}
	}
	if order["action"] == "metadata" {
		fmt.Fprint(out, switchMetadata)
		return switchDone
	}
	status, err := obey(ctx, directory(filepath.Dir(filepath.Dir(program))), order, out)
	if err != nil {
		fmt.Fprintf(errOut, "ERROR: %v\n", err)
		return switchFailed
	}
	return status
}

func obey(ctx context.Context, d directory, order map[string]string, out io.Writer) (int, error) {
	if file := order["broken"]; file != "" {
		if _, err := os.Stat(file); err == nil {
			return switchFailed, errors.New("the device does not answer")
		}
	}
	spec, err := d.read()
	if err != nil {
		return switchFailed, err
	}
	l := &Lab{Spec: spec, dir: d}
	hosts, err := l.Status(ctx)
	if err != nil {
		return switchFailed, err
	}
	if order["action"] == "list" {
		for _, h := range hosts {
			fmt.Fprintf(out, "%s,\n", h.Name)
		}
		return switchDone, nil
	}
	for _, h := range hosts {
		if h.Name == order["plug"] {
			return l.turn(ctx, h, order["action"])
		}
	}
	if order["action"] == "monitor" {
		return switchDone, nil
	}
	return switchFailed, fmt.Errorf("there is no host %q", order["plug"])
}

// turn switches one host, or tells whether it is on.
func (l *Lab) turn(ctx context.Context, h HostStatus, action string) (int, error) {
	var err error
	switch {
	case action == "status" && !h.Power:
		return switchIsOff, nil
	case action == "off" && h.Power:
		_, err = l.Fault(ctx, PowerOff, h.Name)
	case action == "on" && !h.Power:
		_, err = l.Fault(ctx, Heal, h.Name)
	case action != "status" && action != "off" && action != "on" && action != "monitor":
		err = fmt.Errorf("action %q is not known", action)
	}
	if err != nil {
		return switchFailed, err
	}
	return switchDone, nil
}
