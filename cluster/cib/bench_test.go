package cib_test

import (
	"testing"
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
)

// The parts of `simulate --cib` at 5,000 primitives, to be profiled one by one.
func BenchmarkCIB(b *testing.B) {
	data := generate(5000)
	d, err := cib.Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	in, err := d.Input(time.Unix(1_800_000_000, 0))
	if err != nil {
		b.Fatal(err)
	}
	out := engine.Run(in)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cib.Parse(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("input", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := d.Input(in.Now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decide", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			engine.Run(in)
		}
	})
	b.Run("forecast", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			cib.Forecast(out)
		}
	})
}
