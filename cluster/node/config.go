package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultPort is the one port, TCP and UDP, that members use among themselves.
const DefaultPort = 7480

// What may guard addresses, in the agent's file.
const (
	guardNFTables = "nftables"
	guardLifetime = "lifetime"
)

// Config is the agent's own file, /etc/quorate/agent.yaml. Every key may be
// left out. What the cluster agrees on is not in here: it is replicated.
type Config struct {
	Name      string   `yaml:"name"`      // of this node; default: the host name up to its first dot
	Addresses []string `yaml:"addresses"` // host or host:port where other nodes reach this one; default: found when it joins
	Listen    string   `yaml:"listen"`    // address:port; default: ":7480"
	Group     string   `yaml:"group"`     // Unix group that may use the CLI beside root; default: none
	Guard     string   `yaml:"guard"`     // of addresses: nftables (where it can be had) or lifetime; default: nftables
	LogLevel  string   `yaml:"log_level"` // debug, info, warn or error; default: info
	DataDir   string   `yaml:"data_dir"`  // default: /var/lib/quorate
	RunDir    string   `yaml:"run_dir"`   // default: /run/quorate
}

// ReadConfig reads the agent's file. A file that does not exist is an empty
// one; an unknown key is an error.
func ReadConfig(path string) (Config, error) {
	var c Config
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return c, fmt.Errorf("read the agent's file: %w", err)
	default:
		defer f.Close()
		d := yaml.NewDecoder(f)
		d.KnownFields(true)
		if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
			return c, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := c.complete(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// complete fills in the defaults and checks the rest.
func (c *Config) complete() error {
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("name: %w", err)
		}
		c.Name, _, _ = strings.Cut(host, ".")
	}
	setDefault(&c.Listen, ":"+strconv.Itoa(DefaultPort))
	setDefault(&c.Guard, guardNFTables)
	setDefault(&c.LogLevel, "info")
	setDefault(&c.DataDir, "/var/lib/quorate")
	setDefault(&c.RunDir, "/run/quorate")
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %w; write an address and a port such as \":%d\"", err, DefaultPort)
	}
	for i, a := range c.Addresses {
		c.Addresses[i] = WithPort(a)
	}
	if c.Guard != guardNFTables && c.Guard != guardLifetime {
		return fmt.Errorf("guard: %q is not one of %s, %s", c.Guard, guardNFTables, guardLifetime)
	}
	if _, err := c.Level(); err != nil {
		return err
	}
	return nil
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// WithPort completes host to host:port with the default port.
func WithPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(DefaultPort))
}

// Level is the log level.
func (c *Config) Level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, fmt.Errorf("log_level: %q is not one of debug, info, warn, error", c.LogLevel)
	}
	return l, nil
}
