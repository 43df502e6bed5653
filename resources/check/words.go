package check

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A word is one option of a check, in the order in which they are written.
type word struct {
	name string
	set  func(c *Check, value string) error
	get  func(c Check) string // empty: the default
}

var vocabulary = []word{
	durationWord("interval", func(c *Check) *time.Duration { return &c.Interval }),
	durationWord("timeout", func(c *Check) *time.Duration { return &c.Timeout }),
	durationWord("retry", func(c *Check) *time.Duration { return &c.Retry }),
	countWord("rise", func(c *Check) *int { return &c.Rise }),
	countWord("fall", func(c *Check) *int { return &c.Fall }),
	{"address", setAddress, func(c Check) string {
		if !c.Address.IsValid() {
			return ""
		}
		return c.Address.String()
	}},
	{"port", setPort, func(c Check) string { return positive(int(c.Port)) }},
	{"source", setSource, func(c Check) string {
		if !c.Source.IsValid() {
			return ""
		}
		return c.Source.String()
	}},
	boolWord("tls", func(c *Check) *bool { return &c.TLS }),
	textWord("sni", func(c *Check) *string { return &c.SNI }, isLine),
	boolWord("verify", func(c *Check) *bool { return &c.Verify }),
	textWord("path", func(c *Check) *string { return &c.Path }, isPath),
	textWord("method", func(c *Check) *string { return &c.Method }, isMethod),
	textWord("host", func(c *Check) *string { return &c.Host }, isLine),
	textWord("status", func(c *Check) *string { return &c.Status }, isStatus),
	textWord("digest", func(c *Check) *string { return &c.Digest }, isDigest),
	textWord("request", func(c *Check) *string { return &c.Request }, isLine),
	textWord("type", func(c *Check) *string { return &c.Type }, isLine),
	textWord("receive", func(c *Check) *string { return &c.Receive }, isPattern),
	textWord("absent", func(c *Check) *string { return &c.Absent }, isPattern),
	textWord("login", func(c *Check) *string { return &c.Login }, isLine),
	textWord("password", func(c *Check) *string { return &c.Password }, isLine),
	textWord("database", func(c *Check) *string { return &c.Database }, isLine),
	textWord("command", func(c *Check) *string { return &c.Command }, isCommand),
	countWord("least", func(c *Check) *int { return &c.Least }),
	countWord("most", func(c *Check) *int { return &c.Most }),
	boolWord("dynamic", func(c *Check) *bool { return &c.Dynamic }),
	textWord("file", func(c *Check) *string { return &c.File }, isFile),
	{"weight", setWeight, func(c Check) string {
		if c.Weight == 0 {
			return ""
		}
		return strconv.Itoa(c.Weight)
	}},
	boolWord("reverse", func(c *Check) *bool { return &c.Reverse }),
}

// Parse reads a check: its kind, then word=value. A value with blanks stands in
// quotes, single or double.
func Parse(text string) (Check, error) {
	words, err := split(text)
	if err != nil {
		return Check{}, err
	}
	return ParseWords(words)
}

// ParseWords reads a check that was split into words already, as by a shell.
func ParseWords(words []string) (Check, error) {
	if len(words) == 0 {
		return Check{}, fmt.Errorf("the check has no kind; give one of %s", strings.Join(Kinds(), ", "))
	}
	c := Check{Kind: words[0]}
	if _, ok := kinds[c.Kind]; !ok {
		return Check{}, fmt.Errorf("%q is no kind of check; they are %s", c.Kind, strings.Join(Kinds(), ", "))
	}
	seen := make(map[string]bool)
	for _, w := range words[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return Check{}, fmt.Errorf("%q is not word=value", w)
		}
		if seen[name] {
			return Check{}, fmt.Errorf("%s= is there twice", name)
		}
		seen[name] = true
		if err := c.set(name, value); err != nil {
			return Check{}, err
		}
	}
	return c, c.Validate()
}

// set sets a word that the kind takes.
func (c *Check) set(name, value string) error {
	takes := kinds[c.Kind].takes()
	if !slices.Contains(takes, name) {
		if len(takes) == 0 {
			return fmt.Errorf("%s= is not a word of a check of kind %s, which has none", name, c.Kind)
		}
		return fmt.Errorf("%s= is not a word of a check of kind %s; it has %s", name, c.Kind, strings.Join(takes, ", "))
	}
	i := slices.IndexFunc(vocabulary, func(w word) bool { return w.name == name })
	if err := vocabulary[i].set(c, value); err != nil {
		return fmt.Errorf("%s=%s: %w", name, value, err)
	}
	return nil
}

// Validate says what is wrong with a check as a whole.
func (c Check) Validate() error {
	_, err := c.probe()
	return err
}

// String writes a check as Parse reads it.
func (c Check) String() string {
	words := []string{c.Kind}
	for _, w := range vocabulary {
		if value := w.get(c); value != "" {
			words = append(words, w.name+"="+quote(value))
		}
	}
	return strings.Join(words, " ")
}

func durationWord(name string, field func(*Check) *time.Duration) word {
	return word{name, func(c *Check, value string) error {
		d, err := time.ParseDuration(value)
		if n, e := strconv.ParseUint(value, 10, 31); e == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil {
			return errors.New("it is not a time; give a number with a unit, e.g. 2s or 500ms")
		}
		if d < 10*time.Millisecond || d > 24*time.Hour {
			return errors.New("give 10ms to 24h")
		}
		*field(c) = d
		return nil
	}, func(c Check) string {
		if *field(&c) == 0 {
			return ""
		}
		return field(&c).String()
	}}
}

func countWord(name string, field func(*Check) *int) word {
	return word{name, func(c *Check, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 1000 {
			return errors.New("give a number from 1 to 1000")
		}
		*field(c) = n
		return nil
	}, func(c Check) string { return positive(*field(&c)) }}
}

func boolWord(name string, field func(*Check) *bool) word {
	return word{name, func(c *Check, value string) error {
		if value != "yes" && value != "no" {
			return errors.New("give yes or no")
		}
		*field(c) = value == "yes"
		return nil
	}, func(c Check) string {
		if *field(&c) {
			return "yes"
		}
		return ""
	}}
}

func textWord(name string, field func(*Check) *string, check func(string) error) word {
	return word{name, func(c *Check, value string) error {
		if value == "" {
			return errors.New("it is empty; leave the word out for the default")
		}
		*field(c) = value
		return check(value)
	}, func(c Check) string { return *field(&c) }}
}

func positive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func setAddress(c *Check, value string) error {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return errors.New("it is not an IPv4 or IPv6 address")
	}
	c.Address = a.Unmap()
	return nil
}

func setSource(c *Check, value string) error {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return errors.New("it is not an IPv4 or IPv6 address")
	}
	c.Source = a.Unmap()
	return nil
}

func setWeight(c *Check, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < -heaviest || n > heaviest {
		return fmt.Errorf("give a number from -%d to %d", heaviest, heaviest)
	}
	c.Weight = n
	return nil
}

func isFile(value string) error {
	if !strings.HasPrefix(value, "/") {
		return errors.New("give the file with its whole path")
	}
	return isLine(value)
}

func setPort(c *Check, value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n == 0 {
		return errors.New("give a number from 1 to 65535")
	}
	c.Port = uint16(n)
	return nil
}

// isLine keeps what is sent within one line of a protocol.
func isLine(value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) {
		return errors.New("it must be one line of text without control characters")
	}
	return nil
}

func isPath(value string) error {
	if !strings.HasPrefix(value, "/") && value != "*" {
		return errors.New("begin it with a slash")
	}
	if strings.Contains(value, " ") {
		return errors.New("write a blank in it as %20")
	}
	return isLine(value)
}

func isMethod(value string) error {
	if !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, value) {
		return errors.New("give GET, HEAD or OPTIONS")
	}
	return nil
}

func isDigest(value string) error {
	if sum, err := hex.DecodeString(value); err != nil || len(sum) != md5.Size {
		return errors.New("it is not the MD5 digest of a page: 32 hexadecimal digits, as genhash prints them")
	}
	return nil
}

func isPattern(value string) error {
	if _, err := regexp.Compile(value); err != nil {
		return err
	}
	return isLine(value)
}

func isStatus(value string) error {
	_, err := parseStatus(value)
	return err
}

func isCommand(value string) error {
	words, err := split(value)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("it names no program")
	}
	return isLine(value)
}

// split splits at blanks outside of quotes, which are " or ' and keep all between
// two of them as it is: the rules of a director's configuration.
func split(text string) ([]string, error) {
	var words []string
	var b strings.Builder
	var open rune
	begun := false
	for _, r := range text {
		switch {
		case open != 0 && r == open:
			open = 0
		case open != 0:
			b.WriteRune(r)
		case r == '"' || r == '\'':
			open, begun = r, true
		case unicode.IsSpace(r):
			if begun {
				words = append(words, b.String())
			}
			b.Reset()
			begun = false
		default:
			b.WriteRune(r)
			begun = true
		}
	}
	if open != 0 {
		return nil, fmt.Errorf("a quote (%c) is not closed", open)
	}
	if begun {
		words = append(words, b.String())
	}
	return words, nil
}

// quote is the inverse of split for one word. A semicolon is quoted, too: it ends
// a statement of a director's configuration.
func quote(value string) string {
	special := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"';`, r) }
	switch {
	case !strings.ContainsFunc(value, special):
		return value
	case !strings.Contains(value, `"`):
		return `"` + value + `"`
	case !strings.Contains(value, `'`):
		return `'` + value + `'`
	}
	return `"` + strings.ReplaceAll(value, `"`, `"'"'"`) + `"`
}
