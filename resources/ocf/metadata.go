package ocf

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// describeTime bounds how long a script may take to describe itself.
const describeTime = 10 * time.Second

// A description is what a script said of itself, as of a state of its file.
type description struct {
	mu       sync.Mutex
	modified time.Time
	size     int64
	meta     *pb.AgentMetadata // must not be modified
	err      error
}

// describe returns what the script says of itself. It is asked again when its
// file has changed.
func (a *Agent) describe(ctx context.Context) (*pb.AgentMetadata, error) {
	if err := a.Missing(); err != nil {
		return nil, err
	}
	info, err := os.Stat(a.path)
	if err != nil {
		return nil, err
	}
	d := &a.description
	d.mu.Lock()
	defer d.mu.Unlock()
	if (d.meta != nil || d.err != nil) && d.modified.Equal(info.ModTime()) && d.size == info.Size() {
		return d.meta, d.err
	}
	meta, err := a.ask(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err // which says nothing of the script
	}
	d.modified, d.size, d.meta, d.err = info.ModTime(), info.Size(), meta, err
	return meta, err
}

// ask has the script describe itself.
func (a *Agent) ask(ctx context.Context) (*pb.AgentMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	e, err := a.execute(ctx, actionMetadata, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s does not describe itself: %w", a.name, err)
	case e.code != exitOK:
		return nil, fmt.Errorf("%s does not describe itself: %s", a.name, e.said())
	}
	meta, err := parse(a.name, e.output)
	if err != nil {
		return nil, fmt.Errorf("%s describes itself wrongly: %w", a.name, err)
	}
	return meta, nil
}

// text is an element with words in a language.
type text struct {
	Lang string `xml:"lang,attr"`
	Text string `xml:",chardata"`
}

// document is a script's metadata (ra-api-1.dtd, and ra-api.rng of version 1.1).
type document struct {
	XMLName    xml.Name    `xml:"resource-agent"`
	Long       []text      `xml:"longdesc"`
	Short      []text      `xml:"shortdesc"`
	Parameters []parameter `xml:"parameters>parameter"`
	Actions    []action    `xml:"actions>action"`
}

type parameter struct {
	Name       string `xml:"name,attr"`
	Required   string `xml:"required,attr"`
	Reloadable string `xml:"reloadable,attr"`
	Long       []text `xml:"longdesc"`
	Short      []text `xml:"shortdesc"`
	Deprecated *struct {
		By []struct {
			Name string `xml:"name,attr"`
		} `xml:"replaced-with"`
	} `xml:"deprecated"`
	Content struct {
		Type    string `xml:"type,attr"`
		Default string `xml:"default,attr"`
		Options []struct {
			Value string `xml:"value,attr"`
		} `xml:"option"`
	} `xml:"content"`
}

type action struct {
	Name     string `xml:"name,attr"`
	Timeout  string `xml:"timeout,attr"`
	Interval string `xml:"interval,attr"`
	Depth    string `xml:"depth,attr"`
	Role     string `xml:"role,attr"`
}

// parse reads the metadata of a script.
func parse(name string, data []byte) (*pb.AgentMetadata, error) {
	var doc document
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimSpace(data)))
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // names are ASCII
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it says nothing")
		}
		return nil, err
	}
	meta := &pb.AgentMetadata{
		Name: name, Summary: oneLine(inEnglish(doc.Short)), Description: paragraphs(inEnglish(doc.Long)),
		Lenient: true, Traits: &pb.Traits{Lapse: durationpb.New(unknownStop)},
	}
	for i := range doc.Parameters {
		if p := doc.Parameters[i].read(); p.GetName() != "" {
			meta.Parameters = append(meta.Parameters, p)
		}
	}
	for _, a := range doc.Actions {
		if o := a.read(); o != nil {
			meta.Operations = append(meta.Operations, o)
		}
	}
	if slices.ContainsFunc(doc.Actions, func(a action) bool { return a.Name == actionReload }) {
		meta.Traits = reloads(meta)
	}
	if o := operation(meta.Operations, actionStop); o.GetTimeout() != nil {
		meta.Traits.Lapse = o.Timeout
	}
	return meta, nil
}

// reloads are the traits of a script that can take over some parameters.
func reloads(meta *pb.AgentMetadata) *pb.Traits {
	t := &pb.Traits{Lapse: durationpb.New(unknownStop)}
	for _, p := range meta.Parameters {
		if p.Reloadable {
			t.Reloadable, t.ReloadableParameters = true, append(t.ReloadableParameters, p.Name)
		}
	}
	return t
}

func (p *parameter) read() *pb.Parameter {
	isTrue := func(s string) bool { is, _ := resources.Bool(s); return is }
	out := &pb.Parameter{
		Name: p.Name, Type: kinds[p.Content.Type], Default: p.Content.Default, Reloadable: isTrue(p.Reloadable),
		// What has a default need not be given, whatever the script calls it.
		Required: isTrue(p.Required) && p.Content.Default == "",
		Summary:  oneLine(cmp.Or(oneLine(inEnglish(p.Short)), firstSentence(inEnglish(p.Long)))),
	}
	for _, o := range p.Content.Options {
		out.Values = append(out.Values, o.Value)
	}
	if out.Type == "" || !keeps(out, out.Default) { // some scripts call their own defaults wrong
		out.Type = "string"
	}
	if p.Deprecated != nil && len(p.Deprecated.By) > 0 {
		out.ReplacedBy = p.Deprecated.By[0].Name
	}
	return out
}

// keeps reports whether a value is of a parameter's type.
func keeps(p *pb.Parameter, value string) bool {
	_, err := resources.Check(&pb.AgentMetadata{Parameters: []*pb.Parameter{{Name: p.Name, Type: p.Type, Values: p.Values}}},
		&pb.Resource{Parameters: map[string]string{p.Name: value}})
	return err == nil
}

// kinds are our words for the types of version 1.1; of an unknown one any text is right.
var kinds = map[string]string{
	"string": "string", "integer": "integer", "boolean": "boolean", "select": "select",
	"time": "duration", "timeout": "duration", "duration": "duration", "second": "duration",
}

// read returns the defaults of an operation; nil: it is one that is not run
// unless it is asked for. Of monitors those remain that look at the surface of
// what plainly runs.
func (a *action) read() *pb.OperationSpec {
	if a.Name == "" || a.Name == "status" || a.Depth != "" && a.Depth != "0" || a.Role != "" && !plain(a.Role) {
		return nil
	}
	o := &pb.OperationSpec{Name: a.Name}
	if d, err := resources.Duration(a.Timeout); err == nil && d > 0 {
		o.Timeout = durationpb.New(d)
	}
	if d, err := resources.Duration(a.Interval); err == nil && d > 0 && a.Name == actionMonitor {
		o.Interval = durationpb.New(d)
	}
	return o
}

// plain reports whether a role is that of a resource that is not promoted.
func plain(role string) bool {
	switch strings.ToLower(role) {
	case "started", "slave", "unpromoted":
		return true
	}
	return false
}

// inEnglish picks English of several languages, else the first.
func inEnglish(list []text) string {
	for _, t := range list {
		if t.Lang == "" || strings.HasPrefix(t.Lang, "en") {
			return t.Text
		}
	}
	if len(list) > 0 {
		return list[0].Text
	}
	return ""
}

func firstSentence(s string) string {
	s = oneLine(s)
	if i := strings.Index(s, ". "); i > 0 {
		return s[:i]
	}
	return strings.TrimSuffix(s, ".")
}

// paragraphs keeps the lines of a description.
func paragraphs(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\r")
	}
	return strings.Join(lines, "\n")
}
