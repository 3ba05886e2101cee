package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/lab"
)

func newLabVMCommand(f *labFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "vm", Short: "Plug virtual machines into the hosts of a lab, and run commands in them"}
	cmd.AddCommand(newLabVMAddCommand(f), newLabVMDelCommand(f), newLabVMMoveCommand(f), newLabVMExecCommand(f))
	return cmd
}

func newLabVMAddCommand(f *labFlags) *cobra.Command {
	var (
		cfg      lab.VMConfig
		ips      []string
		gateways []string
		wait     time.Duration
	)
	cmd := &cobra.Command{
		Use:   "add HOST NAME --port-id UUID --mac MAC",
		Short: "Start a virtual machine and plug it into br-int as Nova does",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Host, cfg.Name = args[0], args[1]
			for _, s := range ips {
				p, err := netip.ParsePrefix(s)
				if err != nil {
					return fmt.Errorf("--ip %s: want ADDRESS/LENGTH", s)
				}
				cfg.Addresses = append(cfg.Addresses, p)
			}
			for _, s := range gateways {
				a, err := netip.ParseAddr(s)
				if err != nil {
					return fmt.Errorf("--gateway: %w", err)
				}
				cfg.Gateways = append(cfg.Gateways, a)
			}
			l, err := f.open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			_, err = l.PlugVM(ctx, cfg)
			return err
		},
		ValidArgsFunction: f.completeHost(0),
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Port, "port-id", "", "id of the network port its NIC is")
	flags.StringVar(&cfg.MAC, "mac", "", "MAC address of its NIC")
	flags.StringArrayVar(&ips, "ip", nil, "address with prefix length, may be repeated")
	flags.StringArrayVar(&gateways, "gateway", nil, "next hop of the default route, may be repeated for the other family")
	flags.IntVar(&cfg.MTU, "mtu", 1450, "MTU of its NIC in bytes")
	flags.DurationVar(&wait, "wait", 30*time.Second, "how long to wait for br-int, which the controller makes")
	_ = cmd.MarkFlagRequired("port-id")
	_ = cmd.MarkFlagRequired("mac")
	return cmd
}

func newLabVMDelCommand(f *labFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "del NAME",
		Short: "Unplug a virtual machine and end it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			vm, err := f.vm(args[0])
			if err != nil {
				return err
			}
			return vm.Delete(cmd.Context())
		},
		ValidArgsFunction: f.completeVM,
	}
}

func newLabVMMoveCommand(f *labFlags) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "move NAME --to HOST",
		Short: "Move a virtual machine: plug it there, then unplug it here",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			vm, err := f.vm(args[0])
			if err != nil {
				return err
			}
			return vm.Move(cmd.Context(), to)
		},
		ValidArgsFunction: f.completeVM,
	}
	cmd.Flags().StringVar(&to, "to", "", "host to move to")
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("to", f.completeHost(1))
	return cmd
}

func newLabVMExecCommand(f *labFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec NAME [--] [COMMAND…]",
		Short: "Run a command in a virtual machine, or a shell",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			vm, err := f.vm(args[0])
			if err != nil {
				return err
			}
			command := commandOrShell(args[1:])
			return replaceSelf(vm.ExecArgs(command[0], command[1:]...))
		},
		ValidArgsFunction: f.completeVM,
	}
	cmd.Flags().SetInterspersed(false) // flags after the name are the command's
	return cmd
}

func (f *labFlags) vm(name string) (*lab.VM, error) {
	l, err := f.open()
	if err != nil {
		return nil, err
	}
	return l.VM(name)
}

// completeVM completes the first argument with the names of virtual machines.
func (f *labFlags) completeVM(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if l, err := f.open(); err == nil && len(args) == 0 {
		vms, _ := l.VMs()
		for _, vm := range vms {
			names = append(names, vm.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
