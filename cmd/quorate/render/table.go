// Package render draws answers of the cluster for people: calm tables and
// sentences that can be read at 3 a.m., trouble first.
//
// It is pure: an answer, a time and a [Palette] in, text out.
package render

import (
	"io"
	"strings"
	"unicode/utf8"
)

// A Style says what a piece of text means; a Palette gives it a colour.
type Style int

// Colours are for what matters: most text is Plain.
const (
	Plain Style = iota
	Strong
	Faint
	Good
	Warn
	Bad
)

// A Palette colours text, or leaves it alone.
type Palette struct{ Colour bool }

// Paint returns s in the colour of style.
func (p Palette) Paint(style Style, s string) string {
	code := map[Style]string{Strong: "1", Faint: "2", Good: "32", Warn: "33", Bad: "31"}[style]
	if !p.Colour || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// A Cell is one field of a table.
type Cell struct {
	Text  string
	Style Style
}

// Text makes plain cells.
func Text(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, t := range texts {
		cells[i].Text = t
	}
	return cells
}

// A Table lines columns up. A row that was added by Line stands for itself.
type Table struct {
	Indent string
	rows   [][]Cell
	lines  map[int]bool
}

// Row adds a row.
func (t *Table) Row(cells ...Cell) { t.rows = append(t.rows, cells) }

// Line adds text under the last row that does not take part in the columns.
func (t *Table) Line(style Style, text string) {
	if t.lines == nil {
		t.lines = make(map[int]bool)
	}
	t.lines[len(t.rows)] = true
	t.Row(Cell{text, style})
}

// Write draws the table.
func (t *Table) Write(w io.Writer, p Palette) error {
	widths := t.widths()
	var b strings.Builder
	for i, row := range t.rows {
		for len(row) > 0 && row[len(row)-1].Text == "" {
			row = row[:len(row)-1]
		}
		b.WriteString(t.Indent)
		for j, c := range row {
			b.WriteString(p.Paint(c.Style, c.Text))
			if j < len(row)-1 && !t.lines[i] {
				b.WriteString(strings.Repeat(" ", widths[j]-utf8.RuneCountInString(c.Text)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) widths() []int {
	var widths []int
	for i, row := range t.rows {
		if t.lines[i] {
			continue
		}
		for j, c := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], utf8.RuneCountInString(c.Text))
		}
	}
	return widths
}
