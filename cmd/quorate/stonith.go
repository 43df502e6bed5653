package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

func newStonithCommand(a *app) *cobra.Command {
	status := newStonithStatusCommand(a)
	return noun("stonith", "Make fencing devices, and fence nodes",
		"stonith create ipmi-lvss fence_ipmilan ip=10.0.0.12 username=admin password=@ipmi.secret pcmk_host_list=lvss\nstonith fence lvss", status.RunE,
		status, newDeviceConfigCommand(a), newDeviceCreateCommand(a), newDeviceUpdateCommand(a), newDeviceDeleteCommand(a),
		newDeviceSwitchCommand(a, "enable", "Use fencing devices again, and test them", false),
		newDeviceSwitchCommand(a, "disable", "Neither use nor test fencing devices", true),
		newDeviceListCommand(a), newDeviceDescribeCommand(a), newDeviceTestCommand(a),
		newLevelCommand(a), newFenceCommand(a), newConfirmCommand(a), newHistoryCommand(a),
	)
}

func newStonithStatusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Aliases: []string{"show"},
		Short:   "Show the fencing devices, what they switch and whether they work",
		Example: "stonith\nstonith status -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			s := resp.GetState()
			part := &pb.State{Devices: s.GetDevices(), Levels: s.GetLevels(), Conditions: s.GetConditions(), Fencings: s.GetFencings()}
			return a.print(part, func(w io.Writer) error {
				return render.Stonith(w, resp, a.now(), a.options())
			}, "devices", "levels", "conditions", "fencings")
		},
	}
}

func newDeviceConfigCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "config [ID]...",
		Short:             "Show how fencing devices are configured",
		Example:           "stonith config\nstonith config ipmi-lvss -o yaml",
		ValidArgsFunction: a.completes(deviceIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			s := resp.GetState()
			for _, id := range ids {
				if !slices.Contains(deviceIDs(resp), id) {
					return notFound("device: there is no fencing device %q", id)
				}
			}
			list := slices.DeleteFunc(slices.Clone(s.GetDevices()), func(d *pb.FencingDevice) bool {
				return len(ids) > 0 && !slices.Contains(ids, d.GetId())
			})
			cfg := &pb.Configuration{Levels: s.GetLevels()}
			for _, d := range list {
				cfg.Devices = append(cfg.Devices, &pb.FencingDevice{
					Id: d.GetId(), Type: d.GetType(), Parameters: d.GetParameters(), Operations: d.GetOperations(), Disabled: d.GetDisabled(),
				})
			}
			return a.print(cfg, func(w io.Writer) error {
				for _, d := range cfg.GetDevices() {
					printDevice(w, d)
				}
				return nil
			}, "devices", "levels")
		},
	}
}

func printDevice(w io.Writer, d *pb.FencingDevice) {
	note := ""
	if d.GetDisabled() {
		note = ", disabled"
	}
	fmt.Fprintf(w, "Device %s (%s%s)\n", d.GetId(), d.GetType(), note)
	printPairs(w, "  ", d.GetParameters())
	for _, o := range d.GetOperations() {
		fmt.Fprintf(w, "  op %s\n", strings.Join(grammar.OperationWords(o), " "))
	}
}

func newDeviceCreateCommand(a *app) *cobra.Command {
	var disabled bool
	c := &cobra.Command{
		Use:   "create ID TYPE [NAME=VALUE]... [op ACTION [NAME=VALUE]...]...",
		Short: "Make a fencing device",
		Long: "Make a fencing device, by one of the installed fence_ programs (\"stonith list\"), which\n" +
			"every node may use. NAME=@FILE takes the content of a file, and @- standard input: a\n" +
			"password that is written as a word can be seen by other users of this machine.\n" +
			"Passwords are kept apart and shown to nobody.\n\n" +
			"pcmk_host_list names the nodes that it switches, pcmk_host_map=NODE:PLUG;… what it\n" +
			"calls them; pcmk_delay_base, pcmk_off_timeout and the like are as in Pacemaker.",
		Example: "stonith create ipmi-lvss fence_ipmilan ip=10.0.0.12 username=admin password=@ipmi.secret lanplus=1 pcmk_host_list=lvss op monitor interval=60s\n" +
			"stonith create pdu fence_apc_snmp ip=10.0.0.9 community=@- pcmk_host_map=\"lvsm:1;lvss:2\"",
		ValidArgsFunction: a.completesDevices(1),
		RunE: func(c *cobra.Command, words []string) error {
			d, err := grammar.CreateDevice(words)
			if err != nil {
				return err
			}
			d.Disabled = d.Disabled || disabled
			if err := a.readSecrets(d.GetParameters()); err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_CreateDevice{CreateDevice: &pb.CreateDevice{Device: d}}})
		},
	}
	c.Flags().BoolVar(&disabled, "disabled", false, "do not use it yet")
	return a.changes(c)
}

// readSecrets replaces every value @FILE by the first line of the file, @- by that of
// standard input, and @@ by @. A secret that was given as a word is warned of.
func (a *app) readSecrets(parameters map[string]string) error {
	for name, value := range parameters {
		file, ok := strings.CutPrefix(value, "@")
		switch {
		case !ok && fencing.Secret(name) && value != "" && !strings.HasPrefix(value, "secret:"):
			a.warn("%s was given as a word, which other users of this machine can see; use %s=@FILE, or @- for standard input", name, name)
			continue
		case !ok:
			continue
		case strings.HasPrefix(file, "@"):
			parameters[name] = file
			continue
		}
		content, err := a.readSecret(file)
		if err != nil {
			return grammar.Errorf("%s: %v", name, err).With("write @@ for a value that begins with @")
		}
		parameters[name] = strings.TrimRight(content, "\r\n")
	}
	return nil
}

func (a *app) readSecret(file string) (string, error) {
	if file == "-" {
		content, err := io.ReadAll(a.in)
		return string(content), err
	}
	content, err := os.ReadFile(file)
	return string(content), err
}

func newDeviceUpdateCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "update ID [NAME=[VALUE]]... [op ACTION [NAME=VALUE]...]...",
		Short:             "Change a fencing device; an empty value removes",
		Example:           "stonith update ipmi-lvss ip=10.0.0.13\nstonith update ipmi-lvss password=@ipmi.secret op monitor interval=5min",
		ValidArgsFunction: a.completes(deviceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			u, err := grammar.UpdateDevice(words)
			if err != nil {
				return err
			}
			if err := a.readSecrets(u.GetSetParameters()); err != nil {
				return err
			}
			if len(u.GetSetOperations()) > 0 {
				resp, err := a.member(c.Context())
				if err != nil {
					return err
				}
				for _, d := range resp.GetState().GetDevices() {
					if d.GetId() == u.GetId() {
						grammar.ReplaceTests(u, d.GetOperations())
					}
				}
			}
			u.Force = a.force
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateDevice{UpdateDevice: u}})
		},
	}
	return a.changes(c)
}

func newDeviceDeleteCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "delete ID...",
		Aliases:           []string{"remove"},
		Short:             "Remove fencing devices, from the levels too",
		Example:           "stonith delete ipmi-lvss\nstonith delete ipmi-lvss --force",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(deviceIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit {
				return &pb.Edit{Kind: &pb.Edit_DeleteDevice{DeleteDevice: &pb.DeleteDevice{Id: id, Force: a.force}}}
			})...)
		},
	}
	return a.changes(c)
}

func newDeviceSwitchCommand(a *app, verb, short string, disabled bool) *cobra.Command {
	c := &cobra.Command{
		Use:               verb + " ID...",
		Short:             short,
		Example:           "stonith " + verb + " ipmi-lvss",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(deviceIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit {
				return &pb.Edit{Kind: &pb.Edit_UpdateDevice{UpdateDevice: &pb.UpdateDevice{Id: id, Disabled: &disabled, Force: a.force}}}
			})...)
		},
	}
	return a.changes(c)
}

func newDeviceListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list [PART]",
		Aliases: []string{"agents"},
		Short:   "List the types that fencing devices can have: the programs installed here",
		Example: "stonith list\nstonith list ipmi",
		Args:    words(0, 1),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.deviceTypes(c.Context(), "")
			if err != nil {
				return err
			}
			if len(words) > 0 {
				resp.Installed = slices.DeleteFunc(resp.GetInstalled(), func(n string) bool { return !strings.Contains(n, strings.ToLower(words[0])) })
			}
			return a.print(resp, func(w io.Writer) error {
				for _, name := range resp.GetInstalled() {
					if _, err := fmt.Fprintln(w, name); err != nil {
						return err
					}
				}
				return nil
			}, "installed", "node")
		},
	}
}

func newDeviceDescribeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "describe TYPE",
		Short:             "Show what a type of fencing device does and takes",
		Example:           "stonith describe fence_ipmilan",
		Args:              words(1, 1),
		ValidArgsFunction: a.completesDevices(0),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.deviceTypes(c.Context(), words[0])
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error {
				for _, m := range resp.GetTypes() {
					if err := render.Agent(w, m, a.palette()); err != nil {
						return err
					}
				}
				_, err := fmt.Fprintf(w, "\n%s\n", render.DeviceTraits(resp.GetTraits()))
				return err
			})
		},
	}
}

func (a *app) deviceTypes(ctx context.Context, name string) (resp *pb.DescribeDevicesResponse, err error) {
	err = a.ask(ctx, changeTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.DescribeDevices(ctx, &pb.DescribeDevicesRequest{Name: name})
		return err
	})
	return resp, err
}

func newDeviceTestCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "test ID",
		Short:             "Have every node test a fencing device now; nothing is switched",
		Example:           "stonith test ipmi-lvss",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(deviceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			return a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.TestDevice(ctx, &pb.TestDeviceRequest{Id: words[0]})
			})
		},
	}
}

func deviceIDs(r *pb.GetResponse) []string {
	return each(r.GetState().GetDevices(), (*pb.FencingDevice).GetId)
}

// completesDevices offers the types of fencing devices as the word at a place, and
// files after that.
func (a *app) completesDevices(at int) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(words) != at {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var names []string
		err := a.ask(commandContext(c), completeTimeout, func(ctx context.Context, cl *client) error {
			resp, err := cl.DescribeDevices(ctx, &pb.DescribeDevicesRequest{})
			names = resp.GetInstalled()
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
