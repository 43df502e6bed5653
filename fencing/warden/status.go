package warden

import "time"

// A Status is what the table says of the warden.
type Status struct {
	PID      int // 0: none lives
	Locked   bool
	RealTime bool
	Held     int // resources on the list
	Last     Execution
	Watchdog Watchdog
}

// An Execution is when a warden killed what ran.
type Execution struct {
	Number    int64 // counts them; 0: none
	Resources string
	Processes int
	At        time.Duration // on the clock of leases
	Took      time.Duration
}

// A Watchdog is what became of it.
type Watchdog struct {
	State   string // "off", "armed", "failed", "starved"
	Text    string // its identity, or why it failed
	Timeout time.Duration
	Needed  time.Duration // within which it must fire; 0: nothing needs it
}

// Status reads it.
func (l *Link) Status() Status {
	l.mu.Lock()
	names := map[string]bool{}
	var needed time.Duration
	for _, r := range l.records {
		names[string(r.name)] = true
		if r.watchdog > 0 && (needed == 0 || r.watchdog < needed) {
			needed = r.watchdog
		}
	}
	l.mu.Unlock()
	t := l.table
	s := Status{Locked: t.flag(wordLocked), RealTime: t.flag(wordRanked), Held: len(names), Last: l.Last()}
	if l.Alive() {
		s.PID = int(t.get(wordWarden))
	}
	s.Watchdog = Watchdog{State: dogStates[dogState(t.get(wordDog))], Text: t.text(textDog), Timeout: t.time(wordTimeout), Needed: needed}
	return s
}

var dogStates = map[dogState]string{dogOff: "off", dogArmed: "armed", dogFailed: "failed", dogStarve: "starved"}

// Last is what was killed the last time.
func (l *Link) Last() Execution {
	t := l.table
	return Execution{
		Number: t.get(wordPasses), Resources: t.text(textKilled), Processes: int(t.get(wordKilled)), At: t.time(wordAt), Took: t.time(wordTook),
	}
}
