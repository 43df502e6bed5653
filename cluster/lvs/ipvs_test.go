package lvs

import (
	"testing"

	"quorate/resources/ipvs"
)

// What is written for a director is what a director reads.
func TestADirectorReadsWhatIsWrittenForIt(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.golden, func(t *testing.T) {
			cfg, _, _ := translated(t, tt.format, tt.files)
			for _, r := range cfg.Resources {
				if r.Agent != directorAgent {
					continue
				}
				if _, err := ipvs.Parse(r.Parameters["config"]); err != nil {
					t.Errorf("%s: %v\n%s", r.Id, err, r.Parameters["config"])
				}
			}
		})
	}
}
