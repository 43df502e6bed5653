package resources

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Check compares the parameters of r with what its agent says of them: names,
// required ones and types. The first fault in the order of names is returned,
// as a *[ParameterError]. What a lenient agent does not describe, and what it
// calls old, is a warning. What only the node can know is the agent's Validate.
func Check(meta *pb.AgentMetadata, r *pb.Resource) (warnings []string, err error) {
	known, given := make(map[string]*pb.Parameter), make(map[string]bool)
	for _, p := range meta.GetParameters() {
		known[p.GetName()] = p
	}
	for _, name := range slices.Sorted(maps.Keys(r.GetParameters())) {
		p, ok := known[name]
		switch {
		case !ok && meta.GetLenient():
			warnings = append(warnings, unknownParameter(name, meta).Error())
			continue
		case !ok:
			return nil, unknownParameter(name, meta)
		}
		if err := checkType(p, r.GetParameters()[name]); err != nil {
			return nil, err
		}
		given[name] = r.GetParameters()[name] != ""
		if p.GetReplacedBy() != "" && given[name] {
			given[p.GetReplacedBy()] = true
			warnings = append(warnings, fmt.Sprintf("parameter %s: is old; use %s", name, p.GetReplacedBy()))
		}
	}
	for _, p := range meta.GetParameters() {
		if p.GetRequired() && !given[p.GetName()] {
			return nil, &ParameterError{Parameter: p.GetName(), Problem: "is missing", Fix: fmt.Sprintf("add %s=… (%s)", p.GetName(), p.GetSummary())}
		}
	}
	return warnings, nil
}

func unknownParameter(name string, meta *pb.AgentMetadata) *ParameterError {
	var names []string
	for _, p := range meta.GetParameters() {
		names = append(names, p.GetName())
	}
	e := &ParameterError{Parameter: name, Problem: fmt.Sprintf("is not known to %s", meta.GetName())}
	if near := Nearest(name, names, 1); len(near) > 0 {
		e.Fix = fmt.Sprintf("did you mean %s?", near[0])
	} else if len(names) > 0 {
		e.Fix = "it has " + strings.Join(names, ", ")
	}
	return e
}

// checkType reports a value that is not of its parameter's type. An empty
// value stands for the default, as in pcs.
func checkType(p *pb.Parameter, value string) error {
	if value == "" {
		return nil
	}
	wrong := func(fix string) error {
		return &ParameterError{Parameter: p.GetName(), Problem: fmt.Sprintf("%q is not %s", value, article(p.GetType())), Fix: fix}
	}
	switch p.GetType() {
	case "integer":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return wrong("give a whole number, e.g. " + cmp.Or(p.GetDefault(), "5"))
		}
	case "boolean":
		if _, ok := Bool(value); !ok {
			return wrong("give true or false")
		}
	case "duration":
		if _, err := Duration(value); err != nil {
			return wrong("give a number with a unit, e.g. " + cmp.Or(p.GetDefault(), "20s"))
		}
	case "address":
		if _, err := netip.ParseAddr(value); err != nil {
			return wrong("give an IPv4 or IPv6 address without a prefix length")
		}
	case "select":
		if !slices.Contains(p.GetValues(), value) {
			return &ParameterError{Parameter: p.GetName(), Problem: fmt.Sprintf("%q is none of its values", value), Fix: "give one of " + strings.Join(p.GetValues(), ", ")}
		}
	case "path":
		if !filepath.IsAbs(value) {
			return wrong("give an absolute path")
		}
	}
	return nil
}

func article(kind string) string {
	if strings.ContainsAny(kind[:min(1, len(kind))], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}

// Parameter returns the value of a parameter of r, or its default.
func Parameter(meta *pb.AgentMetadata, r *pb.Resource, name string) string {
	if value := r.GetParameters()[name]; value != "" {
		return value
	}
	for _, p := range meta.GetParameters() {
		if p.GetName() == name {
			return p.GetDefault()
		}
	}
	return ""
}

// Bool reads a boolean as Pacemaker and OCF scripts do (ocf_is_true).
func Bool(value string) (is, ok bool) {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1", "y", "ja":
		return true, true
	case "false", "no", "off", "0", "n":
		return false, true
	default:
		return false, false
	}
}

// Duration reads a time as pcs takes it: a number of seconds, or with a unit
// ("20", "20s", "200ms", "5min", "1h30m").
func Duration(value string) (time.Duration, error) {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	s := value
	for long, short := range map[string]string{"sec": "s", "min": "m", "hr": "h"} { // msec and usec too
		if rest, ok := strings.CutSuffix(s, long); ok {
			s = rest + short
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time", value)
	}
	return d, nil
}
