package cib

// The names of options in older releases, and what they are called now
// ("Upgrading Pacemaker"; what is not in here has kept its name).

var propertyNames = map[string]string{
	"stonith-enabled":          "fencing-enabled",
	"stonith-action":           "fencing-action",
	"stonith-timeout":          "fencing-timeout",
	"stonith-max-attempts":     "fencing-max-attempts",
	"stonith-watchdog-timeout": "fencing-watchdog-timeout",
	"fence-reaction":           "fencing-reaction",
	"stop-orphan-resources":    "stop-removed-resources",
	"stop-orphan-actions":      "cancel-removed-actions",
}

var metaNames = map[string]string{
	"master-max":      "promoted-max",
	"master-node-max": "promoted-node-max",
}
