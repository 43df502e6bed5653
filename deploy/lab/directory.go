package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// directory is where a lab keeps its files: its socket, logs and its hosts' disks.
type directory string

func (d directory) spec() string            { return filepath.Join(string(d), "lab.json") }
func (d directory) hosts() string           { return filepath.Join(string(d), "hosts") }
func (d directory) bin() string             { return filepath.Join(string(d), "bin") }
func (d directory) log(host string) string  { return filepath.Join(string(d), "log", host+".log") }
func (d directory) etc(host string) string  { return filepath.Join(string(d), "nodes", host, "etc") }
func (d directory) data(host string) string { return filepath.Join(string(d), "nodes", host, "data") }

// root returns the directory that holds all labs of this user.
func root() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "quorate", "lab")
	}
	home := os.Getenv("HOME")
	if info, err := os.Stat(home); filepath.IsAbs(home) && err == nil && info.IsDir() && writable(home) {
		return filepath.Join(home, ".local", "state", "quorate", "lab")
	}
	return filepath.Join(os.TempDir(), "quorate-lab-"+strconv.Itoa(os.Getuid()))
}

// create makes the files of a new lab. It fails if there is one of that name.
func create(s Spec) (directory, error) {
	d := directory(filepath.Join(root(), s.Name))
	if err := os.MkdirAll(root(), 0o700); err != nil {
		return "", fmt.Errorf("lab directory: %w", err)
	}
	if err := owned(root()); err != nil {
		return "", err
	}
	if err := os.Mkdir(string(d), 0o700); err != nil {
		return "", fmt.Errorf("lab directory: %w", err)
	}
	if err := d.fill(s); err != nil {
		return "", errors.Join(err, d.remove())
	}
	return d, nil
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

// owned refuses a directory that another user made in a place all may write to.
func owned(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("lab directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm()&0o022 != 0 || int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("lab directory %s: belongs to somebody else; set XDG_STATE_HOME to a directory of yours", path)
	}
	return nil
}

// remove deletes d, and what held it if nothing else is in there.
func (d directory) remove() error {
	err := os.RemoveAll(string(d))
	for dir := filepath.Dir(string(d)); strings.HasPrefix(filepath.Base(dir), "quorate") || filepath.Base(dir) == "lab"; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break
		}
	}
	return err
}

func (d directory) fill(s Spec) error {
	program := s.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return fmt.Errorf("own program: %w", err)
		}
	}
	dirs := []string{d.bin(), filepath.Dir(d.log(""))}
	for _, h := range s.Hosts {
		dirs = append(dirs, d.etc(h.Name), d.data(h.Name))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("lab directory: %w", err)
		}
	}
	for _, h := range s.Hosts {
		for name, text := range h.Files {
			if err := os.WriteFile(filepath.Join(d.etc(h.Name), name), []byte(text), 0o600); err != nil {
				return fmt.Errorf("lab directory: %w", err)
			}
		}
	}
	for _, name := range []string{"quorate", "pcs", "crm_simulate", SwitchCommand} {
		if err := os.Symlink(program, filepath.Join(d.bin(), name)); err != nil {
			return fmt.Errorf("lab directory: %w", err)
		}
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("lab description: %w", err)
	}
	return errors.Join(os.WriteFile(d.spec(), data, 0o644), os.WriteFile(d.hosts(), hostsFile(s), 0o644))
}

func hostsFile(s Spec) []byte {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for _, h := range s.Hosts {
		fmt.Fprintf(&b, "%s %s\n", h.Address(), h.Name)
	}
	for _, h := range s.Hosts {
		fmt.Fprintf(&b, "%s %s-ipv6\n", h.Address6(), h.Name)
		for network, a := range h.Addresses()[1:] {
			fmt.Fprintf(&b, "%s %s-%s\n", a, h.Name, Networks[network+1])
		}
	}
	return []byte(b.String())
}

func (d directory) read() (Spec, error) {
	var s Spec
	data, err := os.ReadFile(d.spec())
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", d.spec(), err)
	}
	return s, nil
}

// throughShort calls f with a short path for d's socket, whose own may be
// longer than the 107 bytes that a socket's address holds.
func (d directory) throughShort(f func(path string) error) error {
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/socket", dir.Fd()))
}

func (d directory) dial() (conn *net.UnixConn, err error) {
	err = d.throughShort(func(path string) error {
		conn, err = net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
		return err
	})
	return conn, err
}

func (d directory) listen() (l *net.UnixListener, err error) {
	err = d.throughShort(func(path string) error {
		l, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
		if err == nil {
			l.SetUnlinkOnClose(false) // the path is short-lived; the keeper removes the directory
		}
		return err
	})
	return l, err
}
