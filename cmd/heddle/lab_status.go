package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/lab"
)

func newLabStatusCommand(f *labFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show hosts, their Open vSwitch, and the virtual machines",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := f.open()
			if err != nil {
				return err
			}
			s, err := l.Status(cmd.Context())
			if err != nil {
				return err
			}
			switch output {
			case "json":
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(s)
			case "table":
				return printLabStatus(cmd.OutOrStdout(), s)
			}
			return fmt.Errorf("output %q: want table or json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func printLabStatus(w io.Writer, s *lab.Status) error {
	if !s.Complete {
		fmt.Fprintf(w, "lab %s is half-built: it is being built, or heddle lab down removes it\n", s.Name)
	}
	external := ""
	if s.External != "" {
		external = ", external " + s.External
	}
	fmt.Fprintf(w, "lab %s: this machine is %s, management %s, underlay %s%s\n\n", s.Name, cmp.Or(s.Address, "-"), s.Management, s.Underlay, external)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "HOST\tPOWER\tPID\tMANAGEMENT\tUNDERLAY\tOVS\tCONTROLLER\tBRIDGES")
	for _, h := range s.Hosts {
		power, pid := "on", strconv.Itoa(h.PID)
		if !h.Power {
			power, pid = "off", "-"
		}
		var managers []string
		for _, m := range h.Managers {
			state := "not connected"
			if m.Connected {
				state = "connected"
			}
			managers = append(managers, m.Target+" "+state)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, power, pid, h.Management, h.Underlay,
			cmp.Or(h.OVS, "down"), list(managers), list(h.Bridges))
	}
	if len(s.VMs) > 0 {
		fmt.Fprintln(tw, "\nVM\tHOST\tPORT\tMAC\tADDRESSES\tTAP\tOFPORT")
	}
	for _, v := range s.VMs {
		var addrs []string
		for _, a := range v.Addresses {
			addrs = append(addrs, a.String())
		}
		port := "not plugged"
		if v.Plugged {
			port = strconv.Itoa(v.OFPort)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Name, v.Host, cmp.Or(v.Port, "-"), v.MAC, list(addrs), v.Tap, port)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, h := range s.Hosts {
		if h.Problem != "" {
			fmt.Fprintf(w, "%s: %s\n", h.Name, h.Problem)
		}
	}
	return nil
}

// list joins the words of a table's cell.
func list(words []string) string { return cmp.Or(strings.Join(words, ", "), "-") }
