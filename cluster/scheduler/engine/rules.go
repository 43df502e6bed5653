package engine

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// A ruleEnv is what a rule is evaluated for ("Rules").
type ruleEnv struct {
	node                   map[string]string // attributes; nil: of no node
	class, provider, agent string
	op                     string // name
	interval               int64  // ms
	params, meta           map[string]string
	submatches             []string // of a resource's id: the whole and its parts, %0 to %9
}

// ruleHolds reports whether a rule is satisfied. One without conditions is, and
// what cannot be understood is not.
func (c *cluster) ruleHolds(r *Rule, env ruleEnv) bool {
	for i := range r.Conditions {
		if c.holds(&r.Conditions[i], env) == r.Or {
			return r.Or
		}
	}
	return !r.Or || len(r.Conditions) == 0
}

func (c *cluster) holds(cond *Condition, env ruleEnv) bool {
	switch {
	case cond.Rule != nil:
		return c.ruleHolds(cond.Rule, env)
	case cond.Attribute != nil:
		return cond.Attribute.holds(env)
	case cond.Date != nil:
		c.wakeFor(cond.Date)
		return cond.Date.holds(c.in.Now)
	case cond.Resource != nil:
		return cond.Resource.holds(env)
	case cond.Operation != nil:
		return cond.Operation.holds(env)
	}
	return false
}

func (x *ResourceCondition) holds(env ruleEnv) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(x.Class, env.class) && is(x.Provider, env.provider) && is(x.Type, env.agent)
}

func (x *OperationCondition) holds(env ruleEnv) bool {
	if x.Name == "" || x.Name != env.op {
		return false
	}
	return x.Interval == "" || parseInterval(x.Interval) == env.interval
}

// holds reports whether a node attribute compares as wanted. One that is absent
// is less than any value, but satisfies none of the four comparisons of size.
func (x *AttributeCondition) holds(env ruleEnv) bool {
	actual, defined := env.node[submatches(x.Attribute, env.submatches)]
	op := strings.ToLower(x.Operation)
	switch op {
	case "defined":
		return defined && x.Value == ""
	case "not_defined":
		return !defined && x.Value == ""
	}
	want, known := env.reference(x)
	kind := x.kind(op, actual, want)
	order := 0
	switch {
	case defined && known:
		order = compareAs(kind, actual, want)
	case defined:
		order = 1
	case known:
		order = -1
	}
	switch op {
	case "eq":
		return order == 0
	case "ne":
		return order != 0
	}
	if !defined || !known {
		return false
	}
	switch op {
	case "lt":
		return order < 0
	case "lte":
		return order <= 0
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	}
	return false
}

// reference returns what an attribute is compared with.
func (env *ruleEnv) reference(x *AttributeCondition) (value string, known bool) {
	switch strings.ToLower(x.ValueSource) {
	case "", "literal":
		return x.Value, true
	case "param":
		value, known = env.params[x.Value]
	case "meta":
		value, known = env.meta[x.Value]
	}
	return value, known
}

// kind returns as what values are compared: if nobody says, sizes as numbers.
func (x *AttributeCondition) kind(op, actual, want string) string {
	switch {
	case x.Type != "":
		return strings.ToLower(x.Type)
	case op == "eq" || op == "ne":
		return "string"
	case strings.Contains(actual, ".") || strings.Contains(want, "."):
		return "number"
	}
	return "integer"
}

func compareAs(kind, a, b string) int {
	switch kind {
	case "version":
		return compareVersions(a, b)
	case "integer":
		m, ok := scanInt(a)
		n, alike := scanInt(b)
		if ok && alike {
			return cmp.Compare(m, n)
		}
	case "number":
		m, ok := scanFloat(a)
		n, alike := scanFloat(b)
		if ok && alike {
			return cmp.Compare(m, n)
		}
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

var (
	floatPrefix   = regexp.MustCompile(`^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?`)
	versionPrefix = regexp.MustCompile(`^\s*([0-9]+(?:\.[0-9]+)*)`)
)

// scanFloat reads the number that a text begins with.
func scanFloat(s string) (float64, bool) {
	digits := strings.TrimSpace(floatPrefix.FindString(s))
	if digits == "" {
		return 0, false
	}
	n, _ := strconv.ParseFloat(digits, 64)
	return n, true
}

// compareVersions compares numbers with dots, part by part; a missing part is 0.
func compareVersions(a, b string) int {
	as, bs := versionParts(a), versionParts(b)
	for i := range max(len(as), len(bs)) {
		if order := cmp.Compare(partAt(as, i), partAt(bs, i)); order != 0 {
			return order
		}
	}
	return 0
}

func versionParts(s string) []string {
	match := versionPrefix.FindStringSubmatch(s)
	if match == nil {
		return nil
	}
	return strings.Split(match[1], ".")
}

func partAt(parts []string, i int) int64 {
	if i >= len(parts) {
		return 0
	}
	n, _ := scanInt(parts[i])
	return n
}
