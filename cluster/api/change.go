package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// clusterService changes things.
type clusterService struct {
	*Server
	pb.UnimplementedClusterServer
}

// Change validates a list of edits and commits it, all or none. Of a dry run it
// only says what would happen.
func (c clusterService) Change(ctx context.Context, r *pb.ChangeRequest) (*pb.ChangeResponse, error) {
	if err := c.enrolled(); err != nil {
		return nil, err
	}
	if len(r.Edits) == 0 {
		return nil, invalid("edits", "there are none", "")
	}
	if !r.DryRun && c.confirmedHere(ctx, r.Edits) {
		return &pb.ChangeResponse{Notes: []string{"taken as confirmed: this node goes on alone"}}, nil
	}
	if err := c.unread(r.Revisions); err != nil {
		return nil, err
	}
	d, err := c.rehearse(ctx, r.Edits)
	if err != nil {
		return nil, err
	}
	if r.DryRun {
		return &pb.ChangeResponse{Notes: d.notes, Warnings: d.warnings(), Forecast: d.forecast()}, nil
	}
	if !r.Force {
		if err := d.mayInterrupt(); err != nil {
			return nil, err
		}
	}
	applied, err := c.propose(ctx, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: d.edits}}})
	if err != nil {
		return nil, err
	}
	return &pb.ChangeResponse{Index: applied.Index, Notes: d.notes, Warnings: d.warnings()}, nil
}

// enrolled refuses while this node is in no cluster, or knows nothing of its own:
// an agent that has just started learns from the leader how the cluster is.
func (s *Server) enrolled() error {
	if s.state.Get().State.GetClusterId() != "" {
		return nil
	}
	if _, member := s.identity.Cluster(); member {
		return errUnheard
	}
	return errNoCluster
}

// informed is enrolled for those who can wait for a leader, and until this node
// knows at least what it knew before its agent started: after a boot of all nodes
// not even all their names are there at once.
func (s *Server) informed(ctx context.Context) error {
	if err := s.enrolled(); err != nil && !errors.Is(err, errUnheard) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, admitTimeout)
	defer cancel()
	if s.until(ctx, func(st *pb.State) bool { return st.GetClusterId() != "" && s.sight.Known() == nil }) != nil {
		return errUnheard
	}
	return nil
}

// A draft is a change on its way: the state after the edits so far, had they
// been applied to the one this node knows.
type draft struct {
	*Server
	base, state *pb.State
	index       uint64 // that the log would give the change, if nothing else came first
	at          time.Time
	edits       []*pb.Edit // with what agents say filled in
	notes       []string
	warned      []string // by agents
}

// rehearse applies the edits to a copy of the state, one after the other, and
// asks the agents about every resource they touch. The log decides in the end;
// this finds bad input without it, also while there is no quorum (S8).
func (s *Server) rehearse(ctx context.Context, edits []*pb.Edit) (*draft, error) {
	now := s.state.Get()
	d := &draft{Server: s, base: now.State, state: now.State, index: now.Index + 1, at: time.Now()}
	for i, e := range edits {
		if err := d.edit(ctx, proto.CloneOf(e)); err != nil {
			if len(edits) > 1 {
				return nil, fmt.Errorf("%w (edit %d of %d)", err, i+1, len(edits))
			}
			return nil, err
		}
	}
	return d, nil
}

func (d *draft) edit(ctx context.Context, e *pb.Edit) error {
	if u := e.GetUpdateNode(); len(u.GetAddresses()) > 0 {
		if err := d.readdress(ctx, u); err != nil {
			return err
		}
	}
	if err := d.recall(e.GetReplaceConfiguration()); err != nil {
		return err
	}
	if err := d.fillDevices(ctx, e); err != nil {
		return err
	}
	if err := d.step(e); err != nil {
		return err
	}
	if err := d.mayClone(); err != nil {
		return err
	}
	for _, r := range d.touched(e) {
		if err := d.check(ctx, r, e.GetRestartResource().GetReload()); err != nil {
			return err
		}
	}
	d.edits = append(d.edits, e)
	return nil
}

// recall fills in the configuration of the checkpoint that is to be restored.
func (d *draft) recall(r *pb.ReplaceConfiguration) error {
	if r.GetCheckpoint() == 0 || r.Configuration != nil {
		return nil
	}
	old, err := state.ConfigurationAt(d.base, r.Checkpoint)
	if err != nil {
		return err
	}
	r.Configuration = proto.CloneOf(old) // the traits are filled in
	return nil
}

// step applies one edit to the draft's state, after it filled in the traits of
// the agents that it names.
func (d *draft) step(e *pb.Edit) error {
	if err := d.fillTraits(e); err != nil {
		return err
	}
	next, err := d.after(e)
	if err != nil {
		return err
	}
	d.state = next
	return nil
}

// after returns what the draft's state would be after one more edit.
func (d *draft) after(e *pb.Edit) (*pb.State, error) {
	cmd := &pb.Command{ProposedAt: timestamppb.New(d.at), Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{e}}}}
	next, _, err := state.Step(d.state, d.index, cmd)
	return next, err
}

// fillTraits tells the state what it must know of the agents that an edit names.
func (d *draft) fillTraits(e *pb.Edit) error {
	switch k := e.Kind.(type) {
	case *pb.Edit_CreateResource:
		return d.fill(k.CreateResource.GetResource())
	case *pb.Edit_ReplaceConfiguration:
		for _, r := range k.ReplaceConfiguration.GetConfiguration().GetResources() {
			if err := d.fill(r); err != nil {
				return err
			}
		}
	case *pb.Edit_UpdateResource:
		if concernsAgent(k.UpdateResource) {
			return d.fillUpdate(e, k.UpdateResource)
		}
	case nil:
		return invalid("edit", "it says nothing that this version knows", "")
	}
	return nil
}

func (d *draft) fill(r *pb.Resource) error {
	if r == nil {
		return invalid("resource", "none is given", "")
	}
	agent, err := d.find(r)
	if err != nil {
		return err
	}
	r.Traits = resources.Traits(agent, r)
	return nil
}

// fillUpdate fills in the traits that a resource has once it is changed.
func (d *draft) fillUpdate(e *pb.Edit, u *pb.UpdateResource) error {
	after, err := d.after(e)
	if err != nil {
		return err
	}
	r := state.ResourceByID(after, u.Id)
	if r == nil { // a group
		return nil
	}
	agent, err := d.find(r)
	if err != nil {
		return err
	}
	u.Traits = resources.Traits(agent, r)
	return nil
}

func (d *draft) find(r *pb.Resource) (resources.Agent, error) {
	agent, err := d.agents.Find(r.Agent)
	if err != nil {
		return nil, agentRefusal(err)
	}
	return agent, nil
}

// agentRefusal makes the state's kind of refusal of a name that no agent has.
func agentRefusal(err error) error {
	r := &state.Refusal{Code: state.NotFound, Field: "agent", Problem: err.Error()}
	if unknown, ok := errors.AsType[*resources.UnknownAgentError](err); ok {
		r.Problem, r.Fix = fmt.Sprintf("%q is unknown", unknown.Name), "known are "+strings.Join(unknown.Known, ", ")
		if len(unknown.Nearest) > 0 {
			r.Fix = "did you mean " + strings.Join(unknown.Nearest, " or ") + "?"
		}
	}
	return r
}

// concernsAgent tells an update that the agent is asked about from one of meta
// attributes, which are the scheduler's.
func concernsAgent(u *pb.UpdateResource) bool {
	return len(u.SetParameters)+len(u.UnsetParameters)+len(u.SetOperations)+len(u.UnsetOperations) > 0
}

// touched returns the resources, as they are after the edit, whose parameters
// or operations it may have changed.
func (d *draft) touched(e *pb.Edit) []*pb.Resource {
	switch k := e.Kind.(type) {
	case *pb.Edit_CreateResource:
		return []*pb.Resource{state.ResourceByID(d.state, k.CreateResource.Resource.Id)}
	case *pb.Edit_UpdateResource:
		if r := state.ResourceByID(d.state, k.UpdateResource.Id); r != nil && concernsAgent(k.UpdateResource) {
			return []*pb.Resource{r}
		}
	case *pb.Edit_RestartResource:
		if k.RestartResource.Reload {
			return d.membersOf(k.RestartResource.Id)
		}
	case *pb.Edit_ReplaceConfiguration:
		return slices.DeleteFunc(slices.Clone(d.state.Resources), d.unchanged)
	}
	return nil
}

func (d *draft) membersOf(id string) []*pb.Resource {
	var list []*pb.Resource
	for _, member := range state.Members(d.state, id) {
		list = append(list, state.ResourceByID(d.state, member))
	}
	return list
}

// unchanged reports whether a resource is as the cluster has it already.
func (d *draft) unchanged(r *pb.Resource) bool {
	old := state.ResourceByID(d.base, r.Id)
	return r.Deleting || (old != nil && old.Agent == r.Agent && maps.Equal(old.Parameters, r.Parameters) &&
		slices.EqualFunc(old.Operations, r.Operations, sameOperation))
}

func sameOperation(a, b *pb.OperationSpec) bool { return proto.Equal(a, b) }

// check asks the resource's agent about it: first about its kind, then about
// the machine it may run on. What is not installed here is asked about elsewhere.
// Anew is for parameters that are the same and may mean something else.
func (d *draft) check(ctx context.Context, r *pb.Resource, anew bool) error {
	agent, err := d.find(r)
	if err != nil {
		return err
	}
	warnings, err := resources.Check(agent.Metadata(), r)
	if err != nil {
		return parameterRefusal(r, err)
	}
	if old := state.ResourceByID(d.base, r.Id); !anew && old != nil && old.Agent == r.Agent && maps.Equal(old.Parameters, r.Parameters) {
		return nil // the machine was asked when it was made, and may be in trouble now
	}
	missing := resources.Missing(agent)
	if missing == nil { // what is missing describes nothing
		d.warned = append(d.warned, warnings...)
	}
	var notes []string
	if missing != nil || d.hostsNothing() {
		notes, err = d.validateElsewhere(ctx, r, missing)
	} else {
		notes, err = agent.Validate(ctx, r)
	}
	if err == nil {
		err = d.uncontended(agent, r)
	}
	if err == nil {
		err = d.checkTexts(ctx, agent, r)
	}
	if err != nil {
		return parameterRefusal(r, err)
	}
	if missing == nil && !d.hostsNothing() {
		d.compare(ctx, agent, r)
	}
	d.notes = append(d.notes, notes...)
	return nil
}

func (d *draft) hostsNothing() bool {
	return state.NodeByID(d.base, d.self.Info().ID).GetRole() == pb.Role_ROLE_WITNESS
}

// validateElsewhere asks the other machines, one after the other until one can
// tell. An agent that is missing here has to be on one of them.
func (d *draft) validateElsewhere(ctx context.Context, r *pb.Resource, missing error) ([]string, error) {
	for _, n := range d.base.Nodes {
		if !d.askable(n) {
			continue
		}
		notes, err := d.validateOn(ctx, n, r)
		if _, refused := errors.AsType[*resources.ParameterError](err); err == nil || refused {
			return notes, err
		}
		d.logger.Info("node did not answer about a resource", "node", n.Name, "resource", r.Id, "err", err)
	}
	if missing != nil {
		return nil, d.unknownAgent(r.Agent, missing)
	}
	return nil, nil // nobody to ask: the start will tell
}

// unknownAgent refuses an agent that no node has.
func (d *draft) unknownAgent(name string, missing error) error {
	e := &resources.ParameterError{Parameter: "agent", Problem: missing.Error() + ", nor on another that answers"}
	if near := d.agents.Unknown(name).Nearest; len(near) > 0 {
		e.Fix = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return e
}

func (d *draft) validateOn(ctx context.Context, n *pb.Node, r *pb.Resource) ([]string, error) {
	answer, err := d.askValidate(ctx, n, r)
	switch {
	case err != nil:
		return nil, err
	case answer.Missing:
		return nil, errors.New(answer.Error)
	case answer.Error != "":
		return nil, saidOf(answer)
	}
	d.warned = append(d.warned, answer.Warnings...)
	return answer.Notes, nil
}

// askValidate asks a node what it says of a resource.
func (s *Server) askValidate(ctx context.Context, n *pb.Node, r *pb.Resource) (*pb.ValidateResponse, error) {
	conn, err := s.dialer.ClientConn(n.Id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return pb.NewAgentClient(conn).Validate(ctx, &pb.ValidateRequest{Resource: r})
}

// saidOf is the error that a node answered with.
func saidOf(answer *pb.ValidateResponse) *resources.ParameterError {
	e := &resources.ParameterError{Parameter: answer.Field, Problem: answer.Error}
	for _, n := range answer.Lines {
		e.Lines = append(e.Lines, int(n))
	}
	return e
}

// answerTimeout is how long another machine may take over a short question.
const answerTimeout = 5 * time.Second

// parameterRefusal makes the state's kind of refusal of an agent's.
func parameterRefusal(r *pb.Resource, err error) error {
	wrong, ok := errors.AsType[*resources.ParameterError](err)
	if !ok {
		return precondition("resource "+r.Id, err.Error(), "")
	}
	refusal := invalid(wrong.Parameter, wrong.Problem, wrong.Fix)
	if len(wrong.Lines) > 0 {
		return &textError{refusal, wrong.Lines}
	}
	return refusal
}

// warnings are what the user may want to know of a change that was made.
func (d *draft) warnings() []string {
	list := slices.Clone(d.warned)
	if made := len(d.state.Resources) > len(d.base.Resources); made && !slices.ContainsFunc(d.state.Nodes, mayHost) {
		list = append(list, "no node can host resources at the moment: use `quorate cluster start --all`")
	}
	return slices.Concat(list, d.orderWarnings(), d.alertWarnings())
}

// mayHost is for words only; the scheduler decides.
func mayHost(n *pb.Node) bool {
	return n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Role != pb.Role_ROLE_WITNESS && !n.Standby && !n.Stopped
}
