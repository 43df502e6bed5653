package fenceagent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// describeTime bounds how long a program may take to describe itself.
const describeTime = 20 * time.Second

// A description is what a program said of itself, as of a state of its file.
type description struct {
	mu       sync.Mutex
	modified time.Time
	size     int64
	meta     *pb.AgentMetadata
	traits   *pb.DeviceTraits
	err      error
}

// Describe implements [fencing.Type]. The program is asked again when its file has
// changed.
func (p *Program) Describe(ctx context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	if err := p.Missing(); err != nil {
		return nil, nil, err
	}
	info, err := os.Stat(p.path())
	if err != nil {
		return nil, nil, err
	}
	d := &p.description
	d.mu.Lock()
	defer d.mu.Unlock()
	if (d.meta != nil || d.err != nil) && d.modified.Equal(info.ModTime()) && d.size == info.Size() {
		return d.meta, d.traits, d.err
	}
	meta, traits, err := p.ask(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, nil, err // which says nothing of the program
	}
	d.modified, d.size, d.meta, d.traits, d.err = info.ModTime(), info.Size(), meta, traits, err
	return meta, traits, err
}

func (p *Program) ask(ctx context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	e, err := p.execute(ctx, "action=metadata\n", nil, nil)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s does not describe itself: %w", p.name, err)
	case e.code != 0:
		return nil, nil, fmt.Errorf("%s does not describe itself: %s (exit status %d)", p.name, e.words, e.code)
	}
	meta, traits, err := parse(p.name, []byte(e.output))
	if err != nil {
		return nil, nil, fmt.Errorf("%s describes itself wrongly: %w", p.name, err)
	}
	return meta, traits, nil
}

// document is a program's description ("Agent metadata" of FenceAgentAPI.md).
type document struct {
	XMLName    xml.Name    `xml:"resource-agent"`
	Short      string      `xml:"shortdesc,attr"`
	Long       string      `xml:"longdesc"`
	Parameters []parameter `xml:"parameters>parameter"`
	Actions    []struct {
		Name      string `xml:"name,attr"`
		Automatic string `xml:"automatic,attr"`
	} `xml:"actions>action"`
}

type parameter struct {
	Name      string `xml:"name,attr"`
	Required  string `xml:"required,attr"`
	Obsoletes string `xml:"obsoletes,attr"`
	Short     string `xml:"shortdesc"`
	Content   struct {
		Type    string `xml:"type,attr"`
		Default string `xml:"default,attr"`
		Options []struct {
			Value string `xml:"value,attr"`
		} `xml:"option"`
	} `xml:"content"`
}

// parse reads a description.
func parse(name string, data []byte) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	var doc document
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimSpace(data)))
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // names are ASCII
	if err := decoder.Decode(&doc); err != nil {
		return nil, nil, err
	}
	meta := &pb.AgentMetadata{Name: name, Summary: oneLine(doc.Short), Description: strings.TrimSpace(doc.Long), Lenient: true}
	traits := &pb.DeviceTraits{}
	for i := range doc.Parameters {
		if p := doc.Parameters[i].read(doc.Parameters); p != nil {
			meta.Parameters = append(meta.Parameters, p)
		}
	}
	for _, a := range doc.Actions {
		traits.Status = traits.Status || a.Name == fencing.Status
		traits.List = traits.List || a.Name == fencing.List
		traits.On = traits.On || a.Name == fencing.On
		traits.Unfences = traits.Unfences || a.Name == fencing.On && a.Automatic == "1"
	}
	for _, p := range meta.Parameters {
		if (p.Name == "plug" || p.Name == "port") && traits.Argument != "plug" {
			traits.Argument = p.Name
		}
		if fencing.Secret(p.Name) {
			traits.Secrets = append(traits.Secrets, p.Name)
		}
	}
	return meta, traits, nil
}

// ours are the parameters that the cluster gives.
var ours = []string{"plug", "port", "nodename"}

// read returns a parameter; nil: it is not for people to give.
func (p *parameter) read(all []parameter) *pb.Parameter {
	if p.Name == "" || p.Name == "action" {
		return nil
	}
	out := &pb.Parameter{
		Name: p.Name, Type: cmp.Or(kinds[p.Content.Type], "string"), Default: p.Content.Default, Summary: oneLine(p.Short),
		Required: p.Required == "1" && p.Content.Default == "" && !slices.Contains(ours, p.Name),
	}
	for _, o := range p.Content.Options {
		out.Values = append(out.Values, o.Value)
	}
	if out.Type == "select" && (len(out.Values) == 0 || out.Default != "" && !slices.Contains(out.Values, out.Default)) {
		out.Type, out.Values = "string", nil
	}
	for _, other := range all {
		if other.Obsoletes == p.Name && other.Name != p.Name {
			out.ReplacedBy, out.Required = other.Name, false
		}
	}
	return out
}

// kinds are our words for the types that programs know; of another any text is right.
var kinds = map[string]string{"integer": "integer", "boolean": "boolean", "select": "select", "second": "duration"}
