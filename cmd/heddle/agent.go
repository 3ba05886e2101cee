package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/apps/node"
	"github.com/heddle-sdn/heddle/internal/tlsfiles"
)

// Defaults of the agent's settings.
const (
	defaultAgentStateDir = "/var/lib/heddle-agent"
	defaultOVSDB         = "unix:/run/openvswitch/db.sock"
)

// agentConfig are the settings of heddle agent.
type agentConfig struct {
	Server, Host, TokenFile   string
	StateDir                  string
	OVSDB, Datapath, NetnsDir string
	TLSCert, TLSKey, TLSCA    string
	LogLevel, LogFormat       string

	MetadataEndpoint, MetadataSecret string // the latter is a file
}

func newAgentCommand() *cobra.Command {
	var c agentConfig
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Make the routers and DHCP servers of this host what the controller says",
		Long: `Make the routers and DHCP servers of this host what the controller says.

The agent opens no port. It keeps what it was told in the state directory and works on that when the
controller is away, also after a reboot. When it ends, however it ends, everything it made goes on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Server == "" || c.Host == "" {
				return errors.New("--server URL and --host NAME are needed")
			}
			log, err := newLog(c.LogLevel, c.LogFormat)
			if err != nil {
				return err
			}
			return runRemoteAgent(cmd.Context(), c, log.WithField("host", c.Host))
		},
	}
	name, _ := os.Hostname() // empty, and so to be given, where there is none
	f := cmd.Flags()
	f.StringVar(&c.Server, "server", "", "`URL` of the controller, https://192.0.2.1:9696")
	f.StringVar(&c.Host, "host", name, "`name` of this host, as the controller knows it")
	f.StringVar(&c.TokenFile, "token-file", "", "`file` with the agent's token; read again with each request")
	f.StringVar(&c.TLSCA, "tls-ca", "", "`file` of authorities (PEM) that the controller's certificate must be of; default: the system's")
	f.StringVar(&c.TLSCert, "tls-cert", "", "certificate `file` (PEM) to show to the controller")
	f.StringVar(&c.TLSKey, "tls-key", "", "key `file` of the certificate")
	f.StringVar(&c.MetadataEndpoint, "metadata-endpoint", "", "`URL` of Nova's metadata service; without one the agent answers from what ports say")
	f.StringVar(&c.MetadataSecret, "metadata-secret-file", "", "`file` with the secret shared with it (metadata_proxy_shared_secret)")
	f.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	p := cmd.PersistentFlags()
	p.StringVar(&c.StateDir, "state-dir", defaultAgentStateDir, "`directory` of what the agent remembers")
	p.StringVar(&c.OVSDB, "ovsdb", defaultOVSDB, "database of the local Open vSwitch, as `method:address`")
	p.StringVar(&c.Datapath, "datapath-type", string(netns.Auto), "`type` of br-int's datapath: netdev, system, or auto: as br-int says")
	p.StringVar(&c.NetnsDir, "netns-dir", netns.DefaultDir, "`directory` of named network namespaces")
	cmd.AddCommand(newAgentGCCommand(&c), newBridgeNICCommand(&c))
	return cmd
}

// runRemoteAgent runs the agent of a controller that is reached by HTTP, until ctx ends.
func runRemoteAgent(ctx context.Context, c agentConfig, log *logrus.Entry) error {
	secure, err := c.tls(log)
	if err != nil {
		return err
	}
	source, err := node.NewHTTP(c.Server, c.Host, c.TokenFile, secure)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	defer source.Close()
	return runAgent(ctx, c, source, log)
}

// tls returns how the controller is reached by https; nil is as the system has it.
func (c agentConfig) tls(log *logrus.Entry) (*tls.Config, error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	if c.TLSCA == "" {
		if c.TLSCert != "" {
			return nil, errors.New("--tls-cert needs --tls-ca")
		}
		return nil, nil
	}
	if !strings.HasPrefix(c.Server, "https:") {
		return nil, errors.New("--tls-ca is for a --server of https")
	}
	return tlsfiles.Files{Cert: c.TLSCert, Key: c.TLSKey, CA: c.TLSCA, Failed: func(err error) {
		log.WithError(err).Error("new TLS files cannot be used; those of before still are")
	}}.Client()
}

// runAgent runs the agent of a source until ctx ends. The server runs it in its own process.
func runAgent(ctx context.Context, c agentConfig, source node.Source, log *logrus.Entry) error {
	state, err := node.OpenStateDir(c.StateDir)
	if err != nil {
		return err
	}
	defer state.Close()
	kernel, err := c.kernel(log)
	if err != nil {
		return err
	}
	defer kernel.Close()
	ctx, cancel := context.WithCancel(ctx)
	var recovering sync.WaitGroup
	recovering.Go(func() { recoverNICs(ctx, newNICMover(c, kernel, log), log) })
	defer recovering.Wait()
	defer cancel()
	parts := &agentParts{netns: c.NetnsDir, state: state, log: log}
	if parts.metadata, err = newMetadataService(c.MetadataEndpoint, c.MetadataSecret); err != nil {
		return err
	}
	all, err := parts.all()
	if err != nil {
		return err
	}
	runner := node.New(node.Config{Host: c.Host, State: state, Source: source, Kernel: kernel, Parts: all, Rules: partNFT,
		Leases: dhcp.NewGiven(state.Path(partDHCP)), Log: log})
	parts.repair = runner.Repair
	log.WithFields(logrus.Fields{"server": c.Server, "state": c.StateDir}).Info("heddle agent works")
	err = errors.Join(runner.Run(ctx), parts.close())
	if err == nil {
		log.Info("stopped; namespaces and what runs in them stay")
	}
	return err
}

func (c agentConfig) kernel(log *logrus.Entry) (*netns.Host, error) {
	return netns.Open(netns.Config{Dir: c.NetnsDir, OVSDB: c.OVSDB, Datapath: netns.Datapath(c.Datapath), Log: log})
}

func newAgentGCCommand(c *agentConfig) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove what a crashed agent left on this host",
		Long: `Remove what a crashed agent left on this host: namespaces and ports of br-int that carry Heddle's mark
and are not in the last spec that the agent got. A running agent does this by itself; --dry-run shows
which is which, also while one runs. Without a saved spec nothing is known to be left over.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.collect(cmd.Context(), dry, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be removed, and remove nothing")
	return cmd
}

// collect lists namespaces and ports, and removes those that are left over unless dry is set.
func (c agentConfig) collect(ctx context.Context, dry bool, out io.Writer) error {
	if !dry {
		state, err := node.OpenStateDir(c.StateDir)
		if err != nil {
			return fmt.Errorf("%w; it removes leftovers by itself", err)
		}
		defer state.Close()
	}
	last, err := node.LoadSpec(c.StateDir)
	if err != nil {
		return err
	}
	log := logrus.NewEntry(logrus.StandardLogger())
	log.Logger.SetLevel(logrus.WarnLevel)
	kernel, err := c.kernel(log)
	if err != nil {
		return err
	}
	defer kernel.Close()
	found, failed := kernel.Inventory(ctx, last)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tNAME\tSTATE\tOBJECT")
	for _, f := range found {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Kind, f.Name, f.State, f.Object)
	}
	if err := errors.Join(failed, t.Flush()); err != nil || dry {
		return err
	}
	return kernel.Collect(ctx, found)
}
