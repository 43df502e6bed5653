package main

import (
	"context"
	"encoding/xml"
	"fmt"

	"quorate/cluster/state"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

var monOptions = options{
	{names: []string{"one-shot", "1"}},
	{names: []string{"as-xml", "X"}},
	{names: []string{"output-as"}, value: true},
	{names: []string{"as-html", "h"}, value: true},
	{names: []string{"interval", "i"}, value: true},
	{names: []string{"daemonize", "d"}},
	{names: []string{"pid-file", "p"}, value: true},
	{names: []string{"disable-ncurses", "c"}, ignored: true},
	{names: []string{"group-by-node", "n"}, ignored: true},
	{names: []string{"inactive", "r"}, ignored: true},
	{names: []string{"show-node-attributes", "A"}, ignored: true},
	{names: []string{"quiet", "Q"}, ignored: true},
	{names: []string{"verbose", "V"}, ignored: true},
}

// crmMon shows the cluster once: to people as status does, or in the parts of
// Pacemaker's XML that scripts look for, of nodes and of what runs. A page of HTML it
// goes on writing.
func (a *app) crmMon(ctx context.Context, g *given) error {
	if g.has("as-html") {
		return a.keepPage(ctx, g)
	}
	asXML := g.has("as-xml") || g.last("output-as") == "xml"
	switch {
	case !g.has("one-shot") && !asXML:
		return scriptError{badUsage("it shows the cluster once in this version, or writes a page of it").With("give -1, or -h FILE"), exitUsage}
	case g.has("output-as") && !asXML && g.last("output-as") != "text":
		return scriptError{badUsage("--output-as %s is not there in this version", g.last("output-as")).With("write text or xml"), exitUsage}
	}
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	if !asXML {
		return render.Status(a.out, resp, a.now(), a.options())
	}
	out, err := xml.MarshalIndent(monitored(resp), "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s%s\n", xml.Header, out)
	return err
}

type monDocument struct {
	XMLName   xml.Name      `xml:"crm_mon"`
	Version   string        `xml:"version,attr"`
	Nodes     []monNode     `xml:"nodes>node"`
	Resources []monResource `xml:"resources>resource"`
}

type monNode struct {
	Name        string `xml:"name,attr"`
	ID          string `xml:"id,attr"`
	Online      bool   `xml:"online,attr"`
	Standby     bool   `xml:"standby,attr"`
	Maintenance bool   `xml:"maintenance,attr"`
	Unclean     bool   `xml:"unclean,attr"`
	IsDC        bool   `xml:"is_dc,attr"`
	Type        string `xml:"type,attr"`
}

type monResource struct {
	ID       string  `xml:"id,attr"`
	Agent    string  `xml:"resource_agent,attr"`
	Role     string  `xml:"role,attr"`
	Active   bool    `xml:"active,attr"`
	Orphaned bool    `xml:"orphaned,attr"`
	Blocked  bool    `xml:"blocked,attr"`
	Failed   bool    `xml:"failed,attr"`
	On       int     `xml:"nodes_running_on,attr"`
	Node     *monRef `xml:"node"`
}

type monRef struct {
	Name string `xml:"name,attr"`
	ID   string `xml:"id,attr"`
}

// monitored is what scripts look for in a status. A node that is gone serves
// nothing any more, so none is unclean.
func monitored(resp *pb.GetResponse) monDocument {
	d := monDocument{Version: resp.GetVersion()}
	for _, n := range resp.GetState().GetNodes() {
		d.Nodes = append(d.Nodes, monNode{
			Name: n.GetName(), ID: n.GetId(), Online: presence(n) == memberWord, Standby: n.GetStandby(),
			Maintenance: n.GetMaintenance(), IsDC: n.GetId() == resp.GetLeader(), Type: "member",
		})
	}
	for _, r := range resp.GetState().GetResources() {
		d.Resources = append(d.Resources, monitoredResource(resp.GetState(), r)...)
	}
	return d
}

func monitoredResource(s *pb.State, r *pb.Resource) []monResource {
	var list []monResource
	for _, i := range s.GetInstances() {
		n := state.NodeByID(s, i.GetNode())
		if i.GetResource() != r.GetId() || n == nil || !mayRun(i) {
			continue
		}
		list = append(list, monResource{
			ID: r.GetId(), Agent: r.GetAgent(), Role: roleWord(s, i), Active: true, On: 1,
			Blocked: i.GetState() == pb.InstanceState_INSTANCE_STATE_BLOCKED, Failed: i.GetState() == pb.InstanceState_INSTANCE_STATE_FAILED,
			Node: &monRef{n.GetName(), n.GetId()},
		})
	}
	if list == nil {
		list = []monResource{{ID: r.GetId(), Agent: r.GetAgent(), Role: "Stopped"}}
	}
	return list
}

// roleWord is what Pacemaker calls the role of what runs.
func roleWord(s *pb.State, i *pb.Instance) string {
	switch {
	case i.GetPromoted():
		return "Promoted"
	case state.Promotable(s, i.GetResource()):
		return "Unpromoted"
	}
	return "Started"
}

// mayRun reports whether an instance runs, or may.
func mayRun(i *pb.Instance) bool {
	switch i.GetState() {
	case pb.InstanceState_INSTANCE_STATE_RUNNING, pb.InstanceState_INSTANCE_STATE_FAILED, pb.InstanceState_INSTANCE_STATE_BLOCKED:
		return true
	default:
		return false
	}
}
