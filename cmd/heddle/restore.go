package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/store/bolt"
)

func newRestoreCommand() *cobra.Command {
	var dataDir, snapshot string
	var list bool
	cmd := &cobra.Command{
		Use:   "restore --data-dir DIR --snapshot FILE",
		Short: "Put a verified snapshot in the place of the store",
		Long: `Put a verified snapshot in the place of the store.

The server must not be running. What is in the place now is kept beside it under another name. Bridges
keep their flows meanwhile; when the server starts they are compared with what the snapshot says.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				return listSnapshots(cmd, dataDir)
			}
			if snapshot == "" {
				return errors.New("--snapshot FILE is missing; --list shows what there is")
			}
			info, aside, err := bolt.Restore(dataDir, snapshot, time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "restored revision %d from %s\n", info.Rev, snapshot)
			if aside != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "what was there before is %s\n", aside)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", cmp.Or(os.Getenv(envPrefix+"DATA_DIR"), defaultDataDir), "`directory` of the store; it is also taken from "+envPrefix+"DATA_DIR")
	cmd.Flags().StringVar(&snapshot, "snapshot", "", "`file` to restore")
	cmd.Flags().BoolVar(&list, "list", false, "verify and list the snapshots, newest first")
	return cmd
}

func listSnapshots(cmd *cobra.Command, dataDir string) error {
	snapshots := bolt.Snapshots(dataDir)
	if len(snapshots) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "there are no snapshots in %s\n", dataDir)
	}
	for _, path := range snapshots {
		info, err := bolt.Verify(path)
		if err != nil {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\tdamaged: %v\n", path, err)
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\trevision %d of %s\n", path, info.Rev, info.Time.UTC().Format(time.RFC3339))
	}
	return nil
}
