package ipvs

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// settings are the parameters of one resource.
type settings struct {
	config    *Configuration
	conntrack bool
	sysctl    bool
	sync      *copying // nil: connections are not copied
}

func parse(r *pb.Resource) (*settings, error) {
	get := func(name string) string { return resources.Parameter(metadata, r, name) }
	text, file := get("config"), get("conffile")
	source := "config"
	switch {
	case text != "" && file != "":
		return nil, wrong("config", "keep one of them", "is given together with conffile")
	case text == "" && file == "":
		return nil, wrong("config", `add config="virtual ADDRESS:PORT; real ADDRESS", or conffile=`, "is missing")
	case file != "":
		source = "conffile"
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, wrong("conffile", "put the file on every node, or its text in config", "%v", err)
		}
		text = string(b)
	}
	c, err := Parse(text)
	if err != nil {
		return nil, unread(source, err)
	}
	if len(c.Virtuals) == 0 {
		return nil, wrong(source, "begin with virtual ADDRESS:PORT", "names no virtual service")
	}
	s := &settings{config: c}
	for name, into := range map[string]*bool{"conntrack": &s.conntrack, "sysctl": &s.sysctl} {
		is, ok := resources.Bool(get(name))
		if !ok {
			return nil, wrong(name, "give true or false", "%q is not a boolean", get(name))
		}
		*into = is
	}
	s.sync, err = parseSync(get("sync"), get("sync_id"))
	return s, err
}

func wrong(parameter, fix, format string, args ...any) error {
	return &resources.ParameterError{Parameter: parameter, Problem: fmt.Sprintf(format, args...), Fix: fix}
}

// unread is the error of a text that cannot be read.
func unread(source string, err error) error {
	e := &resources.ParameterError{Parameter: source, Problem: err.Error()}
	if at, ok := errors.AsType[*LineError](err); ok {
		e.Lines = []int{at.Line}
	}
	return e
}

// place is where the record of a resource is.
func place(r *pb.Resource, runDir string) string {
	return filepath.Join(runDir, "ipvs", url.PathEscape(r.GetId())+".json")
}
