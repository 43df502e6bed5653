package node

import (
	"testing"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

func TestWhichUsesOfDevicesAreStillWanted(t *testing.T) {
	st := &pb.State{LastFencing: 4, Fencings: []*pb.Fencing{
		{Id: 2, Phase: pb.FencingPhase_FENCING_PHASE_DONE},
		{Id: 3, Phase: pb.FencingPhase_FENCING_PHASE_OFF},
		{Id: 4, Phase: pb.FencingPhase_FENCING_PHASE_ON},
	}}
	tests := []struct {
		name    string
		fencing uint64
		action  string
		want    bool
	}{
		{"to be switched off", 3, fencing.Off, true},
		{"off already", 4, fencing.Off, false},
		{"to be switched on", 4, fencing.On, true},
		{"confirmed by hand", 2, fencing.Off, false},
		{"forgotten", 1, fencing.Off, false},
		{"not heard of yet", 5, fencing.Off, true},
		{"by one of a pair", 1<<63 | 7, fencing.Off, true},
	}
	for _, tt := range tests {
		if got := stillWanted(st, tt.fencing, tt.action); got != tt.want {
			t.Errorf("%s: %s for fencing %d is wanted: %v", tt.name, tt.action, tt.fencing, got)
		}
	}
}
