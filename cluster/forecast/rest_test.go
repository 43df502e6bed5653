package forecast

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

// Clusters whose forecasts once did not come true, because what was on its way
// still, or already, drew others.
func TestForecastsFollowPlansToTheirEnd(t *testing.T) {
	tests := []struct{ name, script, change, lost string }{
		{"what leaves keeps others off no more", "colocation a b -INFINITY\nmove c n2", "location a n2 20", ""},
		{"and who was kept off may take any node", "colocation a d -INFINITY", "location a n1 20", ""},
		{"what arrives draws others after it", "colocation b a 20", "location b n1 -50", ""},
		{"a small dislike draws nobody", "colocation b c 20\nlocation b n1 -50", "", "n3"},
		{"what is disabled draws nobody through it", "colocation d c 20\ncolocation a d 100\nmeta d target-role=Stopped", "", "n3"},
		{"what must run together moves together", "colocation c a 20\ncolocation c b INFINITY\nmeta d target-role=Stopped\nlocation c n1 20", "", "n1"},
		{"likes and dislikes together", "colocation b a -50\ncolocation b d 20\nlocation a n1 -50", "", "n1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "create a\ncreate b\ncreate c\ncreate d\n"+tt.script)
			if tt.change != "" {
				want := w.forecast(tt.change)
				w.change(w.edit(tt.change))
				checkCame(t, w, want)
			}
			if tt.lost != "" {
				want, err := Simulate(w.state, w.state, &pb.WhatIf{NodeDown: []string{tt.lost}}, w.now())
				if err != nil {
					t.Fatal(err)
				}
				w.lose(tt.lost)
				checkCame(t, w, want)
			}
		})
	}
}

func checkCame(t *testing.T, w *world, want *pb.Forecast) {
	t.Helper()
	w.settle()
	if got := places(Between(w.state, w.state, w.now())); got != places(want) {
		t.Errorf("foretold\n%scame\n%s", places(want), got)
	}
}
