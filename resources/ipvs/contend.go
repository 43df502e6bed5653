package ipvs

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Contends implements [resources.Contender]: a virtual service is one director's, on
// every node that may run both.
func (a *Agent) Contends(r, other *pb.Resource) error {
	mine, err := a.parse(r)
	if err != nil {
		return nil //nolint:nilerr // what cannot be read takes nothing
	}
	theirs, err := a.parse(other)
	if err != nil {
		return nil //nolint:nilerr // likewise
	}
	for _, v := range mine.config.Virtuals {
		for _, k := range v.Keys {
			for _, w := range theirs.config.Virtuals {
				if slices.Contains(w.Keys, k) {
					return duplicate(mine, v, k, other.GetId(), theirs.source, w.Line)
				}
			}
		}
	}
	return nil
}

func duplicate(s *settings, v Virtual, k Key, other, source string, line int) error {
	e := &resources.ParameterError{
		Parameter: s.source,
		Problem:   fmt.Sprintf("line %d: the virtual service %s is in line %d of the %s of %s already", v.Line, k, line, source, other),
	}
	if s.source == "config" {
		e.Lines = []int{v.Line}
	}
	return e
}
