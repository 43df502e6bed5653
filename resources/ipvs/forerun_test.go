package ipvs

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestADirectorHasToRunBeforeItsAddresses(t *testing.T) {
	a := New(Config{RunDir: t.TempDir()})
	director := resource("")
	for config, foreruns := range map[string]map[string]bool{
		"virtual 10.0.0.1:80; real 10.0.0.21":      {"10.0.0.1": true, "10.0.0.2": false, "": false, "www": false},
		"virtual [fd00::1]:80; real fd00::21":      {"fd00::1": true, "10.0.0.1": false},
		"virtual fwmark:5; real 10.0.0.21":         {"10.0.0.1": false},
		"virtual 10.0.0.1:80; and what is no line": {"10.0.0.1": false},
	} {
		director.Parameters["config"] = config
		for ip, want := range foreruns {
			vip := &pb.Resource{Id: "vip", Agent: "ocf:heartbeat:IPaddr2", Parameters: map[string]string{"ip": ip}}
			if got := a.Foreruns(director, vip); (got != "") != want {
				t.Errorf("%q before %q: %q, want %v", config, ip, got, want)
			}
		}
	}
}
