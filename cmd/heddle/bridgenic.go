package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/apps/bridgenic"
	"github.com/heddle-sdn/heddle/apps/netns"
)

// bridgeNICOptions are the flags of heddle agent bridge-nic.
type bridgeNICOptions struct {
	undo, dry, recover bool
	confirm            []string
	timeout            time.Duration
	verbose            bool
}

func newBridgeNICCommand(c *agentConfig) *cobra.Command {
	var o bridgeNICOptions
	cmd := &cobra.Command{
		Use:   "bridge-nic NIC BRIDGE",
		Short: "Make a NIC a port of a bridge, with its addresses and routes moved to the bridge",
		Long: `Make a NIC a port of a bridge of Open vSwitch, with its addresses, routes and rules moved to the bridge, or
with --undo moved back. The host is reached throughout, also by the connection that this is typed in.

After the move the default gateways, or who is named by --confirm, have to answer within --confirm-timeout;
otherwise, and if a step fails, everything is as before. The same holds if the process is killed: the agent rolls
the move back, at once or when it starts, or --recover does. It may be run any number of times.`,
		Example: `  heddle agent bridge-nic eth0 br-ex --dry-run
  heddle agent bridge-nic eth0 br-ex --confirm http://192.0.2.1:9696
  heddle agent bridge-nic eth0 br-ex --undo
  heddle agent bridge-nic --recover`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case o.recover && len(args) == 0:
				return nil
			case o.recover:
				return errors.New("--recover takes no NIC: it rolls back whatever was interrupted")
			case len(args) != 2:
				return errors.New("a NIC and a bridge are needed, as in: bridge-nic eth0 br-ex")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// The terminal may be reached by the very NIC: its end must not be the end of the move.
			signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
			return o.run(cmd.Context(), c, args, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.undo, "undo", false, "move everything back to the NIC")
	f.BoolVar(&o.dry, "dry-run", false, "show the steps, and take none")
	f.BoolVar(&o.recover, "recover", false, "roll back a move that was interrupted")
	f.StringArrayVar(&o.confirm, "confirm", nil, "`address` that has to answer a ping, or URL whose host has to answer, after the move; may be repeated; default: the default gateways")
	f.DurationVar(&o.timeout, "confirm-timeout", 10*time.Second, "`time` that they have; 0 asks nobody")
	f.BoolVar(&o.verbose, "verbose", false, "log each step as it is taken")
	cmd.MarkFlagsMutuallyExclusive("undo", "recover")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "recover")
	return cmd
}

func (o bridgeNICOptions) run(ctx context.Context, c *agentConfig, args []string, out io.Writer) error {
	level := "warn"
	if o.verbose {
		level = "debug"
	}
	log, err := newLog(level, "text")
	if err != nil {
		return err
	}
	kernel, err := c.kernel(log)
	if err != nil {
		return err
	}
	defer kernel.Close()
	m := newNICMover(*c, kernel, log)
	if o.recover {
		nics, err := m.Recover(ctx)
		if err == nil && len(nics) == 0 {
			fmt.Fprintln(out, "nothing was interrupted")
		}
		return err
	}
	if err := o.witnesses(m); err != nil {
		return err
	}
	nic, bridge := args[0], args[1]
	if o.dry {
		steps, err := m.Steps(ctx, nic, bridge, o.undo)
		if err == nil {
			fmt.Fprint(out, bridgenic.Text(steps))
		}
		return err
	}
	move, done := m.Move, fmt.Sprintf("%s is a port of %s, which has its addresses\n", nic, bridge)
	if o.undo {
		move, done = m.Undo, fmt.Sprintf("%s has its addresses and is no port of %s\n", nic, bridge)
	}
	if _, err := move(ctx, nic, bridge); err != nil {
		return err
	}
	fmt.Fprint(out, done)
	return nil
}

// witnesses has the mover ask who is to confirm a move.
func (o bridgeNICOptions) witnesses(m *bridgenic.Mover) error {
	m.Timeout = o.timeout
	var all []bridgenic.Witness
	for _, text := range o.confirm {
		w, err := bridgenic.ParseWitness(text)
		if err != nil {
			return fmt.Errorf("--confirm: %w", err)
		}
		all = append(all, w)
	}
	if o.timeout > 0 {
		m.Confirm = func(ctx context.Context, s bridgenic.State) error { return bridgenic.Reached(ctx, s, all) }
	}
	return nil
}

// newNICMover returns a mover of the host's NICs that asks nobody.
func newNICMover(c agentConfig, kernel *netns.Host, log *logrus.Entry) *bridgenic.Mover {
	return &bridgenic.Mover{Host: kernel.NICs(), Dir: c.StateDir, Log: log, Confirm: func(context.Context, bridgenic.State) error { return nil }}
}

// recoverEvery is how often the agent looks for moves that were interrupted.
const recoverEvery = 5 * time.Second

// recoverNICs rolls back moves of NICs that were interrupted, before the agent started or while it runs,
// until ctx ends.
func recoverNICs(ctx context.Context, m *bridgenic.Mover, log *logrus.Entry) {
	tick := time.NewTicker(recoverEvery)
	defer tick.Stop()
	failed := false
	for {
		_, err := m.Recover(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			log.WithError(err).Error("a move of a NIC was interrupted and cannot be rolled back yet; it is tried again")
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
