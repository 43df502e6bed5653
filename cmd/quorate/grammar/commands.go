package grammar

import (
	"maps"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Commands returns the commands that rebuild a configuration, each as its words
// after the program's name, in an order in which they succeed.
func Commands(c *pb.Configuration) [][]string {
	var all [][]string
	add := func(words ...string) { all = append(all, words) }
	section := func(m map[string]string, words ...string) {
		if len(m) > 0 {
			add(append(words, pairWords(m)...)...)
		}
	}
	section(c.GetProperties(), "property", "set")
	section(c.GetResourceDefaults(), "resource", "defaults", "update")
	section(c.GetOperationDefaults(), "resource", "op", "defaults", "update")
	for _, n := range c.GetNodes() {
		section(n.GetAttributes(), "node", "attribute", n.GetName())
		section(n.GetUtilization(), "node", "utilization", n.GetName())
		if n.GetStandby() {
			add("node", "standby", n.GetName())
		}
		if n.GetMaintenance() {
			add("node", "maintenance", n.GetName())
		}
	}
	for _, d := range c.GetDevices() {
		add(deviceWords(d)...)
	}
	for _, l := range c.GetLevels() {
		add(levelWords(l)...)
	}
	for _, r := range c.GetResources() {
		add(createWords(r)...)
		section(r.GetUtilization(), "resource", "utilization", r.GetId())
	}
	for _, g := range c.GetGroups() {
		add(append([]string{"resource", "group", "add", g.GetId()}, g.GetMembers()...)...)
		section(g.GetMeta(), "resource", "meta", g.GetId())
	}
	for _, k := range c.GetClones() {
		words := []string{"resource", "clone", k.GetMember(), k.GetId()}
		if len(k.GetMeta()) > 0 {
			words = append(append(words, "meta"), pairWords(k.GetMeta())...)
		}
		add(words...)
	}
	for _, k := range c.GetConstraints() {
		add(ConstraintWords(k)...)
	}
	for _, r := range c.GetResources() {
		all = append(all, serverWords(r)...)
	}
	for _, a := range c.GetAlerts() {
		all = append(all, alertWords(a)...)
	}
	return all
}

func createWords(r *pb.Resource) []string {
	words := append([]string{"resource", "create", r.GetId(), r.GetAgent()}, pairWords(escaped(r.GetParameters()))...)
	for _, o := range r.GetOperations() {
		words = append(append(words, "op"), OperationWords(o)...)
	}
	if len(r.GetMeta()) > 0 {
		words = append(append(words, "meta"), pairWords(r.GetMeta())...)
	}
	return words
}

// escaped doubles a leading @, which else means "the content of this file".
func escaped(parameters map[string]string) map[string]string {
	m := maps.Clone(parameters)
	for name, value := range m {
		if strings.HasPrefix(value, "@") {
			m[name] = "@" + value
		}
	}
	return m
}

// OperationWords writes what follows "op".
func OperationWords(o *pb.OperationSpec) []string {
	words := []string{o.GetName()}
	if d := o.GetInterval().AsDuration(); d > 0 {
		words = append(words, "interval="+FormatDuration(d))
	} else if o.GetName() == "monitor" {
		words = append(words, "interval="+FormatDuration(time.Duration(0)))
	}
	if d := o.GetTimeout().AsDuration(); d > 0 {
		words = append(words, "timeout="+FormatDuration(d))
	}
	return append(words, pairWords(o.GetOptions())...)
}

// pairWords writes NAME=VALUE by name.
func pairWords(m map[string]string) []string {
	words := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		words = append(words, name+"="+m[name])
	}
	return words
}

// Shell quotes words for a POSIX shell and joins them.
func Shell(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
