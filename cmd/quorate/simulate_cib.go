package main

import (
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// A cibSource is a CIB and when it is looked at.
type cibSource struct {
	file string
	at   string // RFC 3339, or as Pacemaker writes times; empty: when it was saved to be decided upon, else now
}

func (s cibSource) time(d *cib.Document, now time.Time) (time.Time, error) {
	if s.at == "" {
		if saved := d.ExecutionDate(); !saved.IsZero() {
			return saved, nil
		}
		return now, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s.at); err == nil {
			return t.UTC(), nil
		}
	}
	return now, grammar.Errorf("%q is not a time", s.at).With("write it as 2026-11-25T20:00:00Z")
}

// simulateCIB prints what Pacemaker would do about the cluster in a CIB.
func (a *app) simulateCIB(source cibSource, w *pb.WhatIf, files []string) error {
	if len(files) > 0 {
		return grammar.Errorf("%q: a configuration of Quorate cannot be tried on a CIB", files[0]).With("leave it out, or --cib")
	}
	out, err := a.decideCIB(source, w)
	if err != nil {
		return err
	}
	return a.printForecast(cib.Forecast(out))
}

// decideCIB reads a CIB and decides about it.
func (a *app) decideCIB(source cibSource, w *pb.WhatIf) (*engine.Outcome, error) {
	data, file, err := a.readFile(source.file)
	if err != nil {
		return nil, err
	}
	source.file = file
	return a.decide(data, source, func(in *engine.Input) error { return cib.Suppose(in, w) })
}

// decide decides about a CIB of which something is supposed. What is wrong with
// either is bad input.
func (a *app) decide(data []byte, source cibSource, suppose func(*engine.Input) error) (*engine.Outcome, error) {
	d, err := cib.Parse(data)
	if err != nil {
		return nil, grammar.Errorf("%s: %v", source.file, err)
	}
	at, err := source.time(d, a.now())
	if err != nil {
		return nil, err
	}
	in, err := d.Input(at)
	if err != nil {
		return nil, grammar.Errorf("%s: %v", source.file, err)
	}
	if err := suppose(in); err != nil {
		return nil, grammar.Errorf("--%v", err)
	}
	return engine.Run(in), nil
}
