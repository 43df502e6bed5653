package ipvs

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// settings are the parameters of one resource.
type settings struct {
	config    *Configuration
	text      string   // of config, in its words
	said      []string // notes on what the file says
	edition   edition  // of the file, if a change of it is to be taken over
	source    string   // the parameter that names the configuration
	conntrack bool
	sysctl    bool
	sync      *copying // nil: connections are not copied
}

func (a *Agent) parse(r *pb.Resource) (*settings, error) {
	get := func(name string) string { return resources.Parameter(metadata, r, name) }
	s := &settings{}
	if err := a.configure(s, r); err != nil {
		return nil, err
	}
	if len(s.config.Virtuals) == 0 {
		return nil, wrong(s.source, "begin with virtual ADDRESS:PORT", "names no virtual service")
	}
	for name, into := range map[string]*bool{"conntrack": &s.conntrack, "sysctl": &s.sysctl} {
		is, ok := resources.Bool(get(name))
		if !ok {
			return nil, wrong(name, "give true or false", "%q is not a boolean", get(name))
		}
		*into = is
	}
	var err error
	s.sync, err = parseSync(r)
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
