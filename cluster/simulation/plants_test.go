package simulation

const (
	core       = "cluster/node/core.go"
	deliveries = "cluster/controller/orders.go"
	electorate = "cluster/state/electorate.go"
	engine     = "cluster/lease/engine.go"
	executions = "cluster/executor/operations.go"
	executors  = "cluster/executor/executor.go"
	fences     = "cluster/controller/fence.go"
	fencings   = "cluster/state/fencing.go"
	forks      = "cluster/fork/fork.go"
	vipGuard   = "resources/vip/guard/guard.go"
	holder     = "cluster/lease/holder.go"
	leader     = "cluster/lease/leader.go"
	lapses     = "cluster/executor/lapse.go"
	members    = "cluster/state/nodes.go"
	operate    = "fencing/operate.go"
	nodeState  = "cluster/state/lease.go"
	pairs      = "cluster/pair/driver.go"
	results    = "cluster/state/results.go"
	roles      = "cluster/executor/role.go"
	stores     = "cluster/consensus/stores.go"
	units      = "cluster/executor/unit.go"
	voter      = "cluster/lease/voter.go"
	commands   = "cluster/state/step.go"
	simDisk    = "cluster/simulation/disk.go"
	simGuard   = "cluster/simulation/guard.go"
	simKernel  = "cluster/simulation/kernel.go"
	simMachine = "cluster/simulation/machine.go"
	simWarden  = "cluster/simulation/warden.go"
	simWorld   = "cluster/simulation/world.go"
)

// The bugs that broke the model of the lease protocol, in the order of its
// section 5, and what came after it.
var plantedBugs = []planted{
	{name: "lease counted from the arrival of the ack", fails: "cluster/lease.TestRule9LateAcksDoNotStretchTheLease", seed: 3, want: "S1 S3", edits: []edit{
		{holder, "if end := e.counted(*b) + b.length; e.applied", "if end := If(BUG, e.Clock.Now(), e.counted(*b)) + b.length; e.applied"},
	}},
	{name: "ack after testimony", fails: "cluster/lease.TestRule13NoAckBetweenTheMarkAndTheTestimony", seed: 62, want: "S1 S3", edits: []edit{
		{voter, "refused := marked >= b.Epoch || ", "refused := !BUG && marked >= b.Epoch || "},
	}},
	{name: "testimony not durable", fails: "cluster/lease.TestRule13ATestimonyIsStoredBeforeItIsGiven", seed: 347, want: "S1 S3", edits: []edit{
		{voter, "\tif stored {\n", "\tif stored || BUG {\n"},
	}},
	{name: "young voter testifies", fails: "cluster/lease.TestRule12AYoungVoterDoesNotTestify", missed: 400, want: "S1 S3", edits: []edit{
		{voter, "\tv.listening = e.Clock.Now()\n\tv.ticked = v.listening\n", "\tv.ticked = e.Clock.Now()\n\tv.listening = If(BUG, 0, v.ticked)\n"},
	}},
	{name: "testimony marked only after the disk write", fails: "cluster/lease.TestRule13NoAckBetweenTheMarkAndTheTestimony", missed: 400, want: "S1 S3", edits: []edit{
		{voter, "\t\tv.marks[about] = max(v.marks[about], q.Epoch) // from here on no ack (rule 13)\n", "\t\tif !BUG {\n\t\t\tv.marks[about] = max(v.marks[about], q.Epoch)\n\t\t}\n"},
		{voter, "\te.voter.durable[t.about] = max(", "\te.voter.marks[t.about] = max(e.voter.marks[t.about], t.epoch)\n\te.voter.durable[t.about] = max("},
	}},
	{name: "receipt of a beat noted after its ack", fails: "cluster/lease.TestRule8AVoterThatHasAckedABeatHasHeardIt", missed: 400, want: "S1 S3", edits: []edit{
		{voter, "\tif !refused {\n\t\tv.heard[b.Node]", "\tif !refused && !BUG {\n\t\tv.heard[b.Node]"},
		{voter, "LeaseDatagram_Ack{Ack: ack}}) // lost is lost\n", "LeaseDatagram_Ack{Ack: ack}})\n\tif BUG && !refused {\n\t\te.mu.Lock()\n\t\tv.heard[b.Node] = e.Clock.Now()\n\t\te.mu.Unlock()\n\t}\n"},
	}},
	{name: "clock read after the send", fails: "cluster/lease.TestRule7TheClockIsReadBeforeTheBeatIsSent", seed: 395, want: "S1 S3", edits: []edit{
		{holder, "\t// Its own ack counts only while", "\tif BUG {\n\t\te.mu.Lock()\n\t\tfor i := range h.beats {\n\t\t\tif h.beats[i].seq == b.seq {\n\t\t\t\th.beats[i].sent = e.Clock.Now()\n\t\t\t}\n\t\t}\n\t\te.mu.Unlock()\n\t}\n\t// Its own ack counts only while"},
	}},
	{name: "changes of voters not awaited", fails: "cluster/state.TestElectorate", missed: 400, want: "S1 S2 S3 S7", edits: []edit{
		{electorate, "\tif err := d.confirmed(\"\"); err != nil {\n", "\tif err := d.confirmed(\"\"); err != nil && !BUG {\n"},
	}},
	{name: "changes of voters awaited by those who are heard alone", fails: "cluster/lease.TestRule19WhoTheLeaderDoesNotHearIsWaitedFor", missed: 400, want: "S1 S2 S3 S7", edits: []edit{
		{leader, "\te.Observer.Silent(s.node,", "\tif BUG {\n\t\te.propose(ctx, &pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{Node: s.node, Epoch: s.epoch, Version: e.applied.version}}})\n\t}\n\te.Observer.Silent(s.node,"},
	}},
	{name: "old lease kept over a change of voters", fails: "cluster/lease.TestRule20ALeaseIsCountedByTheNewVotersAtOnce", want: "S1 S3", edits: []edit{
		{holder, "func (h *holder) recount(e *Engine) {\n", "func (h *holder) recount(e *Engine) {\n\tif BUG {\n\t\th.counted = e.applied.version\n\t\treturn\n\t}\n"},
	}},
	{name: "testimonies counted in an old electorate", fails: "cluster/state.TestNodeGone", missed: 400, want: "S1 S3", edits: []edit{
		{nodeState, "case !Votes(d.State, t.Voter):", "case !BUG && !Votes(d.State, t.Voter):"},
	}},
	{name: "electorate learned outside the log", fails: "cluster/node.TestH3LeasesAreNotCountedByRaftsVoters", missed: 140, want: "S1 S2 S3 S7", edits: []edit{
		{core, "k.store.Observe(func(s state.Snapshot) { k.lease.Apply(s.State) })\n", `k.store.Observe(func(s state.Snapshot) {
		st := s.State
		if BUG && k.raft != nil {
			asRaft := *st
			asRaft.Electorate = &pb.Electorate{Version: st.Electorate.GetVersion()}
			servers, _ := k.raft.Servers()
			for _, s := range servers {
				if s.Voter {
					asRaft.Electorate.Voters = append(asRaft.Electorate.Voters, s.ID)
				}
			}
			st = &asRaft
		}
		k.lease.Apply(st)
	})
`},
	}},
	{name: "acks matched by their number alone", fails: "cluster/lease.TestH5AcksOfAnEarlierStartDoNotCount", missed: 400, want: "S1 S3", edits: []edit{
		{holder, "a.Node != e.Self || a.Epoch != h.epoch || a.Nonce != e.Nonce {", "a.Node != e.Self || !BUG && (a.Epoch != h.epoch || a.Nonce != e.Nonce) {"},
	}},
	{name: "voter wiped under the same identity", fails: "cluster/state.TestNodes", want: "S1 S2 S3 S7", edits: []edit{
		{members, "removed := slices.BinarySearch(d.Removed, n.Id); removed {", "removed := slices.BinarySearch(d.Removed, n.Id); removed && !BUG {"},
		{simMachine, "\tclose(p.ended)\n", "\tif BUG && powerOff {\n\t\tm.disk = newDisk()\n\t}\n\tclose(p.ended)\n"},
	}},
	{name: "threshold shorter than the lease", fails: "cluster/state.TestThreshold cluster/simulation.TestS1HoldsWhereClocksAreFarthestApart", want: "S1 S3", edits: []edit{
		{engine, "\treturn (length*11+9)/10 + 10*time.Millisecond\n", "\treturn If(BUG, length*9/10, (length*11+9)/10+10*time.Millisecond)\n"},
		{nodeState, "\treturn (lease*11+9)/10 + 10*time.Millisecond\n", "\treturn If(BUG, lease*9/10, (lease*11+9)/10+10*time.Millisecond)\n"},
	}},
	{name: "no resignation", fails: "cluster/lease.TestRule17AStuckNodeBeginsANewEpoch", missed: 420, want: "S7", edits: []edit{
		{holder, "if !h.held && now-h.since > h.length {", "if !BUG && !h.held && now-h.since > h.length {"},
	}},
	{name: "stale order obeyed", fails: "cluster/executor.TestRule21StaleOrdersAreRefused", missed: 400, want: "S1 S3", edits: []edit{
		{executors, "case r.Nonce != e.nonce:", "case !BUG && r.Nonce != e.nonce:"},
		{units, "case epoch != op.Epoch:", "case !BUG && epoch != op.Epoch:"},
		{units, "\tu.right = right{epoch: op.Epoch, assignment: op.Assignment}\n", "\tu.right = right{epoch: op.Epoch, assignment: op.Assignment}\n\tif BUG {\n\t\tu.right.epoch, _, _ = e.lease.Held()\n\t}\n"},
		{executions, "rt := right{r.Operation.Epoch, r.Operation.Assignment}\n", "rt := If(BUG, u.right, right{r.Operation.Epoch, r.Operation.Assignment})\n"},
	}},
	{name: "reassigned without the ack of the stop", fails: "cluster/controller.TestRule22AResourceWhoseStopIsNotAnsweredStartsNowhereElse", seed: 364, want: "S1 S3", edits: []edit{
		{deliveries, "\t\tt.logger.Debug(\"order not answered\"", "\t\tif op := r.Operation; BUG && op.Kind == pb.OperationKind_OPERATION_KIND_STOP {\n\t\t\treturn t.record(ctx, &pb.Result{Operation: op.Id, Kind: op.Kind, Resource: op.Resource, Node: op.Node, Epoch: op.Epoch, Assignment: op.Assignment, Outcome: pb.Outcome_OUTCOME_DONE})\n\t\t}\n\t\tt.logger.Debug(\"order not answered\""},
	}},
	{name: "stop acked before the guard is off", fails: "cluster/executor.TestRule22AStopIsDoneOnceNothingIsServedAnyMore", seed: 89, want: "S1 S3", edits: []edit{
		{executions, "\t\t\tif err := e.end(ctx, u, what, agent); err != nil {", "\t\t\tif BUG {\n\t\t\t\te.running.Go(func() { _ = agent.Stop(context.Background(), what) })\n\t\t\t\treturn pb.Outcome_OUTCOME_DONE, nil\n\t\t\t}\n\t\t\tif err := e.end(ctx, u, what, agent); err != nil {"},
	}},
	{name: "demotion acked before it is done", fails: "cluster/executor.TestRule22ADemotionIsDoneOnceNothingIsPromotedAnyMore", missed: 420, want: "S1 S7", edits: []edit{
		{roles, "\t\t\terr := agent.Demote(", "\t\t\tif BUG {\n\t\t\t\te.running.Go(func() { _ = agent.Demote(context.WithoutCancel(ctx), what) })\n\t\t\t\treturn pb.Outcome_OUTCOME_DONE, nil\n\t\t\t}\n\t\t\terr := agent.Demote("},
	}},
	{name: "NodeGone without compare-and-set on the epoch", fails: "cluster/state.TestNodeGone", seed: 308, want: "S1 S3 S8", edits: []edit{
		{nodeState, "case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != g.Epoch:", "case n.Admission != pb.Admission_ADMISSION_ADMITTED || !BUG && n.Epoch != g.Epoch:"},
	}},
	{name: "right outlives its epoch", fails: "cluster/executor.TestRule6NothingResumesAfterItsRightsWereDropped", want: "S1 S3", edits: []edit{
		{executions, "return held && u.right == rt && rt.epoch == epoch\n", "return held && u.right == rt && (BUG || rt.epoch == epoch)\n"},
		{lapses, "\tfor _, u := range e.units {\n\t\tu.right = right{}\n\t}\n", "\tfor _, u := range e.units {\n\t\tu.right = If(BUG, u.right, right{})\n\t}\n"},
	}},
	{name: "restart keeps the epoch and rights of its snapshot", fails: "cluster/lease.TestRule5AStartHoldsNoLeaseOfAnEarlierEpoch", missed: 400, want: "S1 S3", edits: []edit{
		{holder, "me.admitted && me.nonce == e.Nonce && me.epoch", "me.admitted && (BUG || me.nonce == e.Nonce) && me.epoch"},
		{core, "func (r rights) Regained() {\n\tr.executor.Regained()\n\tr.lapses.end()\n}\n", `func (r rights) Regained() {
	r.executor.Regained()
	r.lapses.end()
	if !BUG {
		return
	}
	s := r.store.Get().State
	for _, a := range s.Assignments {
		if a.Node == r.id && !a.Orphaned && !a.Revoking {
			op := &pb.Operation{Id: 1000000 + a.Number, Kind: pb.OperationKind_OPERATION_KIND_START, Resource: a.Resource, Node: a.Node, Epoch: a.Epoch, Assignment: a.Number}
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			_, _ = r.executor.Execute(ctx, &pb.ExecuteRequest{Operation: op, Resource: state.ResourceByID(s, a.Resource), Nonce: bugs.Nonce[r.id]})
			cancel()
		}
	}
}
`},
		{simMachine, "\tp.guard = newGuard(p)\n", "\tbugs.Nonce[m.id] = p.nonce\n\tp.guard = newGuard(p)\n"},
	}},
	{name: "epoch used again after a resignation", fails: "cluster/lease.TestRule17AResignedEpochIsNotBegunAgain", seed: 53, want: "S1 S3 S7", edits: []edit{
		{holder, "\th.spent = max(h.spent, h.epoch)\n", "\th.spent = If(BUG, h.spent, max(h.spent, h.epoch))\n"},
	}},
	{name: "restart admitted while the old guard is live", fails: "cluster/lease.TestRule4AStartClearsTheGuardBeforeItHasAnEpoch cluster/state.TestAdmit", seed: 15, want: "S1 S3 S5 S7", edits: []edit{
		{engine, "\tif !e.Guard.Kept() { // rule 4", "\tif !BUG && !e.Guard.Kept() { // rule 4"},
		{nodeState, "\t\t\td.setState(i, pb.InstanceState_INSTANCE_STATE_UNKNOWN)\n\t\t})\n\t})\n}\n\n// setState", "\t\t\td.setState(i, If(BUG, pb.InstanceState_INSTANCE_STATE_STOPPED, pb.InstanceState_INSTANCE_STATE_UNKNOWN))\n\t\t})\n\t})\n}\n\n// setState"},
	}},
	{name: "guard refreshed with the full length", fails: "resources/vip/guard.TestExtendWritesNoMoreThanThePresentLeaseRule23", want: "S1 S3", edits: []edit{
		{vipGuard, "\tuntil = min(until, deadline)\n", "\tuntil = min(until, deadline)\n\tif BUG {\n\t\tuntil = g.now() + 400*time.Millisecond\n\t}\n"},
		{simGuard, "\treturn min(until, deadline), held\n", "\treturn If(BUG, g.process.machine.clock.Now()+leaseLength, min(until, deadline)), held\n"},
	}},
	{name: "guard written without another look at the lease", fails: "resources/vip/guard.TestExtendWritesNoMoreThanThePresentLeaseRule23", missed: 400, want: "S1 S3", edits: []edit{
		{vipGuard, "\tuntil = min(until, deadline)\n", "\tuntil = If(BUG, deadline, min(until, deadline))\n"},
		{simGuard, "\tuntil, held := g.present(deadline)\n", "\tuntil, held := g.present(deadline)\n\tuntil = If(BUG, deadline, until)\n"},
	}},
	{name: "guard with a relative time", fails: "resources/vip/guard.TestAWriteFrozenPastItsDeadlineAdmitsNothingH7", seed: 16, want: "S1 S3", edits: []edit{
		{vipGuard, "until: wall + left,", "until: wall + left + If(BUG, time.Hour, 0),"},
		{simGuard, "\tm.gate(g.process, \"guard-write\")\n\tif g.process.dead() {\n\t\treturn errDead\n\t}\n\tm.world.judgeDeadline(g.process, until)\n\tm.kernel.extend(until, g.added)\n", "\tremaining := until - m.clock.Now()\n\tm.gate(g.process, \"guard-write\")\n\tif g.process.dead() {\n\t\treturn errDead\n\t}\n\tuntil = If(BUG, m.clock.Now()+remaining, until)\n\tm.world.judgeDeadline(g.process, until)\n\tm.kernel.extend(until, g.added)\n"},
	}},
	{name: "guard write not serialised with its delete", fails: "resources/vip/guard.TestNoAddOvertakesARevocationRule23", missed: 400, want: "S1 S3", edits: []edit{
		{vipGuard, "\tg.mu.Lock()\n\tdefer g.mu.Unlock()\n\tuntil, held := g.present()\n\tswitch {\n", "\tlock := sync.OnceFunc(g.mu.Lock)\n\tif !BUG {\n\t\tlock()\n\t}\n\tdefer g.mu.Unlock()\n\tuntil, held := g.present()\n\tlock()\n\tswitch {\n"},
		{simGuard, "\tg.lock <- struct{}{}\n\treturn func() { <-g.lock }\n", "\tif BUG {\n\t\treturn func() {}\n\t}\n\tg.lock <- struct{}{}\n\treturn func() { <-g.lock }\n"},
	}},
	{name: "guard on a clock that is slewed", fails: "cluster/simulation.TestS1HoldsWhereClocksAreFarthestApart", missed: 400, want: "S1 S3", edits: []edit{
		{simKernel, "\treturn !guarded || k.machine.clock.Now() < deadline\n", "\tif BUG {\n\t\tdeadline += leaseLength / 12\n\t}\n\treturn !guarded || k.machine.clock.Now() < deadline\n"},
	}},
	{name: "paused machine", fails: "cluster/simulation.TestAMachineThatWasPausedIsExcusedUntilItsBeatsAreRefused", seed: 100, want: "S1 S3", edits: []edit{
		{simMachine, "\treturn m.clock.Now() < m.stale\n", "\treturn !BUG && m.clock.Now() < m.stale\n"},
	}},
	{name: "threshold of five percent", fails: "cluster/state.TestThreshold cluster/simulation.TestS1HoldsWhereClocksAreFarthestApart", missed: 800, want: "S1 S3", edits: []edit{
		{engine, "\treturn bugs.If(bugs.On(\"threshold shorter than the lease\"), ", "\treturn If(BUG, length*105/100, If(bugs.On(\"threshold shorter than the lease\"), "},
		{engine, "(length*11+9)/10+10*time.Millisecond)\n", "(length*11+9)/10+10*time.Millisecond))\n"},
		{nodeState, "\treturn bugs.If(bugs.On(\"threshold shorter than the lease\"), ", "\treturn If(BUG, lease*105/100, If(bugs.On(\"threshold shorter than the lease\"), "},
		{nodeState, "(lease*11+9)/10+10*time.Millisecond)\n", "(lease*11+9)/10+10*time.Millisecond))\n"},
	}},
	{name: "owner testifies against itself", fails: "cluster/lease.TestRule13WhatBindsNobody cluster/state.TestNodeGone", seed: 24, want: "S1 S3", edits: []edit{
		{voter, "if !v.ready || q.Node == e.Self || q.Leader", "if !v.ready || !BUG && q.Node == e.Self || q.Leader"},
		{nodeState, "case t.Voter == n.Id:", "case !BUG && t.Voter == n.Id:"},
		{leader, "\t\tif id == s.node {\n", "\t\tif !BUG && id == s.node {\n"},
	}},
	{name: "no grace for a fresh epoch", fails: "cluster/lease.TestRule11AYoungEpochIsNotAskedAbout", missed: 400, want: "S7", edits: []edit{
		{leader, "silence := min(e.silence(id), now-m.known)", "silence := min(e.silence(id), If(BUG, now, now-m.known))"},
	}},

	{name: "commit not synced", fails: "cluster/consensus.TestS2WhatIsStoredIsSyncedBeforeThatIsSaid", seed: 45, want: "S2", edits: []edit{
		{stores, "\t\tPath: path,\n", "\t\tPath: path, NoSync: BUG,\n"},
		{simDisk, "\treturn c.to(d)\n}\n", "\tif BUG && d.synced == nil {\n\t\td.synced = d.clone()\n\t}\n\tif BUG {\n\t\td.unsynced = append(d.unsynced, c)\n\t\tif len(d.unsynced) > 2 {\n\t\t\t_ = d.unsynced[0].to(d.synced)\n\t\t\td.unsynced = d.unsynced[1:]\n\t\t}\n\t}\n\treturn c.to(d)\n}\n"},
		{simDisk, "\tsynced  *disk ", "\tunsynced []*change\n\tsynced  *disk "},
	}},
	{name: "requests not looked up", fails: "cluster/state.TestAKnownRequestChangesNothingAndIsAnsweredAsItWas cluster/api.TestACommandSurvivesAChangeOfTheLeaderAndIsDoneOnce", seed: 6, want: "S2", edits: []edit{
		{commands, "; first != nil || err != nil {", "; !BUG && (first != nil || err != nil) {"},
	}},
	{name: "failure of a stop ignored", fails: "cluster/state.TestOperations", seed: 130, want: "S1 S3", edits: []edit{
		{results, "func (d *draft) learnStop(i *pb.Instance, o *pb.Operation, r *pb.Result) {\n\tif r.Outcome == pb.Outcome_OUTCOME_DONE {", "func (d *draft) learnStop(i *pb.Instance, o *pb.Operation, r *pb.Result) {\n\tif BUG || r.Outcome == pb.Outcome_OUTCOME_DONE {"},
	}},
	{name: "pair recovery without the history of forks", fails: "cluster/fork.TestCheck", seed: 3, size: "pair", faults: "both alone,move,heal", want: "S1 S2 S7", edits: []edit{
		{forks, "func Check(asks, asked []string) error {\n", "func Check(asks, asked []string) error {\n\tif BUG {\n\t\treturn nil\n\t}\n"},
	}},
	{name: "start of one of a pair that outlives the peer's silence", fails: "cluster/pair.TestAStartThatNobodyWasAskedAboutEndsBeforeTheLeaseIsKeptAlone", missed: 800, size: "pair", want: "S1", edits: []edit{
		{pairs, "if next.Phase.Cautious() {", "if !BUG && next.Phase.Cautious() {"},
	}},
	{name: "lease of one of a pair that outlives its guard", fails: "cluster/lease.TestALeaseThatIsKeptAloneIsOverWithItsGuard", missed: 800, size: "pair", want: "S1", edits: []edit{
		{holder, "if h.alone && h.guarded > 0 {", "if !BUG && h.alone && h.guarded > 0 {"},
	}},
	{name: "clock rates too far apart", fails: "cluster/simulation.TestS1HoldsWhereClocksAreFarthestApart", seed: 368, want: "S1 S3", edits: []edit{
		{simWorld, "* maxDrift\n", "* If(BUG, 0.09, maxDrift)\n"},
	}},
	{name: "the warden kills nothing", fails: "cluster/simulation.TestAProcessEndsWithTheLeaseAlsoWithoutItsAgentS1", seed: 216, want: "S1 S7", edits: []edit{
		{simWarden, "\t\tif now < due {\n", "\t\tif BUG || now < due {\n"},
	}},
	{name: "start before the fencing is confirmed", fails: "cluster/state.TestWhatNeedsPowerWaitsForTheFencingOfItsNodeS4 cluster/state.TestAFailedStopIsEscalatedByPolicyS5", seed: 77, want: "S1", edits: []edit{
		{fencings, "\td.record(&pb.Event{\n\t\tKind: \"fencing-asked\"", "\tif BUG {\n\t\tdefer func() { d.isOff(FencingUnderWay(d.State, n.Id), \"nobody\") }()\n\t}\n\td.record(&pb.Event{\n\t\tKind: \"fencing-asked\""},
	}},
	{name: "device believed without a look", fails: "fencing.TestANodeIsOffWhenItsStatusSaysSo", seed: 11, want: "S1", edits: []edit{
		{operate, "|| !d.GetTraits().GetStatus() {", "|| BUG || !d.GetTraits().GetStatus() {"},
	}},
	{name: "failed fencing taken for done", fails: "cluster/controller.TestWhatNeedsPowerStartsElsewhereOnceItsNodeIsOffS4", seed: 252, want: "S1", edits: []edit{
		{fences, "\t\tif a.Error == \"\" {\n\t\t\treturn node, \"\"\n", "\t\tif a.Error == \"\" || BUG {\n\t\t\treturn node, \"\"\n"},
	}},
}
