package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "quorate/proto/quorate/v1"
)

const (
	agentSocket = "/run/quorate/agent.sock"
	password    = "secret" // of the lab's own nodes; nothing outside can reach them
	vipResource = "VirtualIP"
	pollEvery   = 20 * time.Millisecond
	// patienceTime is what the slowest thing that a cluster does may take.
	patienceTime = 30 * time.Second
)

// A Cluster is what the agents of a lab's nodes are together. It is driven by
// the commands that people type, and watched through the agents' own API.
type Cluster struct {
	Lab  *Lab
	Said func(host, command string) // called before every command typed; may be nil

	mu      sync.Mutex
	clients map[string]*grpc.ClientConn
}

// Close ends the connections to the agents.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for _, conn := range c.clients {
		err = errors.Join(err, conn.Close())
	}
	c.clients = nil
	return err
}

// Type runs a command line on a node and returns what it printed. Words are
// separated by blanks; there is no quoting.
func (c *Cluster) Type(ctx context.Context, node, line string) (string, error) {
	if c.Said != nil {
		c.Said(node, line)
	}
	return c.Lab.Output(ctx, node, strings.Fields(line)...)
}

// Ready waits until all agents answer, and gives those that are in no cluster
// yet the password by which they may be put into one: secret. A lab is not
// reached from outside.
func (c *Cluster) Ready(ctx context.Context) error {
	nodes := c.Lab.Spec.Nodes()
	if err := await(ctx, "the agents to answer", func() error { return c.answering(ctx, nodes) }); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := await(ctx, "the password of "+n, func() error { return c.setPassword(ctx, n) }); err != nil {
			return err
		}
	}
	return nil
}

// setPassword gives a node its password, unless it is in a cluster already. On a
// slow machine it may answer too late; then it is asked again.
func (c *Cluster) setPassword(ctx context.Context, node string) error {
	v, err := c.View(ctx, node)
	if err != nil || v.GetState().GetClusterId() != "" {
		return err
	}
	var errs strings.Builder
	args := []string{"quorate", "cluster", "password", "--stdin"}
	if err := c.Lab.ExecIO(ctx, node, args, strings.NewReader(password+"\n"), &strings.Builder{}, &errs); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	return nil
}

// A Shape says what cluster is made of a lab's nodes.
type Shape struct {
	Name    string // empty: lab
	Policy  string // no-quorum-policy; empty: stop
	Witness string // the node that votes and hosts nothing; empty: none
	Ping    string // quorum.ping, addresses that tell who is cut off; empty: none
	Profile string // of its timing; empty: lan
}

// Pair is what the tutorials make of two nodes, and of their names lvsm and lvss.
var Pair = Shape{Name: "auth_cluster", Policy: "ignore"}

// Form makes a cluster of all nodes, as a tutorial does, and starts it.
func (c *Cluster) Form(ctx context.Context, shape Shape) error {
	if err := c.Ready(ctx); err != nil {
		return err
	}
	first, lines := c.Lab.Spec.Nodes()[0], c.formation(shape)
	typed := func(line string) error { _, err := c.Type(ctx, first, line); return err }
	// Where all is emulated, a node may take longer to answer than anybody waits.
	if err := await(ctx, "the nodes to be told of each other", func() error { return typed(lines[0]) }); err != nil {
		return err
	}
	for _, line := range lines[1:] {
		if err := typed(line); err != nil {
			return err
		}
	}
	return nil
}

// formation is what is typed to make a cluster.
func (c *Cluster) formation(shape Shape) []string {
	nodes := c.Lab.Spec.Nodes()
	all := strings.Join(nodes, " ")
	members := slices.DeleteFunc(nodes, func(n string) bool { return n == shape.Witness })
	lines := []string{
		"pcs cluster auth " + all + " -u hacluster -p " + password,
		"pcs cluster setup --name " + cmp.Or(shape.Name, "lab") + " --profile " + cmp.Or(shape.Profile, "lan") + " " + c.addressed(members...),
		"pcs cluster start --all",
		"pcs property set stonith-enabled=false",
		"pcs property set no-quorum-policy=" + cmp.Or(shape.Policy, "stop"),
	}
	if shape.Ping != "" {
		lines = append(lines, "pcs property set quorum.ping="+shape.Ping)
	}
	if shape.Witness != "" {
		lines = append(lines, "pcs cluster node add "+c.addressed(shape.Witness)+" --role witness --start")
	}
	return lines
}

// addressed are nodes as commands name them: those on several networks with all
// their addresses.
func (c *Cluster) addressed(nodes ...string) string {
	var words []string
	for _, n := range nodes {
		words = append(words, n)
		h, _ := c.Lab.Spec.Host(n)
		if addresses := h.Addresses(); len(addresses) > 1 {
			for _, a := range addresses {
				words = append(words, "addr="+a.String())
			}
		}
	}
	return strings.Join(words, " ")
}

// CreateVIP gives the cluster the lab's address.
func (c *Cluster) CreateVIP(ctx context.Context) error {
	_, err := c.Type(ctx, c.Lab.Spec.Nodes()[0], fmt.Sprintf(
		"pcs resource create %s ocf:heartbeat:IPaddr2 ip=%s cidr_netmask=32 op monitor interval=30s", vipResource, VIP))
	return err
}

func (c *Cluster) answering(ctx context.Context, nodes []string) error {
	for _, n := range nodes {
		if _, err := c.Get(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// Get asks the agent of a node for all it knows.
func (c *Cluster) Get(ctx context.Context, node string) (*pb.GetResponse, error) {
	conn, err := c.client(node)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return pb.NewStatusClient(conn).Get(ctx, &pb.GetRequest{})
}

func (c *Cluster) client(node string) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn, ok := c.clients[node]; ok {
		return conn, nil
	}
	backoff := grpc.ConnectParams{MinConnectTimeout: time.Second}
	backoff.Backoff.BaseDelay, backoff.Backoff.MaxDelay = pollEvery, pollEvery
	backoff.Backoff.Multiplier = 1
	conn, err := grpc.NewClient("passthrough:///"+node,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a unix socket
		grpc.WithConnectParams(backoff),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return c.Lab.Dial(ctx, node, agentSocket)
		}))
	if err != nil {
		return nil, fmt.Errorf("agent of %s: %w", node, err)
	}
	if c.clients == nil {
		c.clients = map[string]*grpc.ClientConn{}
	}
	c.clients[node] = conn
	return conn, nil
}

// A View is what one node says of the cluster, by names.
type View struct {
	*pb.GetResponse
	Leader string            // empty: none
	Owners map[string]string // by resource: the node that it runs on
}

func newView(r *pb.GetResponse) View {
	v := View{GetResponse: r, Owners: map[string]string{}}
	names := map[string]string{}
	for _, n := range r.GetState().GetNodes() {
		names[n.GetId()] = n.GetName()
	}
	v.Leader = names[r.GetLeader()]
	for _, a := range r.GetState().GetAssignments() {
		running := slices.ContainsFunc(r.GetState().GetInstances(), func(i *pb.Instance) bool {
			return i.GetResource() == a.GetResource() && i.GetNode() == a.GetNode() && i.GetState() == pb.InstanceState_INSTANCE_STATE_RUNNING
		})
		if running && !a.GetOrphaned() && !a.GetRevoking() {
			v.Owners[a.GetResource()] = names[a.GetNode()]
		}
	}
	return v
}

// View asks one node.
func (c *Cluster) View(ctx context.Context, node string) (View, error) {
	r, err := c.Get(ctx, node)
	if err != nil {
		return View{}, err
	}
	return newView(r), nil
}

// Settled waits until all nodes are at work, every resource runs, nothing is
// left to do and all nodes see the same, and returns their view.
func (c *Cluster) Settled(ctx context.Context) (v View, err error) {
	nodes := c.Lab.Spec.Nodes()
	err = await(ctx, "the cluster to settle", func() error {
		var index uint64
		for i, n := range nodes {
			if v, err = c.View(ctx, n); err != nil {
				return err
			}
			if err := v.unsettled(len(nodes)); err != nil {
				return fmt.Errorf("as %s sees it: %w", n, err)
			}
			if i > 0 && v.GetIndex() != index {
				return fmt.Errorf("%s is at entry %d, %s at %d", n, v.GetIndex(), nodes[i-1], index)
			}
			index = v.GetIndex()
		}
		return nil
	})
	return v, err
}

// unsettled says what is not as it should be with all nodes well.
func (v View) unsettled(nodes int) error {
	state := v.GetState()
	switch {
	case v.Leader == "":
		return errors.New("no leader")
	case !v.GetQuorate():
		return errors.New("no quorum")
	case len(state.GetNodes()) != nodes:
		return fmt.Errorf("%d nodes of %d", len(state.GetNodes()), nodes)
	case len(state.GetElectorate().GetVoters()) != nodes:
		return fmt.Errorf("%d voters of %d", len(state.GetElectorate().GetVoters()), nodes)
	case len(state.GetOperations()) > 0:
		return fmt.Errorf("%s of %s is not done", state.GetOperations()[0].GetKind(), state.GetOperations()[0].GetResource())
	}
	for _, n := range state.GetNodes() {
		if n.GetAdmission() != pb.Admission_ADMISSION_ADMITTED || n.GetStopped() {
			return fmt.Errorf("%s is not at work", n.GetName())
		}
	}
	for _, r := range state.GetResources() {
		if v.Owners[r.GetId()] == "" && r.GetMeta()["target-role"] != "Stopped" {
			return fmt.Errorf("%s does not run", r.GetId())
		}
	}
	return nil
}

// AwaitOwner waits until a resource runs on a node that is right, as the best
// informed of the nodes other than avoid sees it: one that has just returned
// still tells what was before it went.
func (c *Cluster) AwaitOwner(ctx context.Context, resource, avoid string, right func(owner string) bool) (v View, err error) {
	err = await(ctx, resource+" to run", func() error {
		v, err = c.newest(ctx, avoid)
		if owner := v.Owners[resource]; owner == "" || !right(owner) {
			return errors.Join(fmt.Errorf("it runs on %q", owner), err)
		}
		return nil
	})
	return v, err
}

// newest is the view of the node that has seen most, of those that answer and
// are not avoid. The error says who did not answer.
func (c *Cluster) newest(ctx context.Context, avoid string) (best View, err error) {
	for _, n := range c.Lab.Spec.Nodes() {
		if n == avoid {
			continue
		}
		v, viewErr := c.View(ctx, n)
		if viewErr == nil && (best.GetResponse == nil || v.GetIndex() > best.GetIndex()) {
			best = v
		}
		err = errors.Join(err, viewErr)
	}
	return best, err
}

// await polls until done returns nil, and says what it still said when
// patience ends.
func await(ctx context.Context, what string, done func() error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, slow(patienceTime))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w", time.Since(began).Round(time.Millisecond), what, err)
		case <-tick.C:
		}
	}
}
