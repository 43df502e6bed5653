package ipvs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
	"golang.org/x/sys/unix"
)

// A kernel is the table of this network namespace.
type kernel struct {
	ipvs.Client
	daemon *daemonLine
}

// errNone says that this kernel has no IPVS yet.
var errNone = errors.New("IPVS is not in this kernel")

// openKernel connects to the table, if IPVS is there. The generic-netlink family
// is asked for by name, since a request to one that is missing may go unanswered.
func openKernel() (*kernel, error) {
	daemon, err := openDaemonLine()
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOENT) {
		return nil, errNone
	}
	if err != nil {
		return nil, fmt.Errorf("IPVS: %w", err)
	}
	client, err := ipvs.New()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("IPVS: %w", err), daemon.close())
	}
	return &kernel{client, daemon}, nil
}

// loadKernel is openKernel, and loads the module where it must.
func loadKernel(ctx context.Context) (*kernel, error) {
	k, err := openKernel()
	if !errors.Is(err, errNone) {
		return k, err
	}
	if err := modprobe(ctx, "ip_vs"); err != nil {
		return nil, fmt.Errorf("this node's kernel has no IPVS: module ip_vs: %w", err)
	}
	return openKernel()
}

func (k *kernel) close() {
	if c, ok := k.Client.(io.Closer); ok {
		_ = c.Close() // nothing was written to it
	}
	_ = k.daemon.close()
}

// modprobe loads a module, or with -n finds out whether it could.
func modprobe(ctx context.Context, args ...string) error {
	program, err := exec.LookPath("modprobe")
	if err != nil {
		program = "/sbin/modprobe"
	}
	out, err := exec.CommandContext(ctx, program, append([]string{"-q"}, args...)...).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil && text != "" {
		return errors.New(text)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return errors.New("it is not installed, or may not be loaded here")
	}
	return err
}

// schedulerThere reports whether a scheduler is loaded or could be.
func schedulerThere(ctx context.Context, name string) bool {
	if _, err := os.Stat("/sys/module/ip_vs_" + name); err == nil {
		return true
	}
	return modprobe(ctx, "-n", "ip_vs_"+name) == nil
}

// read returns the services that are wanted, as they are. Their order is the
// kernel's.
func (k *kernel) read(wanted func(Key) bool) ([]Service, error) {
	list, err := k.Services()
	if err != nil && !errors.Is(err, os.ErrNotExist) { // that is: there is none
		return nil, fmt.Errorf("read the table: %w", denied(err))
	}
	var all []Service
	for _, s := range list {
		service := fromKernel(s.Service)
		if !wanted(service.Key) {
			continue
		}
		servers, err := k.Destinations(s.Service)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read the servers of %s: %w", service.Key, err)
		}
		for _, d := range servers {
			service.Servers = append(service.Servers, serverFromKernel(d.Destination))
		}
		slices.SortFunc(service.Servers, compareServers)
		all = append(all, service)
	}
	return all, nil
}

// denied explains a refusal that a user namespace explains.
func denied(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: the table is for root of the machine, which nobody is in a user namespace", err)
	}
	return err
}

// perform does one change.
func (k *kernel) perform(c Change) error {
	s, d := toKernel(c.Service), serverToKernel(c.Server)
	var err error
	switch c.Verb {
	case AddService:
		err = k.CreateService(s)
	case SetService:
		err = k.UpdateService(s)
	case RemoveService:
		err = k.RemoveService(s)
	case AddServer:
		err = k.CreateDestination(s, d)
	case SetServer:
		err = k.UpdateDestination(s, d)
	case RemoveServer:
		err = k.RemoveDestination(s, d)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT) && (c.Verb == AddService || c.Verb == SetService):
		return fmt.Errorf("%v: scheduler %s: module ip_vs_%s is not in this kernel", c, c.Service.Scheduler, c.Service.Scheduler)
	}
	return fmt.Errorf("%v: %w", c, denied(err))
}

func fromKernel(s ipvs.Service) Service {
	out := Service{
		Key:       Key{Mark: s.FWMark, V6: s.FWMark != 0 && s.Family == ipvs.INET6},
		Scheduler: s.Scheduler, Flags: Flags(s.Flags) & settable, Timeout: s.Timeout, Mask: s.Netmask.Bits(),
	}
	if s.FWMark == 0 {
		out.Protocol, out.Address = Protocol(s.Protocol), netip.AddrPortFrom(s.Address, s.Port)
	}
	if out.Flags&Persistent == 0 { // it is left over then
		out.Timeout, out.Mask = 0, out.bits()
	}
	return out
}

func toKernel(s Service) ipvs.Service {
	out := ipvs.Service{
		Scheduler: s.Scheduler, Flags: ipvs.Flags(s.Flags), Timeout: s.Timeout,
		Netmask: netmask.MaskFrom(s.Mask, s.bits()), Family: ipvs.INET, FWMark: s.Mark,
	}
	if s.is6() {
		out.Family = ipvs.INET6
	}
	if s.Mark == 0 {
		out.Protocol, out.Address, out.Port = ipvs.Protocol(s.Protocol), s.Address.Addr(), s.Address.Port()
	}
	return out
}

func serverFromKernel(d ipvs.Destination) Server {
	return Server{
		Address: netip.AddrPortFrom(d.Address, d.Port), Method: Method(d.FwdMethod), Weight: d.Weight,
		Upper: d.UpperThreshold, Lower: d.LowerThreshold,
	}
}

func serverToKernel(s Server) ipvs.Destination {
	d := ipvs.Destination{
		Address: s.Address.Addr(), Port: s.Address.Port(), FwdMethod: ipvs.ForwardType(s.Method), Weight: s.Weight,
		UpperThreshold: s.Upper, LowerThreshold: s.Lower, Family: ipvs.INET,
	}
	if d.Address.Is6() {
		d.Family = ipvs.INET6
	}
	return d
}
