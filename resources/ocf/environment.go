package ocf

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// featureSet is the version of Pacemaker's interface to scripts that ours is
// like. Scripts compare it to know which names are in use.
const featureSet = "3.19.0"

// places are where programs are looked up besides the agent's own PATH.
const places = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is what a script is told. r is nil for a script that is only to
// describe itself.
func (a *Agent) environment(ctx context.Context, action string, r *pb.Resource, mark string) []string {
	env := append(inherited(),
		"PATH="+a.family.path(),
		"OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
		"OCF_ROOT="+a.family.root,
		"HA_SBIN_DIR="+cmp.Or(a.family.commands, "/usr/sbin"), // where Debian's scripts call the commands
		"QUORATE_SOCKET="+a.family.socket,
		"LVM_SUPPRESS_FD_WARNINGS=1", // of the file that marks processes
		mark,
	)
	if t := resources.TranscriptIn(ctx); t != nil && t.Trace {
		env = append(env, "OCF_TRACE_RA=1", "OCF_TRACE_FILE=/dev/stderr") // ocf-shellfuncs of resource-agents
	}
	parts := strings.Split(a.name, ":")
	env = append(env, "OCF_RESOURCE_PROVIDER="+parts[1], "OCF_RESOURCE_TYPE="+parts[2], "OCF_RESKEY_crm_feature_set="+featureSet)
	if r == nil {
		return env
	}
	env = append(env, "OCF_RESOURCE_INSTANCE="+r.GetId(), a.family.resourceMarks(r).variable)
	for _, name := range slices.Sorted(maps.Keys(r.GetParameters())) {
		env = append(env, "OCF_RESKEY_"+name+"="+r.GetParameters()[name])
	}
	return append(env, a.meta(ctx, action, r)...)
}

// meta is what a script is told of the operation.
func (a *Agent) meta(ctx context.Context, action string, r *pb.Resource) []string {
	spec, interval := operation(r.GetOperations(), action), time.Duration(0)
	if action == actionMonitor {
		if spec = resources.RecurringIn(ctx); spec != nil {
			interval = spec.GetInterval().AsDuration()
		}
	}
	told := map[string]string{
		"name": action, "interval": milliseconds(interval), "on_node": a.family.node(), "on_node_uuid": a.family.nodeID,
	}
	if deadline, ok := ctx.Deadline(); ok {
		told["timeout"] = milliseconds(time.Until(deadline).Round(100 * time.Millisecond))
	}
	maps.Copy(told, resources.Told(ctx))
	var env []string
	for name, value := range spec.GetOptions() {
		if name == checkLevel {
			env = append(env, checkLevel+"="+value, "OCF_RESKEY_"+checkLevel+"="+value)
			continue
		}
		told[strings.ReplaceAll(name, "-", "_")] = value
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		env = append(env, "OCF_RESKEY_CRM_meta_"+name+"="+told[name])
	}
	return env
}

// checkLevel is how thoroughly a monitor is to look: 0, 10, 20.
const checkLevel = "OCF_CHECK_LEVEL"

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 0), 10)
}

// path has the commands that scripts call first: a node may have those of a
// cluster manager that does not run.
func (f *Family) path() string {
	path := places
	if own := os.Getenv("PATH"); own != "" {
		path = own + ":" + places
	}
	if f.commands != "" {
		path = f.commands + ":" + path
	}
	return path
}

// inherited is the agent's environment, without what belongs to its service
// manager and to another script.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, prefix := range []string{"NOTIFY_", "WATCHDOG_", "LISTEN_", "OCF_", "PATH=", markOfResource, markOfRun} {
			if strings.HasPrefix(v, prefix) {
				return true
			}
		}
		return false
	})
}
