package vip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// timeline runs an announcer for a while of virtual time and prints when it
// announced, in seconds, with claims at the given moments.
func timeline(a *announcer, first int, length time.Duration, claims ...time.Duration) string {
	began := time.Now()
	var at []string
	a.limit = &limiter{}
	if first > 0 {
		a.limit.take(began) // Start's
	}
	a.send = func() { at = append(at, fmt.Sprintf("%g", time.Since(began).Seconds())) }
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	heard := make(chan struct{}, 1)
	for _, c := range claims {
		time.AfterFunc(c, func() {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	}
	a.run(ctx, first, heard)
	return strings.Join(at, " ")
}

func TestAnnouncementsFollowTheirSchedule(t *testing.T) {
	ms := time.Millisecond
	tests := []struct {
		name   string
		a      announcer
		first  int
		length time.Duration
		claims []time.Duration
		want   string
	}{
		{"default, after Start's", announcer{count: 5, interval: 200 * ms}, 1, 200 * time.Second, nil,
			"0.2 0.4 0.6 0.8 1 5 30 60 120 180"},
		{"adopted", announcer{count: 5, interval: 200 * ms}, 0, 2 * time.Second, nil,
			"0 0.2 0.4 0.6 0.8 1"},
		{"a long burst swallows what it covers", announcer{count: 4, interval: 2 * time.Second}, 1, 40 * time.Second, nil,
			"2 4 6 30"},
		{"one", announcer{count: 1, interval: 200 * ms}, 1, 70 * time.Second, nil,
			"1 5 30 60"},
		{"never more than five in a second", announcer{count: 8, interval: 10 * ms}, 1, 1900 * ms, nil,
			"0.01 0.02 0.03 0.04 1 1.01 1.02 1.03"},
		{"a claim is answered at once", announcer{count: 1, interval: 200 * ms}, 1, 4 * time.Second, []time.Duration{2 * time.Second},
			"1 2"},
		{"claims are answered at most five times a second, the last one too", announcer{count: 1, interval: 200 * ms}, 1, 9 * time.Second,
			[]time.Duration{6000 * ms, 6010 * ms, 6020 * ms, 6030 * ms, 6040 * ms, 6050 * ms, 6060 * ms, 6070 * ms},
			"1 5 6 6.01 6.02 6.03 6.04 7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := timeline(&tt.a, tt.first, tt.length, tt.claims...); got != tt.want {
					t.Errorf("announcements\n got %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

// The machine stood still while it sent the first: the second in which no more than
// five leave begins when that has left.
func TestTheLimitCountsFromWhenAnAnnouncementLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1900*time.Millisecond)
		defer cancel()
		began, stalls := time.Now(), 90*time.Millisecond
		var left []time.Duration
		a := announcer{count: 8, interval: 10 * time.Millisecond, limit: &limiter{}}
		a.send = func() {
			time.Sleep(stalls)
			stalls = 0
			left = append(left, time.Since(began))
		}
		a.run(ctx, 0, nil)
		if len(left) <= burstLimit || left[burstLimit]-left[0] != time.Second {
			t.Errorf("they left at %v, want the sixth a second after the first", left)
		}
	})
}
