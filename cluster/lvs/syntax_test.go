package lvs

import (
	"fmt"
	"strings"
	"testing"
)

// outline writes directives one a line: LINE: words, blocks indented, those that
// are skipped with the reason.
func outline(f *File) string {
	var b strings.Builder
	var walk func(string, []*Directive)
	walk = func(indent string, list []*Directive) {
		for _, d := range list {
			fmt.Fprintf(&b, "%s%d: %s", indent, d.Line, strings.Join(d.Words, "|"))
			if d.Skip != "" {
				fmt.Fprintf(&b, " (%s)", d.Skip)
			}
			b.WriteByte('\n')
			walk(indent+"  ", d.Block)
		}
	}
	walk("", f.Directives)
	return b.String()
}

func TestKeepalivedsNotation(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"blocks, with the brace anywhere", "a {\n b 1 2\n}\nc\n{\nd }\ne { f 1 }", "1: a\n  2: b|1|2\n4: c\n  6: d\n7: e\n  7: f|1\n"},
		{"comments", "a 1 # one\n! two\nb \"x # y\" ! z\nc \\#1 \\!2", "1: a|1\n3: b|x # y\n4: c|#1|!2\n"},
		{"double quotes keep blanks and braces", "script \"/bin/x { a  b }\" user", "1: script|/bin/x { a  b }|user\n"},
		{"single quotes are letters", "script \"bash -c '</dev/tcp/1/2'\"", "1: script|bash -c '</dev/tcp/1/2'\n"},
		{"definitions", "$IP=10.0.0.1\n$NET=$IP/24\na ${NET} $IP", "1: $IP=|10.0.0.1\n2: $NET=|$IP/24\n3: a|10.0.0.1/24|10.0.0.1\n"},
		{"what is not defined stays", "a ${X} $Y", "1: a|${X}|$Y\n"},
		{"lines of this host", "@lvsm a 1\n@lvss a 2\n@^lvss b\n@^lvsm c", "1: a|1\n2: a|2 (it is for lvss)\n3: b\n4: c (it is for all but lvsm)\n"},
		{"a block of another host is skipped whole", "@lvss a {\n b\n}\nc", "1: a (it is for lvss)\n  2: b (it is for lvss)\n4: c\n"},
		{"a line that goes on without a definition is not followed, and there", "a \\\n b\nc", "1: a (" + notFollowed + ")\n2: b (" + notFollowed + ")\n3: c\n"},
		{
			"definitions of several lines", "$V= \\\nv 10.0.0.$N { \\\n r $N \\\n }\n$N=1\n$V\n$N=2\n${V}\nw",
			"1: $V=\n2: v|10.0.0.$N|{\n3: r|$N\n4: }\n5: $N=|1\n6: $V\n2: v|10.0.0.1\n  3: r|1\n7: $N=|2\n8: ${V}\n2: v|10.0.0.2\n  3: r|2\n9: w\n",
		},
		{"sequences", "~SEQ(A, 0, 1) a $A\n~SEQ(A, 2) b${A}\n~SEQx(A, 0x1a, 16, 0x3a) c $A\n~SEQ(A, 5, -2, 1) d $A", "1: ~SEQ(A, 0, 1)\n1: a|0\n1: a|1\n" +
			"2: ~SEQ(A, 2)\n2: b1\n2: b2\n3: ~SEQx(A, 0x1a, 16, 0x3a)\n3: c|1a\n3: c|2a\n3: c|3a\n4: ~SEQ(A, 5, -2, 1)\n4: d|5\n4: d|3\n4: d|1\n"},
		{"lists, and several on a line", "~LST({A, B}, {1, x}, {2, y}) ~LST(C, 7, 8) a $A$B$C", "1: ~LST({A, B}, {1, x}, {2, y})\n1: ~LST(C, 7, 8)\n1: a|1x7\n1: a|1x8\n1: ~LST(C, 7, 8)\n1: a|2y7\n1: a|2y8\n"},
		{"what is no sequence is there", "~SEQ(A, x) a\n~SEQ a\n~LST({A, B}, {1}) a", "1: ~SEQ(A,|x)|a (x is no number)\n2: ~SEQ|a (it is no ~SEQ(NAME, START, STEP, END) or ~LST(NAME, VALUE, …))\n" +
			"3: ~LST({A,|B},|{1})|a (not every one of its values has 2 parts)\n"},
		{"windows' line ends", "a {\r\n b\r\n}\r\n", "1: a\n  2: b\n"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ParseKeepalived("lvsm", "k.conf", []byte(tt.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(f); got != tt.want {
				t.Errorf("%q\n got\n%s\nwant\n%s", tt.text, got, tt.want)
			}
		})
	}
}

func TestIncludedFilesHaveTheirOwnLines(t *testing.T) {
	files := map[string]string{"conf.d/a.conf": "b 1\nc 2", "conf.d/loop.conf": "include loop.conf"}
	open := func(from, pattern string) ([]string, [][]byte, error) {
		if pattern == "loop.conf" {
			pattern = "conf.d/loop.conf"
		}
		text, ok := files[pattern]
		if !ok {
			return nil, nil, fmt.Errorf("no file is named %s", pattern)
		}
		return []string{pattern}, [][]byte{[]byte(text)}, nil
	}
	f, err := ParseKeepalived("", "k.conf", []byte("a\ninclude conf.d/a.conf\nincludea conf.d/none.conf\nd"), open)
	if err != nil {
		t.Fatal(err)
	}
	want := "1: a\n2: include|conf.d/a.conf\n1: b|1\n2: c|2\n3: includea|conf.d/none.conf (no file is named conf.d/none.conf)\n4: d\n"
	if got := outline(f); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if f.Directives[2].File != "conf.d/a.conf" {
		t.Errorf("the included directive is of %s", f.Directives[2].File)
	}
	if _, err := ParseKeepalived("", "k.conf", []byte("include conf.d/loop.conf"), open); err == nil || !strings.Contains(err.Error(), "files include one another") {
		t.Errorf("a file that includes itself: %v", err)
	}
}

func TestASyntaxErrorHasItsPlace(t *testing.T) {
	tests := []struct{ text, want string }{
		{"a {\n b", `k.conf:1:1: the block of "a" is not closed; add a }`},
		{"a\n}", "k.conf:2:1: this } closes no block"},
		{"a {\n }  }", "k.conf:2:5: this } closes no block"},
		{"{\n}", "k.conf:1:1: this { opens a block without a name"},
		{"a { b } {", "k.conf:1:9: this { opens a block without a name"},
		{"a\n  b \"c", `k.conf:2:5: this quote (") is not closed`},
		{"$A= \\\n$A\n$A", "k.conf:2:1: definitions name one another, 16 deep"},
		{"~SEQ(A, 1000) ~SEQ(B, 1000) a", "k.conf:1:1: definitions and sequences make more than 16384 lines"},
		{"a\x00", "k.conf:1:2: a NUL byte: this is no text"},
	}
	for _, tt := range tests {
		if _, err := ParseKeepalived("", "k.conf", []byte(tt.text), nil); err == nil || err.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

func TestLdirectordsNotation(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"services and globals", "checktimeout=3\nvirtual=10.0.0.5:80\n\treal=10.0.0.31:80 gate\n    service = http # web\nquiescent=yes",
			"1: checktimeout|3\n2: virtual|10.0.0.5:80\n  3: real|10.0.0.31:80 gate\n  4: service|http\n5: quiescent|yes\n"},
		{"quotes around a value", "virtual=1\n\trequest=\"index.html\"\n\treceive=\"a b\"", "1: virtual|1\n  2: request|index.html\n  3: receive|a b\n"},
		{"quotes inside of one", "virtual=1\n\treal=10.0.0.1 gate 1 \"a\", \"b\"", "1: virtual|1\n  2: real|10.0.0.1 gate 1 \"a\", \"b\"\n"},
		{"blank lines and comments do not end a service", "virtual=1\n\treal=10.0.0.1 gate\n\n# x\n\t# y\n\tservice=http", "1: virtual|1\n  2: real|10.0.0.1 gate\n  6: service|http\n"},
		{"one word", "supervised", "1: supervised\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ParseLdirectord("", "l.cf", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(f); got != tt.want {
				t.Errorf("%q\n got\n%s\nwant\n%s", tt.text, got, tt.want)
			}
		})
	}
	errors := []struct{ text, want string }{
		{"a=1\n  b=2", `l.cf:2:3: "b" is indented, and there is no virtual service before it`},
		{"virtual=1\n\tgate", `l.cf:2:2: "gate" is not NAME=VALUE`},
		{"virtual=1\n\treceive=\"a", `l.cf:2:10: this quote (") is not closed`},
		{"global_defs {", `l.cf:1:1: "global_defs {" is not NAME=VALUE`},
	}
	for _, tt := range errors {
		if _, err := ParseLdirectord("", "l.cf", []byte(tt.text)); err == nil || err.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}
