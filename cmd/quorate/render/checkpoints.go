package render

import (
	"fmt"
	"io"
	"strconv"
	"time"

	pb "quorate/proto/quorate/v1"
)

// longest is how many characters of what a checkpoint changed are shown.
const longest = 120

// Checkpoints draws the configurations that are kept, the present one last.
func Checkpoints(w io.Writer, list []*pb.Checkpoint, now time.Time, p Palette) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "None yet: the first change of the configuration makes one.")
		return err
	}
	var t Table
	for _, c := range list {
		t.Row(Cell{strconv.FormatUint(c.GetNumber(), 10), Strong}, Cell{clock(now, c.GetAt().AsTime(), "15:04:05"), Faint},
			Cell{Text: c.GetActor()}, Cell{Text: shortened(c.GetText())})
	}
	return t.Write(w, p)
}

func shortened(text string) string {
	if r := []rune(text); len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return text
}
