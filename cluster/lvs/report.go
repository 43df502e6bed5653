package lvs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/adoption"
	pb "quorate/proto/quorate/v1"
	"quorate/resources/ipvs"
)

// A translation says the directives of files in Quorate's words.
type translation struct {
	files   []*File
	entries map[*Directive]*adoption.Entry
	order   []*Directive
	pieces  []*adoption.Piece
	of      map[*adoption.Entry][]*adoption.Piece // the pieces that an entry belongs to
}

// newTranslation begins with every directive not taken, so that none vanishes.
func newTranslation(files []*File) *translation {
	t := &translation{files: files, entries: make(map[*Directive]*adoption.Entry), of: make(map[*adoption.Entry][]*adoption.Piece)}
	for _, f := range files {
		f.each(func(d *Directive) {
			e := &adoption.Entry{
				Verdict: adoption.NotTaken, File: d.File, Line: d.Line, Kind: d.Name(), ID: d.shown(),
				Note: "it is not known here",
			}
			switch {
			case d.Skip != "":
				e.Note = d.Skip
			case d.Notation:
				e.Verdict, e.Note = adoption.Taken, ""
			}
			t.entries[d], t.order = e, append(t.order, d)
		})
	}
	return t
}

// take marks directives as taken as they are. Nil ones are none.
func (t *translation) take(list ...*Directive) {
	for _, d := range list {
		if d != nil {
			t.entries[d].Verdict, t.entries[d].Note = adoption.Taken, ""
		}
	}
}

// approximate marks a directive as taken with a difference.
func (t *translation) approximate(d *Directive, note string) {
	t.entries[d].Verdict, t.entries[d].Note = adoption.Approximated, note
}

// leave says why a directive is not taken.
func (t *translation) leave(d *Directive, why string) {
	t.entries[d].Verdict, t.entries[d].Note = adoption.NotTaken, why
}

// leaveNamed says of directives of a block why they are not taken.
func (t *translation) leaveNamed(in *Directive, name, why string) {
	for _, d := range in.find(name) {
		t.leave(d, why)
	}
}

// leaveAll says why a directive and all in its block are not taken.
func (t *translation) leaveAll(d *Directive, why string) {
	t.leave(d, why)
	part := fmt.Sprintf("it is part of %s in line %d", d.Name(), d.Line)
	var walk func([]*Directive)
	walk = func(list []*Directive) {
		for _, sub := range list {
			if sub.holds() {
				t.leave(sub, part)
			}
			walk(sub.Block)
		}
	}
	walk(d.Block)
}

// offer adds a piece that is made of directives. Those that were left stay so.
func (t *translation) offer(of []*Directive, add func(*pb.Configuration) string) {
	p := &adoption.Piece{Add: add}
	for _, d := range of {
		if e := t.entries[d]; e.Verdict != adoption.NotTaken {
			p.Entries, t.of[e] = append(p.Entries, e), append(t.of[e], p)
		}
	}
	t.pieces = append(t.pieces, p)
}

// all returns a directive with all that is in its block.
func all(d *Directive) []*Directive {
	list := []*Directive{d}
	for _, sub := range d.Block {
		list = append(list, all(sub)...)
	}
	return list
}

// adopt adds to base what the cluster accepts.
func (t *translation) adopt(base *pb.Configuration, try adoption.Trial) (*pb.Configuration, *adoption.Report, error) {
	cfg, err := adoption.Take(base, t.pieces, try)
	if err != nil {
		return nil, nil, err
	}
	r := &adoption.Report{}
	for _, d := range t.order {
		r.Entries = append(r.Entries, *t.entries[d])
	}
	return cfg, r, nil
}

// settle takes what a director refuses out of a service, and says of each why. The
// problem is why the rest cannot be taken either.
func (t *translation) settle(v *Virtual) (problem string) {
	for {
		lines := v.lines()
		_, err := ipvs.Parse(text([]*Virtual{v}))
		if err == nil {
			return ""
		}
		e, ok := errors.AsType[*ipvs.LineError](err)
		if !ok || e.Line < 1 || e.Line > len(lines) {
			return err.Error()
		}
		of, why := lines[e.Line-1].of, inTheFile(e.Problem, lines)
		if of == nil {
			return why
		}
		t.leaveAll(of, why)
		v.Reals = slices.DeleteFunc(v.Reals, func(r Real) bool { return r.made == of })
		if v.Sorry != nil && v.Sorry.made == of {
			v.Sorry = nil
		}
	}
}

var lineNumber = regexp.MustCompile(`\bline [0-9]+\b`)

// inTheFile names the lines of what was read where a director names its own.
func inTheFile(problem string, lines []configLine) string {
	return lineNumber.ReplaceAllStringFunc(problem, func(text string) string {
		n, err := strconv.Atoi(strings.TrimPrefix(text, "line "))
		if err != nil || n < 1 || n > len(lines) || lines[n-1].of == nil {
			return text
		}
		return fmt.Sprintf("line %d", lines[n-1].of.Line)
	})
}
