package fencing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// prefix begins the parameters that are the cluster's and not the program's.
const prefix = "pcmk_"

// Own reports whether a parameter is the cluster's and not the program's.
func Own(parameter string) bool { return strings.HasPrefix(parameter, prefix) }

// defaultTimeout bounds an action of which nobody says how long it may take, and
// defaultTries how often it is tried ("pcmk_off_timeout", "pcmk_off_retries").
const (
	defaultTimeout = time.Minute
	defaultTries   = 2
	// DefaultInterval is how often a device is tested.
	DefaultInterval = time.Minute
)

// asked are the actions that have parameters of their own.
var asked = []string{"reboot", Off, On, List, Monitor, Status}

// own are the cluster's parameters of a device. What is not here is refused.
var own = withActions(map[string]func(string) string{
	"pcmk_host_list":      nil,
	"pcmk_host_map":       func(v string) string { _, err := hostMap(v); return problem(err) },
	"pcmk_host_check":     oneOf(StaticList, DynamicList, ByStatus, Anything),
	"pcmk_host_argument":  nil,
	"pcmk_delay_base":     delayProblem,
	"pcmk_delay_max":      durationProblem,
	"pcmk_action_limit":   numberProblem,
	"pcmk_reboot_action":  nil,
	"pcmk_off_action":     nil,
	"pcmk_on_action":      nil,
	"pcmk_list_action":    nil,
	"pcmk_monitor_action": nil,
	"pcmk_status_action":  nil,
})

func withActions(table map[string]func(string) string) map[string]func(string) string {
	for _, a := range asked {
		table[prefix+a+"_timeout"] = durationProblem
		table[prefix+a+"_retries"] = numberProblem
	}
	return table
}

// OwnParameters are the names of the cluster's parameters, in order.
func OwnParameters() []string { return slices.Sorted(maps.Keys(own)) }

// Check returns what is wrong with the cluster's own parameters of a device, which
// must have a target.
func Check(d *pb.FencingDevice) error {
	for _, name := range slices.Sorted(maps.Keys(d.GetParameters())) {
		if !Own(name) {
			continue
		}
		check, known := own[name]
		if !known {
			return &ParameterError{name, "is not known", "known are " + strings.Join(OwnParameters(), ", ")}
		}
		if check != nil && d.Parameters[name] != "" {
			if wrong := check(d.Parameters[name]); wrong != "" {
				return &ParameterError{Parameter: name, Problem: wrong}
			}
		}
	}
	return checkTargets(d)
}

func checkTargets(d *pb.FencingDevice) error {
	how := HostCheck(d)
	switch {
	case how == "":
		return &ParameterError{"pcmk_host_list", d.Id + " has no target: " + d.Type + " does not tell what it can switch", "add pcmk_host_list=NODE"}
	case how == StaticList && len(Targets(d)) == 0:
		return &ParameterError{"pcmk_host_list", d.Id + " has no target", "add pcmk_host_list=NODE"}
	case how == DynamicList && !d.GetTraits().GetList():
		return &ParameterError{"pcmk_host_check", d.Type + " cannot be asked for a list", "use pcmk_host_list=NODE"}
	case how == ByStatus && !d.GetTraits().GetStatus():
		return &ParameterError{"pcmk_host_check", d.Type + " cannot be asked for a status", "use pcmk_host_list=NODE"}
	}
	return nil
}

// Command is what a device's program calls an action (pcmk_off_action, …).
func Command(d *pb.FencingDevice, action string) string {
	return cmp.Or(d.GetParameters()[prefix+action+"_action"], action)
}

// StaysOff reports whether a device is to switch off when it is asked for a reboot
// (pcmk_reboot_action=off), or cannot switch on again.
func StaysOff(d *pb.FencingDevice) bool {
	return d.GetParameters()[prefix+"reboot_action"] == Off || !d.GetTraits().GetOn()
}

// Timeout is how long an action of a device may take, each time that it is tried.
func Timeout(d *pb.FencingDevice, action string) time.Duration {
	if t, err := duration(d.GetParameters()[prefix+action+"_timeout"]); err == nil && t > 0 {
		return t
	}
	for _, o := range d.GetOperations() {
		if o.Name == action && o.Timeout.AsDuration() > 0 {
			return o.Timeout.AsDuration()
		}
	}
	return defaultTimeout
}

// Tries is how often an action is tried before it has failed.
func Tries(d *pb.FencingDevice, action string) int {
	if n, err := strconv.Atoi(d.GetParameters()[prefix+action+"_retries"]); err == nil && n > 0 {
		return n
	}
	return defaultTries
}

// Patience is how long all tries of an action may take together, with the looks
// whether it is done.
func Patience(d *pb.FencingDevice, action string) time.Duration {
	return time.Duration(Tries(d, action))*(Timeout(d, action)+Timeout(d, Status)+settle) + time.Second
}

// Interval is how often a device is tested; 0: never.
func Interval(d *pb.FencingDevice) time.Duration {
	for _, o := range d.GetOperations() {
		if o.Name == Monitor {
			return o.Interval.AsDuration()
		}
	}
	return DefaultInterval
}

// Delay is how long to wait before a node is switched off: the base for it, and up
// to the most a part drawn at random, which share in [0, 1) picks
// ("pcmk_delay_base", "pcmk_delay_max").
func Delay(d *pb.FencingDevice, node string, share float64) time.Duration {
	base := delayBase(d.GetParameters()["pcmk_delay_base"], node)
	most, _ := duration(d.GetParameters()["pcmk_delay_max"])
	if most <= base {
		return base
	}
	return base + time.Duration(share*float64(most-base))
}

// delayBase reads "5s" or "node1:1s;node2:5s".
func delayBase(text, node string) time.Duration {
	if !strings.Contains(text, ":") {
		d, _ := duration(text)
		return d
	}
	pairs, _ := hostMap(text)
	for _, p := range pairs {
		if p.Node == node {
			d, _ := duration(p.Plug)
			return d
		}
	}
	return 0
}

func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	s := text
	for long, short := range map[string]string{"sec": "s", "min": "m", "hr": "h"} {
		if rest, ok := strings.CutSuffix(s, long); ok {
			s = rest + short
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time, such as 20s", text)
	}
	return d, nil
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := err.(*ParameterError); ok { //nolint:errorlint // ours, never wrapped
		return e.Problem + "; " + e.Fix
	}
	return err.Error()
}

func durationProblem(v string) string { _, err := duration(v); return problem(err) }

func delayProblem(v string) string {
	if !strings.Contains(v, ":") {
		return durationProblem(v)
	}
	pairs, err := hostMap(v)
	for _, p := range pairs {
		if text := durationProblem(p.Plug); text != "" {
			return text
		}
	}
	return problem(err)
}

func numberProblem(v string) string {
	if n, err := strconv.Atoi(v); err != nil || n < -1 {
		return fmt.Sprintf("%q is not a whole number", v)
	}
	return ""
}

func oneOf(list ...string) func(string) string {
	return func(v string) string {
		if slices.Contains(list, v) {
			return ""
		}
		return fmt.Sprintf("%q is none of %s", v, strings.Join(list, ", "))
	}
}
