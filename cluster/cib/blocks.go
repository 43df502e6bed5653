package cib

import "quorate/cluster/scheduler/engine"

// blocks returns the sets of name-value pairs of one kind in an element, with
// the names of older releases replaced.
func (d *Document) blocks(e *element, name string) []engine.Block {
	var list []engine.Block
	for c := range e.all(name) {
		if set := d.resolve(c); set != nil {
			list = append(list, d.block(set))
		}
	}
	return list
}

func (d *Document) block(set *element) engine.Block {
	b := engine.Block{ID: set.id(), Score: set.attr("score")}
	if r := set.first("rule"); r != nil {
		b.Rule = d.rule(r)
	}
	pairs := set
	if old := set.first("attributes"); old != nil {
		pairs = old // as Heartbeat 2 wrote them
	}
	for c := range pairs.all("nvpair") {
		pair := d.resolve(c)
		value, ok := pair.lookup("value")
		name := c.attr("name") // that of a reference wins: one value under two names
		if name == "" {
			name = pair.attr("name")
		}
		if ok && name != "" {
			b.Values = append(b.Values, engine.Value{Name: name, Value: value})
		}
	}
	return b
}

// renamed replaces names by their successors. Where both are set, the new one holds.
func renamed(blocks []engine.Block, names map[string]string) []engine.Block {
	set := make(map[string]bool)
	for _, b := range blocks {
		for _, v := range b.Values {
			set[v.Name] = true
		}
	}
	for i := range blocks {
		for j := range blocks[i].Values {
			v := &blocks[i].Values[j]
			if to, ok := names[v.Name]; ok && !set[to] {
				v.Name = to
			}
		}
	}
	return blocks
}
