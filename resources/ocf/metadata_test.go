package ocf

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

func TestMetadataIsRead(t *testing.T) {
	want := &pb.AgentMetadata{}
	if err := prototext.Unmarshal([]byte(`
		name: "ocf:test:tells" summary: "Writes its environment" description: "Writes its environment to a file.\n\nTwice." lenient: true
		parameters { name: "file" type: "string" required: true summary: "The file" }
		parameters { name: "port" type: "integer" default: "80" reloadable: true summary: "a port" }
		parameters { name: "mode" type: "select" default: "fast" reloadable: true values: ["fast", "slow"] }
		parameters { name: "patience" type: "duration" default: "5s" }
		parameters { name: "path" type: "string" replaced_by: "file" }
		parameters { name: "loud" type: "boolean" default: "no" }
		parameters { name: "strange" type: "string" }
		parameters { name: "mistaken" type: "string" default: "a few" }
		operations { name: "start" timeout { seconds: 30 } }
		operations { name: "stop" timeout { seconds: 60 } }
		operations { name: "reload-agent" timeout { seconds: 20 } }
		operations { name: "monitor" timeout { seconds: 20 } interval { seconds: 10 } }
		operations { name: "validate-all" timeout { seconds: 20 } }
		operations { name: "meta-data" timeout { seconds: 5 } }
		traits { reloadable: true reloadable_parameters: ["port", "mode"] lapse { seconds: 60 } }
	`), want); err != nil {
		t.Fatal(err)
	}
	if got := script(t, "tells").Metadata(); !proto.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestParametersOfAScriptAreChecked(t *testing.T) {
	meta := script(t, "tells").Metadata()
	for _, tt := range []struct{ parameters, warning, refusal string }{
		{"file=/x port=8080 mode=slow patience=3min loud=ja strange=brie", "", ""},
		{"file=/x prt=8080", "parameter prt: is not known to ocf:test:tells; did you mean port?", ""},
		{"path=/x", "parameter path: is old; use file", ""},
		{"port=80", "", "parameter file: is missing"},
		{"file=/x port=http", "", "parameter port: \"http\" is not an integer"},
		{"file=/x mode=medium", "", "parameter mode: \"medium\" is none of its values; give one of fast, slow"},
		{"file=/x loud=perhaps", "", "parameter loud: \"perhaps\" is not a boolean"},
		{"file=/x patience=long", "", "parameter patience: \"long\" is not a duration"},
	} {
		warnings, err := resources.Check(meta, resource(strings.Fields(tt.parameters)...))
		if got := strings.Join(warnings, "\n"); got != tt.warning {
			t.Errorf("%s: warnings %q, want %q", tt.parameters, got, tt.warning)
		}
		if (err != nil) != (tt.refusal != "") || err != nil && !strings.HasPrefix(err.Error(), tt.refusal) {
			t.Errorf("%s: %v, want %q", tt.parameters, err, tt.refusal)
		}
	}
}

func TestValidateRefusesWhatIsWrongEverywhereOnly(t *testing.T) {
	a := script(t, "tells")
	for _, tt := range []struct{ parameters, note, refusal string }{
		{"file=/x", "", ""},
		{"file=/x loud=yes", "validate-all: no loudspeaker (exit status 5: something it needs is not installed)", ""},
		{"file=/x mode=slow", "", "slow is not configured"},
	} {
		notes, err := a.Validate(within(t, patience), resource(strings.Fields(tt.parameters)...))
		if got := strings.Join(notes, "\n"); got != tt.note {
			t.Errorf("%s: notes %q, want %q", tt.parameters, got, tt.note)
		}
		if (err != nil) != (tt.refusal != "") || err != nil && !strings.Contains(err.Error(), tt.refusal) {
			t.Errorf("%s: %v, want %q", tt.parameters, err, tt.refusal)
		}
	}
}

func TestAScriptThatDoesNotDescribeItselfIsRefused(t *testing.T) {
	for _, name := range []string{"broken", "exits", "text"} {
		if _, err := script(t, name).Validate(within(t, patience), resource()); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestWhatRunsMayOutliveTheLeaseByItsStopS4(t *testing.T) {
	for _, tt := range []struct {
		script string
		stop   time.Duration
		want   time.Duration
	}{
		{"tells", 0, time.Minute},
		{"tells", 5 * time.Second, 5 * time.Second},
		{"absent", 0, 20 * time.Second},
		{"absent", 90 * time.Second, 90 * time.Second},
	} {
		r := resource()
		if tt.stop > 0 {
			r.Operations = []*pb.OperationSpec{{Name: "stop", Timeout: durationpb.New(tt.stop)}}
		}
		if got := script(t, tt.script).Traits(r).GetLapse().AsDuration(); got != tt.want {
			t.Errorf("%s with a stop of %v lapses after %v, want %v", tt.script, tt.stop, got, tt.want)
		}
	}
}

func TestInstalledAreTheScriptsThatCanBeRun(t *testing.T) {
	got := strings.Join(family(t).Installed(), " ")
	want := "ocf:test:broken ocf:test:daemon ocf:test:exits ocf:test:noisy ocf:test:stubborn ocf:test:tells ocf:test:text"
	if got != want {
		t.Errorf("installed are %s\nwant %s", got, want)
	}
	for _, name := range []string{"ocf:test", "ocf:test:../x", "ocf:..:x", "ocf:test:.x", "systemd:x", "ocf:a:b:c", ""} {
		if family(t).Find(name) != nil {
			t.Errorf("%q is taken for a script", name)
		}
	}
}
