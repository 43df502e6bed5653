package simulation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A history is what clients wrote to the configuration, and read of it, and
// when. It must be linearizable: as if each access had happened at one instant
// between its call and its end. What a client was not told the end of may
// happen at any time later, or never.
//
// Only reads that go through the log are in it. One of a machine's own state,
// as `status` does, may be old, and says so by its index, which only grows (see
// audit).
type history struct {
	mu         sync.Mutex
	operations []porcupine.Operation
}

// An access is one write or read of an attribute of the first node.
type access struct {
	key   string
	write bool
	value string // to write
}

// keys are the attributes that clients use.
var keys = []string{"a", "b"}

// registers is the model: each key holds what was written last.
var registers = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, len(keys))
		for _, o := range all {
			for i, key := range keys {
				if o.Input.(access).key == key {
					parts[i] = append(parts[i], o)
				}
			}
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(holds, input, output any) (bool, any) {
		if a := input.(access); a.write {
			return true, a.value
		}
		return output == holds, holds
	},
	DescribeOperation: func(input, output any) string {
		if a := input.(access); a.write {
			return fmt.Sprintf("%s = %s", a.key, a.value)
		}
		return fmt.Sprintf("%s is %v", input.(access).key, output)
	},
}

// check returns what is wrong with the history; empty: nothing.
func (h *history) check() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch porcupine.CheckOperationsTimeout(registers, h.operations, 10*time.Second) {
	case porcupine.Illegal:
		text := "S2: what clients read and wrote is not linearizable"
		for _, o := range h.operations {
			end := "unknown"
			if o.Return != math.MaxInt64 {
				end = fmt.Sprint(time.Duration(o.Return))
			}
			text += fmt.Sprintf("\n    %v to %s: %s", time.Duration(o.Call), end, registers.DescribeOperation(o.Input, o.Output))
		}
		return text
	case porcupine.Unknown:
		return "S2: whether what clients read and wrote is linearizable could not be decided in time"
	default:
		return ""
	}
}

func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.operations)
}

func (h *history) add(client int, a access, call time.Duration, output any, end int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{
		ClientId: client, Input: a, Call: int64(call), Output: output, Return: end,
	})
}

// client reads and writes through any machine until ctx ends.
func (w *world) client(ctx context.Context, number int) {
	for i := 0; ctx.Err() == nil; i++ {
		if p := w.machines[w.noise.pick(w.names...)].running(); p != nil {
			key := w.noise.pick(keys...)
			switch w.noise.draw(5) {
			case 0, 1:
				w.write(ctx, number, p, access{key: key, write: true, value: fmt.Sprintf("%d.%d", number, i)})
			case 2, 3:
				w.read(ctx, number, p, key)
			default:
				w.refused(ctx, p)
			}
		}
		w.sleep(w.noise.between(50*time.Millisecond, 400*time.Millisecond))
	}
}

func (w *world) write(ctx context.Context, client int, p *process, a access) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	call := time.Since(w.epoch)
	err := w.insistOnce(ctx, p, a.value, &pb.Edit{
		Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: w.names[0], SetAttributes: map[string]string{a.key: a.value}}},
	})
	end := int64(time.Since(w.epoch))
	var refused *state.Refusal
	switch {
	case errors.As(err, &refused):
		w.violate("S8: a change in order is refused: %v", err)
		return
	case err != nil || p.dead():
		end = math.MaxInt64
	}
	w.history.add(client, a, call, nil, end)
}

// insistOnce proposes an edit under a request, by the name of who does, until it is
// known what became of it, as the API does for people.
func (w *world) insistOnce(ctx context.Context, p *process, actor string, e *pb.Edit) error {
	id := make([]byte, 16)
	copy(id, actor)
	c := &pb.Command{
		Actor: actor, Request: &pb.Request{Id: id, After: p.store.Get().Index},
		Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{e}}},
	}
	for {
		_, err := p.core.Propose(ctx, c)
		if !errors.Is(err, consensus.ErrUnknown) || ctx.Err() != nil || p.dead() {
			return err
		}
		w.sleep(20 * time.Millisecond)
	}
}

// judgeOnce finds what was done twice: each client's change has a name of its own.
func (w *world) judgeOnce() {
	by := map[string]uint64{}
	for _, e := range w.leaderState().GetEvents() {
		if e.Actor == "" || e.Kind != "configuration" {
			continue
		}
		if first, again := by[e.Actor]; again {
			w.violate("S2: the change of %s was made at index %d and again at %d", e.Actor, first, e.Index)
		}
		by[e.Actor] = e.Index
	}
}

// read reads an attribute on the leader, behind an entry of the log that
// changes nothing: what was committed before is applied then.
func (w *world) read(ctx context.Context, client int, p *process, key string) bool {
	if !p.core.Leads() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	call := time.Since(w.epoch)
	_, err := p.core.ProposeAsLeader(ctx, w.nonsense(0))
	var refused *state.Refusal
	if !errors.As(err, &refused) || p.dead() {
		return false
	}
	value := state.NodeByName(p.store.Get().State, w.names[0]).Attributes[key]
	w.history.add(client, access{key: key}, call, value, int64(time.Since(w.epoch)))
	return true
}

// refused proposes what must be refused (S8).
func (w *world) refused(ctx context.Context, p *process) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c := w.nonsense(w.noise.draw(5))
	if _, err := p.core.Propose(ctx, c); err == nil {
		w.violate("S8: %s took %v", p.machine.id, c)
	}
}

// nonsense is a command that no state takes.
func (w *world) nonsense(kind int) *pb.Command {
	switch kind {
	case 0:
		return &pb.Command{Body: &pb.Command_Free{Free: &pb.Free{Resource: addresses[0], Number: math.MaxUint64}}}
	case 1:
		return &pb.Command{Body: &pb.Command_NodeGone{NodeGone: &pb.NodeGone{Node: w.names[0], Epoch: math.MaxUint64}}}
	case 2:
		return &pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
			FromVersion: math.MaxUint64, Voters: w.names[:1],
		}}}
	case 3:
		return &pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: &pb.Result{
			Operation: math.MaxUint64, Kind: pb.OperationKind_OPERATION_KIND_STOP, Resource: addresses[0], Node: w.names[0],
			Outcome: pb.Outcome_OUTCOME_DONE,
		}}}}
	default:
		return &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: "nobody", SetAttributes: map[string]string{"a": "lost"}}},
		}}}}}
	}
}
