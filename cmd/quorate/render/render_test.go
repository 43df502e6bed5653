package render

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var at = time.Unix(1780000200, 0).UTC()

func answer(t *testing.T, file string) *pb.GetResponse {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := new(pb.GetResponse)
	if err := prototext.Unmarshal(data, r); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return r
}

// drawings are all ways to draw a status.
var drawings = []struct {
	title string
	draw  func(io.Writer, *pb.GetResponse) error
}{
	{"quorate status", func(w io.Writer, r *pb.GetResponse) error { return Status(w, r, at, Options{Program: "quorate"}) }},
	{"pcs status nodes --full", func(w io.Writer, r *pb.GetResponse) error {
		return Nodes(w, r, at, Options{Program: "pcs", Full: true})
	}},
	{"pcs resource status", func(w io.Writer, r *pb.GetResponse) error {
		return Resources(w, r, r.GetState().GetResources(), at, Options{Program: "pcs"})
	}},
	{"quorate quorum status", func(w io.Writer, r *pb.GetResponse) error { return Quorum(w, r, at, Options{Program: "quorate"}) }},
}

// Every answer in testdata is drawn in every way, into one golden file.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtpb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no answers in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := answer(t, file)
			var b strings.Builder
			for _, d := range drawings {
				b.WriteString("==== " + d.title + "\n")
				if err := d.draw(&b, r); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, strings.TrimSuffix(file, ".txtpb")+".golden", b.String())
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (-update writes it)\n got\n%s\nwant\n%s", file, got, want)
	}
}

func TestColoursDoNotMoveColumns(t *testing.T) {
	r := answer(t, "testdata/trouble.txtpb")
	var plain, coloured strings.Builder
	if err := Status(&plain, r, at, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := Status(&coloured, r, at, Options{Palette: Palette{Colour: true}}); err != nil {
		t.Fatal(err)
	}
	stripped := coloured.String()
	for _, code := range []string{"0", "1", "2", "31", "32", "33"} {
		stripped = strings.ReplaceAll(stripped, "\x1b["+code+"m", "")
	}
	if stripped == coloured.String() {
		t.Error("nothing was coloured")
	}
	if stripped != plain.String() {
		t.Errorf("coloured and stripped\n%s\nplain\n%s", stripped, plain.String())
	}
}

func TestMarginSaysWhatMayFail(t *testing.T) {
	tests := []struct {
		heard, voters int
		want          string
	}{
		{1, 1, "There is one voter: when it fails, service stops. Add two more."},
		{2, 2, "2 of 2 voters are heard and 2 are needed: no voter may fail. Add a witness, or set no-quorum-policy=ignore to let one of the two go on alone."},
		{3, 3, "3 of 3 voters are heard and 2 are needed: one more voter may fail."},
		{2, 3, "2 of 3 voters are heard and 2 are needed: no further voter may fail before service stops."},
		{5, 5, "5 of 5 voters are heard and 3 are needed: 2 more voters may fail."},
		{1, 3, "1 of 3 voters is heard and 2 are needed: service stops any moment."},
	}
	for _, tt := range tests {
		if got := margin(tt.heard, tt.voters); got != tt.want {
			t.Errorf("margin(%d, %d)\n got %s\nwant %s", tt.heard, tt.voters, got, tt.want)
		}
	}
}

func TestNeededSaysWhatIsMissing(t *testing.T) {
	tests := []struct {
		heard, voters int
		want          string
	}{
		{1, 3, "2 of 3 voters needed: nothing is started or moved until one more is heard."},
		{1, 5, "3 of 5 voters needed: nothing is started or moved until 2 more are heard."},
		{2, 3, "2 of 3 voters are heard, but they have not agreed yet: an election is under way, or links between them are cut."},
	}
	for _, tt := range tests {
		if got := needed(tt.heard, tt.voters); got != tt.want {
			t.Errorf("needed(%d, %d)\n got %s\nwant %s", tt.heard, tt.voters, got, tt.want)
		}
	}
}

func TestSpan(t *testing.T) {
	tests := map[time.Duration]string{
		-time.Second:                     "0 ms",
		0:                                "0 ms",
		450 * time.Millisecond:           "450 ms",
		59900 * time.Millisecond:         "59 s",
		61 * time.Second:                 "1 min",
		2*time.Hour + 5*time.Minute:      "2 h 05 min",
		50*time.Hour + 30*time.Minute:    "2 d 2 h",
		1000*24*time.Hour + 3*time.Hour:  "1000 d 3 h",
		23*time.Hour + 59*time.Minute:    "23 h 59 min",
		time.Minute - time.Nanosecond:    "59 s",
		time.Second - time.Millisecond:   "999 ms",
		time.Hour - 100*time.Millisecond: "59 min",
	}
	for d, want := range tests {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestOwnerOfAGroupIsThatOfItsFirstMemberThatRuns(t *testing.T) {
	v := NewView(answer(t, "testdata/trouble.txtpb"), at)
	for id, want := range map[string]string{"moved": "lvss", "site": "web1", "nowhere": "", "nobody": ""} {
		if got := v.Owner(id); got != want {
			t.Errorf("Owner(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestEventsTellPhasesAndActors(t *testing.T) {
	events := []*pb.Event{
		{Id: 1, At: timestamppb.New(at.Add(-48 * time.Hour)), Text: "VirtualIP was created", Actor: "root@lvsm"},
		{
			Id: 2, At: timestamppb.New(at), Severity: pb.Severity_SEVERITY_WARNING, Text: "lvsm is gone: VirtualIP runs on lvss after 512 ms",
			Phases: []*pb.Phase{
				{Name: "silence", At: durationpb.New(0)},
				{Name: "gone", At: durationpb.New(462 * time.Millisecond)},
				{Name: "started", At: durationpb.New(512 * time.Millisecond)},
			},
		},
	}
	want := `2026-05-26 20:30:00.000  VirtualIP was created (root@lvsm)
20:30:00.000  lvsm is gone: VirtualIP runs on lvss after 512 ms
              silence 0 ms, gone 462 ms, started 512 ms
`
	var b strings.Builder
	if err := Events(&b, events, at, Palette{}); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestAgent(t *testing.T) {
	m := &pb.AgentMetadata{
		Name: "vip", Serves: []string{"ocf:heartbeat:IPaddr2"}, Summary: "an address",
		Description: "Adds an address.\n",
		Parameters: []*pb.Parameter{
			{Name: "ip", Type: "address", Required: true, Summary: "the address"},
			{Name: "arp_interval", Type: "integer", Default: "200", Unit: "ms", Summary: "between two announcements"},
		},
		Operations: []*pb.OperationSpec{
			{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
			{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		},
	}
	want := `vip: an address
Also known as ocf:heartbeat:IPaddr2

Adds an address.

Parameters
  ip            address  required        the address
  arp_interval  integer  default 200 ms  between two announcements

Operations
  monitor  at most 20 s  every 10 s
  start    at most 20 s
`
	var b strings.Builder
	if err := Agent(&b, m, Palette{}); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
