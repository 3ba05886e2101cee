// Command heddle is the whole of Heddle in one binary: the controller, its node agent and the lab
// are its sub-commands. Only flags, wiring and signals are here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end in good order. A second one has its usual effect: it ends the process.
	context.AfterFunc(ctx, stop)
	err := newRootCommand().ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "heddle: %v\n", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "heddle",
		Short: "Virtual networks on stock Open vSwitch, by OpenFlow 1.3",
		// Errors are printed once, by main; a failed command is no reason to explain its flags.
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version().Version,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %s --help lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(newServerCommand(), newRestoreCommand(), newAgentCommand(), newLabCommand(), newVersionCommand())
	return root
}

// group makes a command that only holds others refuse what is none of them; cobra would print its help
// and call that a success.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2 // what cobra takes for the root
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			err += "\n\nDid you mean this?\n\t" + strings.Join(near, "\n\t")
		}
		return errors.New(err)
	}
	return cmd
}
