package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/heddle-sdn/heddle/apps/netns"
	"github.com/heddle-sdn/heddle/apps/node"
)

// checkAgent refuses settings of --agent that cannot work.
func (c serverConfig) checkAgent() error {
	switch {
	case !c.Agent:
		return nil
	case c.AgentHost == "":
		return errors.New("--agent needs --agent-host NAME: this machine has no name of its own")
	case c.Auth == "tokens" && c.AgentTokenFile == "":
		return errors.New("--agent with --auth tokens needs --agent-token-file FILE")
	case c.tls("api"):
		return errors.New("--agent asks the API without TLS: leave api out of --tls-on, or run heddle agent beside the server")
	}
	return nil
}

// runAgent runs the agent of this host in the server's process. It speaks with the API as those of other
// hosts do, so that it can be moved out of the process at any time.
func (s *server) runAgent(ctx context.Context, api net.Addr) error {
	c := agentConfig{Server: "http://" + ownAddress(api), Host: s.config.AgentHost, StateDir: s.config.AgentStateDir,
		TokenFile: s.config.AgentTokenFile, OVSDB: defaultOVSDB, Datapath: string(netns.Auto), NetnsDir: netns.DefaultDir,
		MetadataEndpoint: s.config.MetadataEnd, MetadataSecret: s.config.MetadataSecret}
	source, err := node.NewHTTP(c.Server, c.Host, c.TokenFile, nil)
	if err != nil {
		return fmt.Errorf("--agent-host: %w", err)
	}
	defer source.Close()
	return runAgent(ctx, c, source, s.log.WithField("component", "agent").WithField("host", c.Host))
}

// ownAddress is where this process reaches a listener of its own: on the loopback interface if that is
// among the addresses it listens on.
func ownAddress(listener net.Addr) string {
	host, port, err := net.SplitHostPort(listener.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener.String()
}
