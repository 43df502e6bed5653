package check

// State is what is known of a server.
type State int

// States. The zero State is that of a server that has not been asked yet.
const (
	Unknown State = iota
	Up
	Down
)

func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case Down:
		return "down"
	default:
		return "unknown"
	}
}

// A judge turns answers into a state: pure, and not safe for concurrent use.
//
// Invariant: a known state changes only after rise successes (fall failures) in
// a row that all contradict it. Nothing contradicts Unknown: the first answer
// settles it, so that a director that begins need not wait for rise rounds.
type judge struct {
	rise, fall int
	state      State
	against    int // answers in a row that contradict the state
	changes    int // of a known state
}

// take takes one answer in and reports whether the state has changed.
func (j *judge) take(ok bool) bool {
	says := Down
	if ok {
		says = Up
	}
	switch {
	case j.state == Unknown:
		j.state = says
		return true
	case j.state == says:
		j.against = 0
		return false
	}
	j.against++
	if ok && j.against < j.rise || !ok && j.against < j.fall {
		return false
	}
	j.state, j.against = says, 0
	j.changes++
	return true
}

// doubtful reports whether the server may be about to go down.
func (j *judge) doubtful() bool { return j.state == Up && j.against > 0 }
