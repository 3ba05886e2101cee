package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// NewRoot adds the commands to a program's root command, and makes every mistake of a command line one
// that [ExitCode] knows.
func NewRoot(root *cobra.Command, p *Program) *cobra.Command {
	const see, change = "see", "change"
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.AddGroup(&cobra.Group{ID: see, Title: "See what there is, and why:"}, &cobra.Group{ID: change, Title: "Change it:"})
	add(see, p.getCommand(), p.describeCommand(), p.explainCommand(), p.traceCommand(), p.eventsCommand(), p.historyCommand(), p.watchCommand(), p.topCommand(), p.doctorCommand(), p.bundleCommand())
	add(change, p.createCommand(), p.setCommand(), p.deleteCommand(), p.routerCommand(), p.applyCommand(), p.planCommand(), p.diffCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w: %s --help lists the flags", err, cmd.CommandPath())
	})
	strict(root)
	return root
}

// strict makes commands that only hold others refuse what is none of them, where cobra would print its help
// and call that a success, and marks errors of arguments.
func strict(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%w: %s --help says more", err, cmd.CommandPath())
			}
			return nil
		}
	}
	if !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.SuggestionsMinimumDistance = 2 // what cobra takes for the root
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				err += "\n\nDid you mean this?\n\t" + strings.Join(near, "\n\t")
			}
			return Usage(errors.New(err))
		}
	}
	for _, c := range cmd.Commands() {
		strict(c)
	}
}
