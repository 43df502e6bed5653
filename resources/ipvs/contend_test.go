package ipvs

import (
	"strings"
	"testing"
)

func TestAVirtualServiceBelongsToOneDirectorS8(t *testing.T) {
	a := New(Config{RunDir: t.TempDir(), Ldirectord: plainly})
	other := resource("virtual 10.0.0.1:80 fwmark:5 persistent=60\nreal 10.0.0.21")
	other.Id = "Old"
	for _, tt := range []struct{ config, want string }{
		{"virtual 10.0.0.1:443; real 10.0.0.21", ""},
		{"virtual 10.0.0.1:80 protocol=udp; real 10.0.0.21", ""},
		{"virtual 10.0.0.2:80\nreal 10.0.0.21\nvirtual 10.0.0.1:80; real 10.0.0.22", "line 3: the virtual service tcp 10.0.0.1:80 is in line 1 of the config of Old already"},
		{"virtual fwmark:5; real 10.0.0.22", "line 1: the virtual service mark 5 is in line 1 of the config of Old already"},
		{"virtual fwmark:5 family=ipv6; real fd00::22", ""},
		{"nonsense", ""},
	} {
		err := a.Contends(resource(tt.config), other)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("Contends(%q) = %v, want %q", tt.config, err, tt.want)
		}
	}
}
