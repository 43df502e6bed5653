package ocf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// What a script starts is found again by two things that it inherits, in whatever
// session it is: variables of its environment, and an open file under a number that
// nobody else uses. `su -` and what is like it make the environment anew and leave the
// file open; what goes to the background the thorough way closes all files and keeps
// its environment. What does both escapes.
const (
	markOfResource = "QUORATE_RESOURCE="
	markOfRun      = "QUORATE_RUN="

	// markDescriptor is beyond what shells number themselves (from 10 on, and 255
	// downwards), and not the 200 of flock(1)'s example, which scripts copy.
	markDescriptor = resources.TraceDescriptorNumber
)

// marks are of one resource, or of one run of its script.
type marks struct {
	variable string
	file     string // that is open; empty: none
}

// resourceMarks names the node, too: one machine may see the processes of several.
func (f *Family) resourceMarks(r *pb.Resource) marks {
	m := marks{variable: fmt.Sprintf("%s%s/%s", markOfResource, f.nodeID, r.GetId())}
	if f.files != "" {
		m.file = filepath.Join(f.files, f.nodeID, r.GetId())
	}
	return m
}

// Traces implements [resources.Tracer].
func (a *Agent) Traces(r *pb.Resource) []resources.Trace {
	m := a.family.resourceMarks(r)
	traces := []resources.Trace{{Kind: resources.TraceEnvironment, Mark: m.variable}}
	if m.file != "" {
		traces = append(traces, resources.Trace{Kind: resources.TraceDescriptor, Mark: m.file})
	}
	return traces
}

// open opens the marks' file for a script; nil: there is none.
func (m marks) open() (*os.File, error) {
	if m.file == "" {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(m.file), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(m.file, os.O_RDONLY|os.O_CREATE, 0o600)
}

// inherit are the files that a script gets beside its output (see exec.Cmd.ExtraFiles).
func inherit(mark *os.File) []*os.File {
	if mark == nil {
		return nil
	}
	files := make([]*os.File, markDescriptor-2) // after input, output and error
	files[len(files)-1] = mark
	return files
}

// on reports whether a process bears one of them. Zombies bear none.
func (m marks) on(pid int) bool {
	process := "/proc/" + strconv.Itoa(pid)
	env, err := os.ReadFile(process + "/environ")
	if err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+m.variable+"\x00")) {
		return true
	}
	if m.file == "" {
		return false
	}
	file, err := os.Readlink(process + "/fd/" + strconv.Itoa(markDescriptor))
	return err == nil && strings.TrimSuffix(file, " (deleted)") == m.file
}
