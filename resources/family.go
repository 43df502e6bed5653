package resources

// A Family has the agents of one standard that are installed on this node, of
// which there may be others at any time. Agents that are registered by
// themselves come before those of a family, for every name that they serve.
type Family interface {
	// Find returns the agent for a name of the family's standard, always the same
	// for one name, also if it is not installed here (see [Installable]); nil: the
	// name is of another standard.
	Find(name string) Agent
	// Installed lists the names of those that are installed here, in order.
	Installed() []string
}

// Extend adds a family. It is called before the registry is used, like Register.
func (r *Registry) Extend(f Family) {
	r.families = append(r.families, f)
}

// Installed lists the names of the families' agents on this node that no agent
// that is built in serves.
func (r *Registry) Installed() []string {
	var list []string
	for _, f := range r.families {
		for _, name := range f.Installed() {
			if _, served := r.names[canonical(name)]; !served {
				list = append(list, name)
			}
		}
	}
	return list
}

// ofFamily returns the agent that a family has for a name, or nil.
func (r *Registry) ofFamily(name string) Agent {
	for _, f := range r.families {
		if a := f.Find(name); a != nil {
			return a
		}
	}
	return nil
}
