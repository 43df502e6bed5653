package scheduler

import (
	"cmp"
	"slices"
)

// A rank says how bad a problem is.
type rank int

const (
	stuck        rank = iota // nothing happens without a person
	nowhere                  // no node may run it
	waiting                  // time will heal it
	worthKnowing             // it runs, but
)

type problem struct {
	rank     rank
	resource string // empty: of none
	text     string
}

type problems []problem

func (p *problems) add(k rank, resource, text string) {
	*p = append(*p, problem{k, resource, text})
}

// sentences returns all problems, worst first.
func (p problems) sentences() []string {
	slices.SortStableFunc(p, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.resource, b.resource))
	})
	var list []string
	for _, q := range p {
		list = append(list, q.text)
	}
	return list
}

// blocking returns why a resource cannot run or be stopped.
func (p problems) blocking(resource string) []string {
	var list []string
	for _, q := range p {
		if q.resource == resource && q.rank < worthKnowing {
			list = append(list, q.text)
		}
	}
	return list
}
