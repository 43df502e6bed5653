package cib

import "quorate/cluster/scheduler/engine"

func (d *Document) locations() []engine.Location {
	section := d.section("constraints")
	list := make([]engine.Location, 0, section.count("rsc_location"))
	for e := range section.all("rsc_location") {
		if c, ok := d.location(e); ok {
			list = append(list, c)
		}
	}
	return list
}

func (d *Document) location(e *element) (engine.Location, bool) {
	sets, ok := d.sets(e)
	c := engine.Location{
		ID: e.id(), Resource: e.attr("rsc"), Pattern: e.attr("rsc-pattern"),
		Node: e.attr("node"), Score: e.attr("score"), Role: e.attr("role"),
		Discovery: e.attr("resource-discovery"), Sets: sets,
	}
	if members, listed := d.listed(c.Resource); listed && len(sets) == 0 {
		c.Sets = []engine.ResourceSet{{ID: c.Resource, Resources: members, Sequential: "false", Role: c.Role}}
		c.Resource, c.Role = "", ""
	}
	for r := range e.all("rule") {
		c.Rules = append(c.Rules, *d.rule(r))
	}
	d.during(e, &c)
	return c, ok
}

func (d *Document) colocations() []engine.Colocation {
	section := d.section("constraints")
	list := make([]engine.Colocation, 0, section.count("rsc_colocation"))
	for e := range section.all("rsc_colocation") {
		if c, ok := d.colocation(e); ok {
			list = append(list, c)
		}
	}
	return list
}

func (d *Document) colocation(e *element) (engine.Colocation, bool) {
	sets, ok := d.sets(e)
	c := engine.Colocation{
		ID: e.id(), Score: e.attr("score"),
		Dependent: e.attr("rsc"), DependentRole: e.attr("rsc-role"), DependentInstance: e.attr("rsc-instance"),
		Primary: e.attr("with-rsc"), PrimaryRole: e.attr("with-rsc-role"), PrimaryInstance: e.attr("with-rsc-instance"),
		NodeAttribute: e.attr("node-attribute"), Influence: e.attr("influence"), Sets: sets,
	}
	dependents, many := d.listed(c.Dependent)
	primaries, manyPrimaries := d.listed(c.Primary)
	switch {
	case len(sets) > 0 || !many && !manyPrimaries:
		return c, ok
	case many && manyPrimaries:
		return c, false // two lists cannot be colocated
	}
	c.Sets = []engine.ResourceSet{
		{ID: c.Dependent, Resources: dependents, Role: c.DependentRole, Sequential: unordered(many)},
		{ID: c.Primary, Resources: primaries, Role: c.PrimaryRole, Sequential: unordered(manyPrimaries)},
	}
	c.Dependent, c.DependentRole, c.Primary, c.PrimaryRole = "", "", "", ""
	return c, ok
}

func (d *Document) orders() []engine.Order {
	section := d.section("constraints")
	list := make([]engine.Order, 0, section.count("rsc_order"))
	for e := range section.all("rsc_order") {
		if c, ok := d.order(e); ok {
			list = append(list, c)
		}
	}
	return list
}

func (d *Document) order(e *element) (engine.Order, bool) {
	sets, ok := d.sets(e)
	o := engine.Order{
		ID: e.id(), Kind: e.attr("kind"), Score: e.attr("score"),
		First: e.attr("first"), FirstAction: e.attr("first-action"), FirstInstance: e.attr("first-instance"),
		Then: e.attr("then"), ThenAction: e.attr("then-action"), ThenInstance: e.attr("then-instance"),
		Symmetrical: e.attr("symmetrical"), RequireAll: e.attr("require-all"), Sets: sets,
	}
	firsts, manyFirst := d.listed(o.First)
	thens, manyThen := d.listed(o.Then)
	if len(sets) > 0 || !manyFirst && !manyThen {
		return o, ok
	}
	o.Sets = []engine.ResourceSet{
		{ID: o.First, Resources: firsts, Action: o.FirstAction, Sequential: unordered(manyFirst)},
		{ID: o.Then, Resources: thens, Action: o.ThenAction, Sequential: unordered(manyThen)},
	}
	o.First, o.FirstAction, o.Then, o.ThenAction = "", "", "", ""
	return o, ok
}

// listed returns the resources that a name stands for, and whether it is the
// name of a template or a tag.
func (d *Document) listed(name string) ([]string, bool) {
	if list, ok := d.lists[name]; ok && !d.resources[name] {
		return list, true
	}
	return []string{name}, false
}

func unordered(many bool) string {
	if many {
		return "false"
	}
	return ""
}

// sets returns the resource sets of a constraint, templates and tags replaced by
// what they stand for. It reports false if one of them cannot be read.
func (d *Document) sets(constraint *element) ([]engine.ResourceSet, bool) {
	var sets []engine.ResourceSet
	for c := range constraint.all("resource_set") {
		e := d.resolve(c)
		if e == nil {
			return nil, false
		}
		set := engine.ResourceSet{
			ID: e.id(), Sequential: e.attr("sequential"), RequireAll: e.attr("require-all"),
			Action: e.attr("action"), Role: e.attr("role"), Score: e.attr("score"),
			Ordering: e.attr("ordering"), Kind: e.attr("kind"),
		}
		for ref := range e.all("resource_ref") {
			members, _ := d.listed(ref.id())
			set.Resources = append(set.Resources, members...)
		}
		sets = append(sets, set)
	}
	return sets, true
}
