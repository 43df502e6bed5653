package state

import (
	"bytes"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// A proposer that does not learn what became of its command, because the leader
// fell, proposes it again under the same request. The log may then hold it twice,
// and it takes effect once: the state remembers what it accepted.
//
// Invariant: of the requests that were accepted after index i all are remembered,
// unless there are keptRequests of them and the first is of an index beyond i+1. So
// one that is not remembered was never accepted, or that cannot be told any more,
// which is told instead.
//
// A refused command changes nothing, this memory neither. A repetition is judged
// anew, and that is final: whoever leads and commits it has committed all that came
// before, and what is not in his log by then never will be.
//
// It is no session with a number for each command, since people are clients of one
// command each.
//
// Source: Ongaro, "Consensus: Bridging Theory and Practice" (2014), section 6.3.

const (
	keptRequests = 1000
	requestSize  = 16 // bytes of an id
)

// ForgottenRequest is the field of the refusal of a command of which the state cannot
// tell any more whether it was accepted.
const ForgottenRequest = "request"

// acceptedBefore returns the answer that a request was given, nil if there was none.
func acceptedBefore(s *pb.State, r *pb.Request) (first *Applied, err error) {
	if r == nil {
		return nil, nil
	}
	if len(r.Id) != requestSize {
		return nil, refuse(Invalid, "request id", "", "it has %d bytes, want %d", len(r.Id), requestSize)
	}
	for _, a := range slices.Backward(s.Accepted) {
		if bytes.Equal(a.Id, r.Id) {
			return &Applied{Index: a.Index}, nil
		}
	}
	if full := len(s.Accepted) == keptRequests; full && s.Accepted[0].Index > r.After+1 {
		return nil, refuse(Stale, ForgottenRequest, "try again",
			"more than %d commands came since this node has heard of the cluster", keptRequests)
	}
	return nil, nil
}

// accept remembers that the draft's command was accepted.
func (d *draft) accept(r *pb.Request) {
	if r == nil {
		return
	}
	kept := d.Accepted[max(0, len(d.Accepted)+1-keptRequests):]
	d.Accepted = append(slices.Clone(kept), &pb.AcceptedRequest{Id: r.Id, Index: d.index})
}
