package controller

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Instances of a clone with notify=true are told before and after one of them is
// started, stopped, promoted or demoted (Pacemaker Explained 3.0, "Clone Resource
// Agent Requirements"). What they answer means nothing, and what a leader did not
// get to tell, its successor does not: a notification may be lost with a leader, or
// come twice. It is in no log.

// notifyTime bounds one notification, so that an instance that does not answer holds
// nothing up for long.
const notifyTime = 20 * time.Second

// tells reports whether instances are told of an operation.
func tells(st *pb.State, op *pb.Operation) bool {
	return notified[op.Kind] != "" && state.Notifies(st, op.Resource)
}

var notified = map[pb.OperationKind]string{
	pb.OperationKind_OPERATION_KIND_START: "start", pb.OperationKind_OPERATION_KIND_STOP: "stop",
	pb.OperationKind_OPERATION_KIND_PROMOTE: "promote", pb.OperationKind_OPERATION_KIND_DEMOTE: "demote",
}

// When instances are told.
const (
	before = "pre"
	after  = "post"
)

// announce tells the instances that run now what is about to happen or has happened,
// in both cases with who was what before, and waits for them.
func (t *term) announce(ctx context.Context, now, then *pb.State, op *pb.Operation, when string) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for _, i := range now.Instances {
		busy := state.OperationOn(now, op.Resource, i.Node)
		if i.Resource != op.Resource || !active(i) || busy != nil && busy.Id != op.Id {
			continue
		}
		request := order(now, &pb.Operation{
			Id: op.Id, Kind: pb.OperationKind_OPERATION_KIND_NOTIFY, Resource: op.Resource, Node: i.Node,
			Epoch: state.NodeByID(now, i.Node).GetEpoch(), Since: op.Since,
			Assignment: uint64(len(when)), // tells the order before from the one after
		})
		if request == nil || request.Instancing == nil {
			continue
		}
		tell(request.Instancing.Told, then, op, when)
		g.Go(func() error {
			if _, err := t.peers.Execute(ctx, i.Node, request); err != nil {
				t.logger.Info("instance not notified", "resource", op.Resource, "node", i.Node, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait()
}

func active(i *pb.Instance) bool { return i.State == pb.InstanceState_INSTANCE_STATE_RUNNING }

// tell says in the names of scripts what happens to whom: to all instances that are
// about to change in the same way, and which others there are.
func tell(told map[string]string, st *pb.State, op *pb.Operation, when string) {
	told["notify_type"], told["notify_operation"] = when, notified[op.Kind]
	lists := make(map[string][]string) // of node names
	add := func(list, node string) { lists[list] = append(lists[list], node) }
	for _, o := range st.Operations {
		if o.Resource == op.Resource && notified[o.Kind] != "" {
			add(notified[o.Kind], state.NodeName(st, o.Node))
		}
	}
	for _, n := range st.Nodes {
		i := state.InstanceOf(st, op.Resource, n.Id)
		switch {
		case n.Role == pb.Role_ROLE_WITNESS || n.Admission != pb.Admission_ADMISSION_ADMITTED:
			continue
		case i == nil || !active(i):
			add("inactive", n.Name)
		case i.Promoted:
			add("active", n.Name)
			add("promoted", n.Name)
		default:
			add("active", n.Name)
			add("unpromoted", n.Name)
		}
		add("available", n.Name)
	}
	for _, list := range []string{"start", "stop", "promote", "demote", "active", "inactive", "promoted", "unpromoted", "available"} {
		told["notify_"+list+"_uname"] = strings.Join(lists[list], " ")
		if list != "available" {
			told["notify_"+list+"_resource"] = strings.TrimSpace(strings.Repeat(op.Resource+" ", len(lists[list])))
		}
	}
	for old, name := range map[string]string{"master": "promoted", "slave": "unpromoted"} { // before Pacemaker 2.1
		for _, of := range []string{"_uname", "_resource"} {
			told["notify_"+old+of] = told["notify_"+name+of]
		}
	}
}
