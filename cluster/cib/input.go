package cib

import (
	"slices"
	"strings"
	"time"

	"quorate/cluster/scheduler/engine"
)

// Input returns what the scheduler decides upon. What it does not run at all is
// an [UnsupportedError].
func (d *Document) Input(now time.Time) (*engine.Input, error) {
	if list := d.unsupported(); len(list) > 0 {
		return nil, &UnsupportedError{Elements: list}
	}
	return &engine.Input{
		Now:               now,
		Quorate:           isTrue(d.root.attr("have-quorum")),
		NoQuorumPanic:     isTrue(d.root.attr("no-quorum-panic")),
		FeatureSet:        d.root.attr("crm_feature_set"),
		DC:                d.root.attr("dc-uuid"),
		Properties:        d.properties(),
		ResourceDefaults:  d.defaults("rsc_defaults", movedToResources),
		OperationDefaults: d.defaults("op_defaults", movedToOperations),
		Nodes:             d.nodes(),
		Resources:         d.resourceTree(),
		Locations:         d.locations(),
		Colocations:       d.colocations(),
		Orders:            d.orders(),
		Topology:          d.topology(),
	}, nil
}

// ExecutionDate returns the time a saved CIB was decided upon; zero: it does not say.
func (d *Document) ExecutionDate() time.Time {
	seconds, ok := parseInt(d.root.attr("execution-date"))
	if !ok {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// properties returns the cluster options. The set that Pacemaker itself made
// wins, whatever its score.
func (d *Document) properties() []engine.Block {
	const bootstrap = "cib-bootstrap-options"
	blocks := renamed(d.blocks(d.section("crm_config"), "cluster_property_set"), propertyNames)
	if d.before3() {
		blocks = renamed(blocks, oldPropertyNames)
	}
	i := slices.IndexFunc(blocks, func(b engine.Block) bool { return b.ID == bootstrap })
	if i < 0 {
		return blocks
	}
	winner := blocks[i]
	winner.Score = "INFINITY"
	return append(slices.Delete(blocks, i, i+1), winner)
}

func (d *Document) topology() []engine.FencingLevel {
	var levels []engine.FencingLevel
	for e := range d.section("fencing-topology").all("fencing-level") {
		levels = append(levels, engine.FencingLevel{
			ID: e.id(), Index: e.attr("index"),
			Target: e.attr("target"), Pattern: e.attr("target-pattern"),
			TargetAttribute: e.attr("target-attribute"), TargetValue: e.attr("target-value"),
			Devices: strings.FieldsFunc(e.attr("devices"), func(r rune) bool { return r == ',' || r == ' ' }),
		})
	}
	return levels
}

func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "true", "on", "yes", "y", "1":
		return true
	}
	return false
}
