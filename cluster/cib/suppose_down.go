package cib

import "quorate/cluster/scheduler/engine"

// SupposeDown lets a node have left in good order: it runs nothing, and what it
// knew is forgotten.
func SupposeDown(in *engine.Input, name string) error {
	n, err := nodeNamed(in, "node-down", name)
	if err != nil {
		return err
	}
	s := stateOf(n)
	s.InCCM, s.Crmd, s.Join, s.Expected = "false", "offline", "down", "down"
	n.History, n.Transient = nil, nil
	return nil
}
