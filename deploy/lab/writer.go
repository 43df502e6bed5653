package lab

import (
	"context"
	"fmt"
	"time"
)

const (
	writtenKeys = 8
	writeEvery  = 500 * time.Millisecond
	writeTime   = 5 * time.Second // after which a command counts as unanswered
)

// A writer changes a cluster's configuration all the time, on one node after
// the other, by the commands that people type: parameters of resources that are
// never started.
type writer struct {
	cluster *Cluster
	ledger  *ledger
}

func writtenKey(i int) string { return fmt.Sprintf("written%d", i) }

// create makes what is written to.
func (w *writer) create(ctx context.Context) error {
	for i := range writtenKeys {
		key, value := writtenKey(i), writtenValue(i, 0)
		w.ledger.begin(key, value)
		_, err := w.cluster.Type(ctx, w.cluster.Lab.Spec.Nodes()[0],
			"pcs resource create "+key+" ocf:heartbeat:IPaddr2 ip="+value+" meta target-role=Stopped")
		if err != nil {
			return err
		}
		w.ledger.end(key, value, true)
	}
	return nil
}

// writtenValue is an address of the lab's network.
func writtenValue(key, number int) string { return fmt.Sprintf("fd77::%x:%x", key+1, number+1) }

// Run writes until ctx ends.
func (w *writer) Run(ctx context.Context) {
	nodes := w.cluster.Lab.Spec.Nodes()
	for n := 1; pause(ctx, writeEvery) == nil; n++ {
		i := n % writtenKeys
		w.write(ctx, nodes[n%len(nodes)], writtenKey(i), writtenValue(i, n))
	}
}

// write tries once, and to the end: that a node cannot is what it is there for.
func (w *writer) write(ctx context.Context, node, key, value string) {
	w.ledger.begin(key, value)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	_, err := w.cluster.Lab.Output(ctx, node, "pcs", "resource", "update", key, "ip="+value)
	w.ledger.end(key, value, err == nil)
}

// check says what a node lost.
func (w *writer) check(v View, node string) []string {
	values := map[string]string{}
	for _, r := range v.GetState().GetResources() {
		values[r.GetId()] = r.GetParameters()["ip"]
	}
	return w.ledger.missing(node, values)
}
