package ipvs

import (
	"fmt"
	"hash/crc32"
	"os"
	"strings"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// ldirectordFile is where ldirectord reads its configuration, if nobody says where.
const ldirectordFile = "/etc/ha.d/ldirectord.cf"

// sources are the parameters that name a configuration.
var sources = []string{"config", "conffile", "configfile"}

// configure reads the configuration from where the resource's parameters say.
func (a *Agent) configure(s *settings, r *pb.Resource) error {
	source, value, err := sourceOf(r)
	if err != nil {
		return err
	}
	s.source = source
	text, before := value, edition{}
	if source != "config" {
		before = editionOf(value)
		data, err := os.ReadFile(value)
		if err != nil {
			return wrong(source, "put the file on every node, or its text in config", "%v", err)
		}
		text = string(data)
	}
	if source == "configfile" {
		return a.configureLdirectord(s, before, text)
	}
	s.text = text
	if s.config, err = Parse(text); err != nil {
		return unread(source, err)
	}
	return nil
}

// sourceOf returns the one parameter that names the configuration. A resource with
// ldirectord's name has its file by default.
func sourceOf(r *pb.Resource) (source, value string, err error) {
	for _, name := range sources {
		given := resources.Parameter(metadata, r, name)
		switch {
		case given == "":
		case source != "":
			return "", "", wrong(source, "keep one of them", "is given together with %s", name)
		default:
			source, value = name, given
		}
	}
	switch {
	case source != "":
		return source, value, nil
	case strings.HasSuffix(r.GetAgent(), ":ldirectord"):
		return "configfile", ldirectordFile, nil
	}
	return "", "", wrong("config", `add config="virtual ADDRESS:PORT; real ADDRESS", or conffile=`, "is missing")
}

func (a *Agent) configureLdirectord(s *settings, before edition, text string) error {
	path := before.path
	if a.ldirectord == nil {
		return wrong("configfile", "give config", "no reader of ldirectord.cf is built in")
	}
	t, err := a.ldirectord(path, []byte(text))
	if err != nil {
		return wrong("configfile", "", "%v", err)
	}
	if s.config, err = t.parse(); err != nil {
		return wrong("configfile", "", "%s: %v", path, err)
	}
	s.text, s.said = t.Text, t.Notes
	if t.Reload {
		s.edition = before
	}
	return nil
}

// Common implements [resources.Comparer]: what a file says, in the words of a
// configuration, without the comments and orders that make no difference.
func (a *Agent) Common(r *pb.Resource) (what string, lines []string, err error) {
	source, path, err := sourceOf(r)
	if err != nil || source == "config" {
		return "", nil, err
	}
	s := &settings{}
	if err := a.configure(s, r); err != nil {
		return path, nil, err
	}
	return path, comparable(s.text), nil
}

// comparable are the statements of a configuration in one spelling. Passwords are
// told apart, and not told.
func comparable(text string) (lines []string) {
	statements, _ := split(text) // it was read before
	for _, s := range statements {
		for i, w := range s.words {
			if secret, ok := strings.CutPrefix(w, "password="); ok {
				s.words[i] = fmt.Sprintf("password=(sum %x)", crc32.ChecksumIEEE([]byte(secret)))
			}
		}
		lines = append(lines, strings.Join(s.words, " "))
	}
	return lines
}
