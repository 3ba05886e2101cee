// Command heddle is the whole of Heddle in one binary: the controller, its node agent and the lab
// are its sub-commands. Only flags, wiring and signals are here.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
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
	}
	root.AddCommand(newServerCommand(), newRestoreCommand(), newLabCommand(), newVersionCommand())
	return root
}
