package render

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	pb "quorate/proto/quorate/v1"
)

// Measures of the picture, in pixels.
const (
	boxHeight  = 28
	boxGap     = 12 // between boxes of one column
	columnGap  = 56 // for the arrows
	letter     = 8  // width of one, at most
	laneMargin = 14
	laneGap    = 10
)

// SVG draws a plan: a lane for each node, a box for each step, in the column
// after those that it waits for, and an arrow from each of these.
func SVG(w io.Writer, f *pb.Forecast) error {
	d := layOut(f)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", d.width, d.height)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>` + "\n")
	if len(f.GetSteps()) == 0 {
		fmt.Fprintf(&b, `<text x="%d" y="%d">Nothing is to be done.</text>`+"\n", laneMargin, boxHeight)
	}
	for i, l := range d.lanes {
		fill := [...]string{"#f4f6f8", "#e9edf1"}[i%2]
		fmt.Fprintf(&b, `<rect x="0" y="%d" width="%d" height="%d" fill="%s"/><text x="%d" y="%d" font-weight="bold">%s</text>`+"\n",
			l.top, d.width, l.height, fill, laneMargin, l.top+laneMargin+18, escaped(laneName(l.node)))
	}
	for i, s := range f.GetSteps() { // below the boxes, so that no text is crossed
		for _, before := range s.GetAfter() {
			d.arrow(&b, d.at[before], d.at[i])
		}
	}
	for i, s := range f.GetSteps() {
		d.box(&b, s, d.at[i])
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// A drawing says where everything is.
type drawing struct {
	lanes         []lane
	at            []point // of the upper left corner of each step's box
	box0          int     // x of the first column
	boxWidth      int
	width, height int
}

type lane struct {
	node        string
	top, height int
}

type point struct{ x, y int }

func layOut(f *pb.Forecast) *drawing {
	d := &drawing{}
	names := lanes(f)
	for _, n := range names {
		d.box0 = max(d.box0, utf8.RuneCountInString(laneName(n))*(letter+1)+2*laneMargin)
	}
	for _, s := range f.GetSteps() {
		d.boxWidth = max(d.boxWidth, utf8.RuneCountInString(stepText(s))*letter+16)
	}
	columns := columnsOf(f)
	d.at = make([]point, len(columns))
	for _, n := range names {
		d.addLane(f, columns, n)
	}
	last := 0
	for _, c := range columns {
		last = max(last, c)
	}
	d.width = d.box0 + (last+1)*d.boxWidth + last*columnGap + laneMargin
	if len(d.lanes) == 0 {
		d.width, d.height = 240, 2*boxHeight
	}
	return d
}

// columnsOf returns the column of each step: after all that it waits for.
func columnsOf(f *pb.Forecast) []int {
	columns := make([]int, len(f.GetSteps()))
	for i, s := range f.GetSteps() {
		for _, before := range s.GetAfter() {
			columns[i] = max(columns[i], columns[before]+1)
		}
	}
	return columns
}

// addLane puts the steps of a node below each other where they share a column.
func (d *drawing) addLane(f *pb.Forecast, columns []int, node string) {
	top, rows := d.height, 1
	filled := make(map[int]int) // column -> boxes
	for i, s := range f.GetSteps() {
		if s.GetNode() != node {
			continue
		}
		c := columns[i]
		d.at[i] = point{d.box0 + c*(d.boxWidth+columnGap), top + laneMargin + filled[c]*(boxHeight+boxGap)}
		filled[c]++
		rows = max(rows, filled[c])
	}
	l := lane{node: node, top: top, height: 2*laneMargin + rows*boxHeight + (rows-1)*boxGap}
	d.lanes = append(d.lanes, l)
	d.height = top + l.height + laneGap
}

func (d *drawing) box(b *strings.Builder, s *pb.PlannedStep, at point) {
	fmt.Fprintf(b, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s" stroke="#555"%s/><text x="%d" y="%d" text-anchor="middle">%s</text></g>`+"\n",
		escaped(s.GetReason()), at.x, at.y, d.boxWidth, boxHeight, colourOf(s.GetOperation()), dashed(s, ` stroke-dasharray="4 3"`),
		at.x+d.boxWidth/2, at.y+boxHeight/2+5, escaped(stepText(s)))
}

func colourOf(operation string) string {
	switch operation {
	case "start", "promote":
		return "#d5f0d8"
	case "stop", "demote":
		return "#f7dfd3"
	case "fence":
		return "#f3b9b9"
	}
	return "#ffffff"
}

func (d *drawing) arrow(b *strings.Builder, from, to point) {
	x1, y1, x2, y2 := from.x+d.boxWidth, from.y+boxHeight/2, to.x, to.y+boxHeight/2
	fmt.Fprintf(b, `<path d="M%d,%d C%d,%d %d,%d %d,%d" fill="none" stroke="#555" marker-end="url(#tip)"/>`+"\n",
		x1, y1, x1+columnGap/2, y1, x2-columnGap/2, y2, x2, y2)
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
