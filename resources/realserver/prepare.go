package realserver

import (
	"fmt"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// A Preparation is what makes a host without an agent a real server: lines for its
// shell, that may be run again and again, and those that undo them. They need
// iproute2 and sysctl(8).
type Preparation struct {
	Lines []string `json:"lines"`
	Undo  []string `json:"undo"`
}

// kept is the file with what the settings were. It goes with the boot, as they do.
const kept = "/run/quorate-realserver.sysctl"

// Prepare says how a host becomes what a resource of these parameters makes of it.
func Prepare(parameters map[string]string) (*Preparation, error) {
	s, err := parse(&pb.Resource{Parameters: parameters})
	if err != nil {
		return nil, err
	}
	p := &Preparation{}
	for _, name := range s.tunnels() {
		p.Lines = append(p.Lines, "modprobe "+tunnelModules[name], "ip link set "+name+" up")
		p.Undo = append(p.Undo, "ip link set "+name+" down")
		if name == tunnel4 {
			p.Lines = append(p.Lines, fmt.Sprintf("ip address replace %s/32 dev %s scope host", number, name))
			p.Undo = append(p.Undo, fmt.Sprintf("ip address del %s/32 dev %s || true", number, name))
		}
	}
	if names, settings := s.shellSettings(); len(names) > 0 {
		p.Lines = append(p.Lines,
			fmt.Sprintf("[ -e %s ] || sysctl %s > %s", kept, strings.Join(names, " "), kept),
			"sysctl -q -w "+strings.Join(settings, " "))
		p.Undo = append(p.Undo, fmt.Sprintf("! [ -e %s ] || sysctl -q -p %s", kept, kept), "rm -f "+kept)
	}
	var removals []string
	for _, addr := range s.addrs {
		if addr.Is4() {
			p.Lines = append(p.Lines, fmt.Sprintf("ip address replace %s/32 dev lo scope host", addr))
			removals = append(removals, fmt.Sprintf("ip address del %s/32 dev lo || true", addr))
		} else {
			p.Lines = append(p.Lines, fmt.Sprintf("ip -6 address replace %s/128 dev lo preferred_lft 0 nodad noprefixroute", addr))
			removals = append(removals, fmt.Sprintf("ip -6 address del %s/128 dev lo || true", addr))
		}
	}
	p.Undo = append(removals, p.Undo...) // the addresses go before what hides them
	return p, nil
}

// shellSettings are the names of the kernel's settings, and NAME=VALUE, in order. No
// stricter ones are looked for: that host is not known here.
func (s *settings) shellSettings() (names, settings []string) {
	if !s.has4() {
		return nil, nil
	}
	add := func(name, value string) {
		names = append(names, name)
		settings = append(settings, name+"="+value)
	}
	for _, scope := range s.scopes() {
		add(arpIgnore(scope), "1")
		add(conf(scope)+"arp_announce", "2")
	}
	if s.tunnel {
		add(conf(tunnel4)+"rp_filter", "2")
	}
	return names, settings
}
