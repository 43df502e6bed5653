package health

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
)

// settings are the parameters of one resource.
type settings struct {
	attribute string
	dampen    time.Duration
	source    source
}

// here is asked where a check does not say whom.
var here = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

func parse(r *pb.Resource) (*settings, error) {
	get := func(name string) string { return resources.Parameter(metadata, r, name) }
	s := &settings{attribute: get("attribute")}
	if s.attribute == "" {
		s.attribute = r.GetId()
	}
	if !isAttribute(s.attribute) {
		return nil, wrong("attribute", "begin with a letter, and use letters, digits, '.', '_' and '-'", "%q is no name of an attribute", s.attribute)
	}
	var err error
	if s.dampen, err = duration("dampen", get("dampen"), 0); err != nil {
		return nil, err
	}
	switch {
	case get("check") != "" && get("file") != "":
		return nil, wrong("file", "give check= or file=, not both", "there is a check")
	case get("file") != "":
		s.source, err = parseFile(get)
	default:
		s.source, err = parseCheck(get)
	}
	return s, err
}

func parseCheck(get func(string) string) (source, error) {
	if get("check") == "" {
		return nil, wrong("check", "give a check (see \"quorate check --help\"), or file=", "is missing")
	}
	c, err := check.Parse(get("check"))
	if err == nil {
		err = c.Suits(here)
	}
	if err != nil {
		return nil, wrong("check", "", "%v", err)
	}
	up, down := get("up"), get("down")
	if up == down {
		return nil, wrong("down", "give another value than that of up=", "is %q too, so nothing would tell", down)
	}
	for name, value := range map[string]string{"up": up, "down": down} {
		if strings.ContainsAny(value, "\n\x00") {
			return nil, wrong(name, "", "is not one line")
		}
	}
	return &asked{check: c, up: up, down: down}, nil
}

func parseFile(get func(string) string) (source, error) {
	f := &file{path: get("file")}
	if !strings.HasPrefix(f.path, "/") {
		return nil, wrong("file", "", "%q is no path that begins with /", f.path)
	}
	n, err := strconv.Atoi(get("weight"))
	if err != nil || n < -254 || n > 254 {
		return nil, wrong("weight", "give -254 to 254", "%q is no weight", get("weight"))
	}
	f.weight = n
	f.interval, err = duration("interval", get("interval"), 100*time.Millisecond)
	return f, err
}

func duration(name, value string, least time.Duration) (time.Duration, error) {
	d, err := resources.Duration(value)
	if err != nil || d < least || d > 24*time.Hour {
		return 0, wrong(name, fmt.Sprintf("give %v to 24h", least), "%q is no such time", value)
	}
	return d, nil
}

// isAttribute knows the names that the state takes.
func isAttribute(name string) bool {
	name = strings.TrimPrefix(name, "#")
	notInName := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("._-", r)
	}
	return name != "" && len(name) <= 64 && strings.IndexFunc(name, notInName) < 0 && !strings.Contains("0123456789.-", name[:1])
}

func wrong(parameter, fix, format string, args ...any) error {
	return &resources.ParameterError{Parameter: parameter, Problem: fmt.Sprintf(format, args...), Fix: fix}
}
