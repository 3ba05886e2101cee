package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli"
	"github.com/heddle-sdn/heddle/northbound/metrics"
)

// version says what the binary was built from.
func version() metrics.Build {
	b := metrics.Build{Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func newVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := version()
			switch output {
			case "json":
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"version": b.Version, "revision": b.Revision, "go": runtime.Version()})
			case "":
				line := []string{"heddle", b.Version, b.Revision, runtime.Version()}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(slices.DeleteFunc(line, func(s string) bool { return s == "" }), " "))
				return err
			}
			return cli.Usage(fmt.Errorf("-o %q: only json is known", output))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json for programs")
	return cmd
}
