package simulation

const (
	holder    = "cluster/lease/holder.go"
	voter     = "cluster/lease/voter.go"
	nodeState = "cluster/state/lease.go"
)

// Bugs of the lease protocol, each of which broke its model. The first schedules
// in which they were found here: 3, 6, 10, 18, 25, 174, 176, 201.
var plantedBugs = []planted{
	{"lease counted from the arrival of the ack", []edit{
		{holder, "if end := e.counted(*b) + b.length; e.applied", "if end := e.Clock.Now() + b.length; e.applied"},
	}, "S1"},
	{"ack after testimony", []edit{
		{voter, "refused := marked >= b.Epoch || ", "refused := "},
	}, "S1"},
	{"testimony not durable", []edit{
		{voter, "if err := e.Marks.Save(t.about, t.epoch); err != nil {", "if err := error(nil); err != nil {"},
	}, "S1"},
	{"testimony marked only after the disk write", []edit{
		{voter, "\t\tv.marks[about] = max(v.marks[about], q.Epoch) // from here on no ack (rule 13)\n", ""},
		{voter, "\te.voter.durable[t.about] = max(", "\te.voter.marks[t.about] = max(e.voter.marks[t.about], t.epoch)\n\te.voter.durable[t.about] = max("},
	}, "S1"},
	{"young voter testifies", []edit{
		{voter, "\tv.listening = e.Clock.Now()\n\tv.ticked = v.listening\n", "\tv.ticked = e.Clock.Now()\n"},
	}, "S1"},
	{"no resignation", []edit{
		{holder, "if !h.held && now-h.since > h.length {", "if false {"},
	}, "S7"},
	{"epoch used again after a resignation", []edit{
		{holder, "\th.spent = max(h.spent, h.epoch)\n", ""},
	}, "S1"},
	{"NodeGone without compare-and-set on the epoch", []edit{
		{nodeState, "case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != g.Epoch:", "case n.Admission != pb.Admission_ADMISSION_ADMITTED:"},
	}, "S1"},
}
