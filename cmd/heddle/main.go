// Command heddle is the whole of Heddle in one binary: the controller, its node agent and the lab
// are its sub-commands. Only flags, wiring and signals are here.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end in good order. A second one has its usual effect: it ends the process.
	context.AfterFunc(ctx, stop)
	code, says := cli.ExitCode(newRootCommand().ExecuteContext(ctx))
	if says != "" {
		fmt.Fprintf(os.Stderr, "heddle: %s\n", says)
	}
	os.Exit(code)
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
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run Heddle:"})
	for _, c := range []*cobra.Command{newServerCommand(), newAgentCommand(), newRestoreCommand(), newLabCommand()} {
		c.GroupID = "run"
		root.AddCommand(c)
	}
	root.AddCommand(newVersionCommand())
	return cli.NewRoot(root, &cli.Program{Version: version().Version, Environ: os.Getenv, Now: time.Now})
}
