package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"quorate/cluster/executor"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// An understudy keeps this node ready for what others run, where a kind of resource
// needs that.
type understudy struct {
	id     string // of this node
	store  *state.Store
	agents executor.Agents
	stood  func() // called when what is ready may have changed; nil: nobody asks
	logger *slog.Logger
}

// understudyRetry is how long to wait before what could not be made ready is tried
// again: an interface may come up.
const understudyRetry = 5 * time.Second

// An audience is what decides about what is to be ready: a configuration, and
// whether this node hosts anything.
type audience struct {
	configuration uint64 // its index
	hosts         bool
}

// Run does so until ctx is canceled. What is ready then stays so.
func (u *understudy) Run(ctx context.Context) error {
	told := map[resources.Stander]bool{} // of resources, at some time
	var done, tried audience             // of the newest success, and of the newest attempt
	var retry <-chan time.Time           // set while the newest attempt has failed
	said, due := "", false
	for ctx.Err() == nil {
		changed := u.store.Changed()
		s := u.store.Get().State
		if now := (audience{s.GetConfigurationIndex(), u.hosts(s)}); now != done && (now != tried || due) {
			err := u.stand(ctx, s, told)
			if tried, due, retry = now, false, nil; err == nil {
				done, said = now, ""
			} else {
				retry = time.After(understudyRetry)
			}
			if err != nil && err.Error() != said {
				said = err.Error()
				u.logger.Warn("this node is not ready to take over all", "err", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-retry:
			due = true
		}
	}
	return nil
}

// hosts reports whether this node may run anything.
func (u *understudy) hosts(s *pb.State) bool {
	n := state.NodeByID(s, u.id)
	return n != nil && n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Role != pb.Role_ROLE_WITNESS
}

// stand tells each kind of its resources, and of none on a node that hosts nothing.
func (u *understudy) stand(ctx context.Context, s *pb.State, told map[resources.Stander]bool) error {
	hosts, kinds := u.hosts(s), map[resources.Stander][]*pb.Resource{}
	for _, r := range s.GetResources() {
		agent, err := u.agents.Find(r.Agent)
		stander, ok := agent.(resources.Stander)
		if err != nil || !ok || r.Deleting || !hosts {
			continue
		}
		kinds[stander] = append(kinds[stander], r)
		told[stander] = true
	}
	var err error
	for stander := range told {
		err = errors.Join(err, stander.Stand(ctx, kinds[stander]))
	}
	if u.stood != nil {
		u.stood()
	}
	return err
}
