package render

import (
	"fmt"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// PeerName is the name of the node that the answering one is a pair with, or
// nothing.
func PeerName(resp *pb.GetResponse) string {
	if resp.GetPair().GetPeer() == "" {
		return ""
	}
	for _, n := range resp.GetState().GetNodes() {
		if n.GetId() == resp.Pair.Peer {
			return n.GetName()
		}
	}
	return resp.Pair.Peer
}

// pair says what may still fail in a pair, in the answering node's sight, and
// whether all is well.
func (v *View) pair(o Options) (lines []string, good bool) {
	p, me, peer := v.resp.GetPair(), v.resp.GetNodeName(), PeerName(v.resp)
	reason := p.GetReason()
	switch p.GetPhase() {
	case pb.PairPhase_PAIR_PHASE_TOGETHER:
		return append([]string{
			fmt.Sprintf("%s and %s hear each other. Either may fail: the other goes on alone, %s.", me, peer, condition(p)),
		}, risk(p)...), true
	case pb.PairPhase_PAIR_PHASE_WAITING:
		return []string{
			fmt.Sprintf("%s has not heard %s since its agent started %s ago. Until it does it runs nothing, so that two nodes that boot apart do not both serve.", me, peer, span(p.GetSince().AsDuration())),
			fmt.Sprintf("If %s is off for certain: \"%s quorum unblock\".", peer, o.Program),
		}, false
	case pb.PairPhase_PAIR_PHASE_SUSPECT, pb.PairPhase_PAIR_PHASE_DECIDING, pb.PairPhase_PAIR_PHASE_FORKING:
		return []string{fmt.Sprintf("%s is silent, and %s finds out whether to go on alone%s.", peer, me, colon(reason))}, false
	case pb.PairPhase_PAIR_PHASE_HELD_BACK:
		return []string{
			fmt.Sprintf("%s hears nothing of %s, and is held back%s.", me, peer, colon(reason)),
			"It keeps what it runs, takes nothing over, and asks again every second. Nothing can be configured here meanwhile.",
		}, false
	case pb.PairPhase_PAIR_PHASE_CUT_OFF:
		return []string{
			fmt.Sprintf("%s is cut off%s.", me, colon(reason)),
			"It runs nothing until a ping target answers.",
		}, false
	default:
		return []string{
			fmt.Sprintf("%s has gone on alone for %s. When it fails too, service stops. %s rejoins by itself when it is back.", me, span(p.GetSince().AsDuration()), peer),
		}, false
	}
}

// condition says what must hold for one to go on.
func condition(p *pb.PairStatus) string {
	switch {
	case p.GetFenced():
		return "once it has fenced the failed one"
	case p.GetChecked():
		return "if a ping target (quorum.ping) answers it and nobody else answers for the addresses"
	default:
		return "if nobody else answers for the addresses"
	}
}

// risk says what a pair does not promise.
func risk(p *pb.PairStatus) []string {
	switch {
	case p.GetFenced():
		return nil
	case p.GetChecked():
		return []string{"If every network between the two is cut and both still reach a ping target, both serve until they meet. Only a witness rules that out."}
	default:
		return []string{
			"If every network between the two is cut, both serve until they meet. Set quorum.ping to an address that only a node with working links reaches, or better: add a witness.",
		}
	}
}

func colon(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + strings.TrimSuffix(reason, ".")
}
