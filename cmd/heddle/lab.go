package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/lab"
)

// labFlags say which lab a command is about.
type labFlags struct {
	name string
	dir  string
}

func (f *labFlags) open() (*lab.Lab, error) { return lab.Open(f.dir, f.name) }

func newLabCommand() *cobra.Command {
	f := &labFlags{}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Build hosts out of namespaces on this machine, each with its own Open vSwitch",
		Long: `A lab is a handful of hosts on this machine: namespaces with a stock Open vSwitch each, an
underlay between them, and a management network on which this machine is the first
address. Virtual machines are plugged into them the way Nova and libvirt do. Needs root.

  heddle lab up --hosts 3 --controller :6640
  heddle lab vm add net1 vm1 --port-id UUID --mac fa:16:3e:00:00:01 --ip 10.0.22.4/24
  heddle lab vm exec vm1 -- ping 10.0.22.5
  heddle lab exec cmp1 -- ovs-vsctl show
  heddle lab down`,
	}
	cmd.PersistentFlags().StringVar(&f.name, "name", lab.DefaultName, "name of the lab")
	cmd.PersistentFlags().StringVar(&f.dir, "dir", lab.DefaultDir, "directory that holds the labs of this machine")
	_ = cmd.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names, _ := lab.Names(f.dir)
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	cmd.AddCommand(newLabUpCommand(f), newLabStatusCommand(f), newLabExecCommand(f), newLabVMCommand(f),
		newLabPowerCommand(f), newLabDownCommand(f))
	return cmd
}

func newLabUpCommand(f *labFlags) *cobra.Command {
	var (
		cfg                  lab.Config
		hosts                string
		gateways             []string
		encaps               []string
		management, underlay string
		quiet                bool
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Build a lab and leave it running",
		Long: `Builds a lab and leaves it running until "heddle lab down". When it is interrupted or killed
before it is done, nothing is left.

--hosts takes a number (net1, cmp1, cmp2, …; net1 is a gateway) or names, separated by commas.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			cfg.Name, cfg.Dir, cfg.Detached = f.name, f.dir, true
			if cfg.Hosts, err = parseHosts(hosts, gateways, encaps); err != nil {
				return err
			}
			if cfg.Management, err = parseOptionalPrefix("--management", management); err != nil {
				return err
			}
			if cfg.Underlay, err = parseOptionalPrefix("--underlay", underlay); err != nil {
				return err
			}
			if !quiet {
				cfg.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			}
			l, err := lab.Up(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if !quiet {
				fmt.Fprintf(cmd.ErrOrStderr(), "next: heddle lab status%[1]s; heddle lab exec%[1]s %[2]s -- ovs-vsctl show; heddle lab down%[1]s\n",
					f.flag(), l.Hosts()[0].Name)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&hosts, "hosts", "3", "how many hosts, or their names")
	flags.StringSliceVar(&gateways, "gateway", nil, "hosts that may carry routers (default: the first one)")
	flags.StringSliceVar(&encaps, "encap-types", nil, "tunnel types the hosts offer (default: gre,vxlan,geneve)")
	flags.StringSliceVar(&cfg.Controllers, "controller", nil, "OVSDB manager the hosts connect to, HOST[:PORT] or :PORT for this machine")
	flags.BoolVar(&cfg.Listen, "listen", false, "hosts' OVSDB listens on port 6640, for a controller that dials")
	flags.StringVar(&management, "management", "", "management subnet, first address is this machine's (default: the first free 172.30.N.0/24)")
	flags.StringVar(&underlay, "underlay", "", "underlay subnet (default: 172.31.0.0/24)")
	flags.BoolVar(&cfg.External, "external", false, `add an external network 198.51.100.0/24: br-ex on every host, and a host "internet" with .1`)
	flags.IntVar(&cfg.MTU, "mtu", 1500, "MTU of the underlay in bytes")
	flags.BoolVarP(&quiet, "quiet", "q", false, "no progress")
	return cmd
}

// flag is what a command line needs to name the same lab.
func (f *labFlags) flag() string {
	var s string
	if f.name != lab.DefaultName {
		s += " --name " + f.name
	}
	if f.dir != lab.DefaultDir {
		s += " --dir " + f.dir
	}
	return s
}

// parseHosts turns the flags of lab up into hosts.
func parseHosts(hosts string, gateways, encaps []string) ([]lab.HostConfig, error) {
	var configs []lab.HostConfig
	if n, err := strconv.Atoi(hosts); err == nil {
		if n < 1 {
			return nil, fmt.Errorf("--hosts %d: a lab has at least one host", n)
		}
		configs = lab.Hosts(n)
	} else {
		for i, name := range strings.Split(hosts, ",") {
			configs = append(configs, lab.HostConfig{Name: name, Gateway: i == 0})
		}
	}
	named := map[string]bool{}
	for _, g := range gateways {
		named[g] = true
	}
	for i := range configs {
		configs[i].EncapTypes = encaps
		if len(gateways) > 0 {
			configs[i].Gateway = named[configs[i].Name]
			delete(named, configs[i].Name)
		}
	}
	for name := range named {
		return nil, fmt.Errorf("--gateway %s: there is no such host", name)
	}
	return configs, nil
}

func parseOptionalPrefix(flag, s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%s: %w", flag, err)
	}
	return p.Masked(), nil
}

func newLabDownCommand(f *labFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End a lab and leave nothing of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := []string{f.name}
			if all {
				var err error
				if names, err = lab.Names(f.dir); err != nil {
					return err
				}
			}
			for _, name := range names {
				l, err := lab.Open(f.dir, name)
				if errors.Is(err, lab.ErrNoLab) {
					fmt.Fprintf(cmd.ErrOrStderr(), "there is no lab %s\n", name)
					continue
				}
				if err != nil {
					return err
				}
				if err := l.Down(); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "lab %s is gone\n", name)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end every lab of this machine")
	return cmd
}

func newLabExecCommand(f *labFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec HOST [--] [COMMAND…]",
		Short: "Run a command on a host, or a shell",
		Long: `Runs a command in all namespaces of a host, or a shell if none is given. Exits as the command does.
Stock tools find this host's Open vSwitch at their default paths.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			command := commandOrShell(args[1:])
			argv, err := l.ExecArgs(args[0], command[0], command[1:]...)
			if err != nil {
				return err
			}
			return replaceSelf(argv)
		},
		ValidArgsFunction: f.completeHost(0),
	}
	cmd.Flags().SetInterspersed(false) // flags after the host are the command's
	return cmd
}

func newLabPowerCommand(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "power HOST on|off",
		Short: "Take a host's power, or give it back",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			h := l.Host(args[0])
			if h == nil {
				return fmt.Errorf("lab %s has no host %q", l.Name(), args[0])
			}
			switch args[1] {
			case "on":
				return h.Boot(cmd.Context())
			case "off":
				return h.Kill()
			}
			return fmt.Errorf("power %q: want on or off", args[1])
		},
		ValidArgsFunction: f.completeHost(0, "on", "off"),
	}
}

// commandOrShell is the command after an optional "--", or the user's shell if there is none.
func commandOrShell(command []string) []string {
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) > 0 {
		return command
	}
	return []string{cmp.Or(os.Getenv("SHELL"), "/bin/sh")}
}

// replaceSelf becomes another program, so that terminal, signals and exit status are its own.
func replaceSelf(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, argv, os.Environ()))
}

// completeHost completes the argument at a position with the hosts' names, and the one after it with words.
func (f *labFlags) completeHost(position int, next ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case position:
			var names []string
			if l, err := f.open(); err == nil {
				for _, h := range l.Hosts() {
					names = append(names, h.Name)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		case position + 1:
			return next, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}
