package lvs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate/resources/ipvs"
)

func TestADirectorServesFromAnLdirectordFile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "tutorial.cf"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ServeLdirectord("ldirectord.cf", data)
	if err != nil {
		t.Fatal(err)
	}
	want := `virtual 192.168.10.100:80 scheduler=wlc persistent=7200
    check http interval=2s timeout=10s rise=1 fall=1 port=80 path=/alive.html host=www.example.com receive="I am alive"
    real 192.168.10.31:80 forward=direct
    sorry 127.0.0.1:80 forward=direct
`
	if got.Text != want || !slices.Equal(got.Lines, []int{8, 8, 9, 10}) {
		t.Errorf("it serves\n%sof lines %v; want\n%sof 8, 8, 9, 10", got.Text, got.Lines, want)
	}
	if !got.Reload || len(got.Notes) != 1 || !strings.HasPrefix(got.Notes[0], "ldirectord.cf:5: logfile: not taken: the agent logs to its own log") {
		t.Errorf("reload %v, notes %q", got.Reload, got.Notes)
	}
	if _, err := ipvs.Parse(got.Text); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeServedIsSaidWithItsLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an unknown directive", "autoreloed=yes", "f:5: autoreloed: not taken: it is not known here"},
		{"a server of another family", "virtual=10.0.0.1:81\n real6=[fd00::1]:81 gate\n real=10.0.0.3 gate\n checktype=on", "f:6: real6: not taken: real6 does not belong to the family"},
		{"a service named twice", "virtual=10.0.0.1:80\n real=10.0.0.3 gate\n checktype=on", "f:5: virtual: not taken: line 1 has that service already"},
		{"an unknown check", "virtual=10.0.0.1:81\n real=10.0.0.3 gate\n checktype=telepathy", "f:5: virtual: not taken: checktype=telepathy has no equal"},
		{"a server that is named", "virtual=10.0.0.1:81\n real=www gate\n real=10.0.0.3 gate\n checktype=on", "f:6: real: not taken: www is not an address"},
	}
	const first = "virtual=10.0.0.1:80\n real=10.0.0.2 gate\n checktype=on\n\n"
	for _, tt := range tests {
		got, err := ServeLdirectord("f", []byte(first+tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !slices.ContainsFunc(got.Notes, func(n string) bool { return strings.HasPrefix(n, tt.want) }) {
			t.Errorf("%s: notes %q, want %q", tt.name, got.Notes, tt.want)
		}
	}
}

func TestAFileThatServesNothingIsRefused(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no service", "quiescent=no", "f: no virtual service of it can be served: f:1: quiescent"},
		{"an empty file", "", "f: no virtual service of it can be served: there is none in it"},
		{"no line of a file", "virtual=10.0.0.1:80\n real 10.0.0.2", `f:2:2: "real 10.0.0.2" is not NAME=VALUE`},
		{"an open quote", "virtual=10.0.0.1:80\n request=\"x", "f:2:10: this quote"},
		{"a server of nothing", " real=10.0.0.2 gate", "f:1:2:"},
	}
	for _, tt := range tests {
		if _, err := ServeLdirectord("f", []byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
