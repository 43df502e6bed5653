package check

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestACheckIsReadAndWrittenAlike(t *testing.T) {
	tests := []struct {
		text string
		want Check
	}{
		{"tcp", Check{Kind: "tcp"}},
		{"tcp interval=1 timeout=500ms rise=3 fall=1", Check{Kind: "tcp", Interval: time.Second, Timeout: 500 * time.Millisecond, Rise: 3, Fall: 1}},
		{"http path=/alive status=200-299,301 host=www.example.com port=8080", Check{
			Kind: "http", Path: "/alive", Status: "200-299,301", Host: "www.example.com", Port: 8080,
		}},
		{`http receive='all is "well"' address=192.0.2.7`, Check{Kind: "http", Receive: `all is "well"`, Address: netip.MustParseAddr("192.0.2.7")}},
		{`http receive=a\d+b`, Check{Kind: "http", Receive: `a\d+b`}},
		{"https sni=a.example.com verify=yes digest=ff20ad2481f97b1754ef3e12ecd3a9cc", Check{
			Kind: "https", SNI: "a.example.com", Verify: true, Digest: "ff20ad2481f97b1754ef3e12ecd3a9cc",
		}},
		{`program command='/usr/bin/test -e "/run/my service"'`, Check{Kind: "program", Command: `/usr/bin/test -e "/run/my service"`}},
		{`mysql login=reader password="two words" request="SELECT 1 FROM link"`, Check{
			Kind: "mysql", Login: "reader", Password: "two words", Request: "SELECT 1 FROM link",
		}},
		{"dns request=www.example.com type=AAAA", Check{Kind: "dns", Request: "www.example.com", Type: "AAAA"}},
		{`http receive="it's "'"well"'`, Check{Kind: "http", Receive: `it's "well"`}},
		{`http receive="a;b"`, Check{Kind: "http", Receive: `a;b`}},
		{"off", Check{Kind: "off"}},
	}
	for _, tt := range tests {
		got, err := Parse(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q)\n got %+v, %v\nwant %+v", tt.text, got, err, tt.want)
			continue
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%q was written as %q and read again as %+v, %v", tt.text, got, again, err)
		}
	}
}

func TestAWrongWordIsNamedWithWhatWouldBeRight(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "has no kind"},
		{"htpp path=/", `"htpp" is no kind of check; they are dns, file, ftp, http,`},
		{"http path", `"path" is not word=value`},
		{"http path=alive", "path=alive: begin it with a slash"},
		{"http path=/a path=/b", "path= is there twice"},
		{"http colour=red", "colour= is not a word of a check of kind http; it has interval,"},
		{"tcp path=/", "path= is not a word of a check of kind tcp"},
		{"on rise=2", "rise= is not a word of a check of kind on, which has none"},
		{"http interval=soon", "interval=soon: it is not a time"},
		{"http interval=1ms", "give 10ms to 24h"},
		{"http rise=0", "give a number from 1 to 1000"},
		{"http port=70000", "give a number from 1 to 65535"},
		{"http status=2xx", `"2xx" is not a range of status codes`},
		{"http status=300-200", `"300-200" is not a range`},
		{"http digest=abc", "it is not the MD5 digest"},
		{"http receive=(", "missing closing )"},
		{"http method=POST", "give GET, HEAD or OPTIONS"},
		{"http method=HEAD receive=a", "method=HEAD brings no page"},
		{"http host=", "it is empty"},
		{"http verify=maybe", "give yes or no"},
		{`http receive="a`, "is not closed"},
		{"http address=web1", "it is not an IPv4 or IPv6 address"},
		{"http host=a\x01b", "one line of text without control characters"},
		{"program", "command= is missing"},
		{"program command=true", "its whole path"},
		{"simpletcp request=x", "receive= is missing"},
		{"dns type=ABC", "it is no type of DNS records"},
		{"ldap login=cn=a", "login= is there without password="},
		{"pgsql password=x", "login= is missing"},
	}
	for _, tt := range tests {
		if _, err := Parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%q): got %v, want an error with %q", tt.text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"http path=/ receive=\"a b\"", `program command="/bin/x \\ \"y\""`, "tcp interval=1", "dns type=a", `http receive=\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(c.String()); err != nil || again != c {
			t.Errorf("%q was written as %q and read again as %+v, %v; want %+v", text, c, again, err, c)
		}
	})
}
