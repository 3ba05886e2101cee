package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/apps/dhcp"
	"github.com/heddle-sdn/heddle/apps/metadata"
	"github.com/heddle-sdn/heddle/apps/nat"
	"github.com/heddle-sdn/heddle/apps/node"
	"github.com/heddle-sdn/heddle/apps/ra"
	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
)

// The names of an agent's parts.
const (
	partDHCP = "dhcp"
	partRA   = "ra"
	partNFT  = "nft"
	partMeta = "metadata"
)

// agentParts are what an agent makes beside namespaces and ports.
type agentParts struct {
	netns    string
	state    *node.StateDir
	log      *logrus.Entry
	metadata metadataService
	repair   func(part, namespace, text string) // set before the first pass

	closers []io.Closer
}

// parallel is how many namespaces of a part are changed at a time: what changes them is other processes,
// and waits for the kernel a lot.
const parallel = 4

// all returns the parts, each independent of the others.
func (p *agentParts) all() ([]node.Part, error) {
	proxy, err := metadata.NewProxy(metadata.Config{Dir: p.netns, Endpoint: p.metadata.endpoint, Secret: p.metadata.secret, Log: p.log.WithField("part", partMeta)})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, proxy)
	tables := nat.NewTarget(nat.TargetConfig{Dir: p.netns, Altered: func(namespace string, texts []string) {
		for _, text := range texts {
			p.repair(partNFT, namespace, text)
		}
	}})
	return []node.Part{
		node.FromTarget(partNFT, tables, parallel, tables.Want),
		node.FromTarget(partMeta, proxy, parallel, func(ns spec.Namespace) (spec.Metadata, bool) {
			if ns.Metadata == nil {
				return spec.Metadata{}, false
			}
			return *ns.Metadata, true
		}),
		&latePart{name: partDHCP, open: p.dhcp, needed: func(ns spec.Namespace) bool { return ns.DHCP != nil }},
		&latePart{name: partRA, open: p.ra, needed: func(ns spec.Namespace) bool { return len(ns.RA) > 0 }},
	}, nil
}

// metadataService is who answers for metadata; the zero value is the agent itself.
type metadataService struct {
	endpoint *url.URL
	secret   string
}

// newMetadataService reads the settings of a metadata service as Nova has it.
func newMetadataService(endpoint, secretFile string) (metadataService, error) {
	var s metadataService
	if endpoint == "" {
		if secretFile != "" {
			return s, errors.New("--metadata-secret-file needs --metadata-endpoint")
		}
		return s, nil
	}
	var err error
	if s.endpoint, err = url.Parse(endpoint); err != nil {
		return s, fmt.Errorf("--metadata-endpoint: %w", err)
	}
	if secretFile == "" {
		return s, errors.New("--metadata-endpoint needs --metadata-secret-file: without a secret anybody could ask in the name of an instance")
	}
	text, err := os.ReadFile(secretFile)
	if err != nil {
		return s, fmt.Errorf("--metadata-secret-file: %w", err)
	}
	s.secret = strings.TrimSpace(string(text))
	return s, nil
}

// close stops watching the daemons, which go on, and answering for metadata.
func (p *agentParts) close() error {
	var errs []error
	for _, c := range p.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func (p *agentParts) dhcp() (node.Part, error) {
	servers, err := dhcp.NewServers(dhcp.ServersConfig{Dir: p.state.Path(partDHCP), Netns: p.netns,
		Died: p.died(partDHCP, "dnsmasq"), Logger: p.log.WithField("part", partDHCP)})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, servers)
	return node.FromTarget(partDHCP, servers, parallel, func(ns spec.Namespace) (dhcp.Server, bool) {
		s, ok := servers.Wanted(map[string]spec.Namespace{ns.Name: ns})[ns.Name]
		return s, ok
	}), nil
}

func (p *agentParts) ra() (node.Part, error) {
	senders, err := ra.NewSenders(ra.Config{Dir: p.state.Path(partRA), Netns: p.netns,
		Died: p.died(partRA, "radvd"), Logger: p.log.WithField("part", partRA)})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, senders)
	return node.FromTarget(partRA, senders, parallel, func(ns spec.Namespace) (child.Child, bool) {
		c, ok := ra.Wanted(map[string]spec.Namespace{ns.Name: ns})[ns.Name]
		return c, ok
	}), nil
}

// died returns what is to be done when a daemon ends by itself.
func (p *agentParts) died(part, program string) func(namespace string, pid int) {
	return func(namespace string, pid int) {
		p.repair(part, namespace, fmt.Sprintf("start %s again: process %d ended", program, pid))
	}
}

// latePart is a part that may not be there yet, because its program is not installed, say. Until it is,
// namespaces that need it fail, and no others.
type latePart struct {
	name   string
	open   func() (node.Part, error)
	needed func(spec.Namespace) bool

	part node.Part
}

// Name returns the part's name.
func (p *latePart) Name() string { return p.name }

// Sync opens the part unless it is open, and makes a pass.
func (p *latePart) Sync(ctx context.Context, want map[string]node.Wanted) (map[string]error, error) {
	if p.part == nil {
		part, err := p.open()
		if err != nil {
			failed := map[string]error{}
			for name, w := range want {
				if p.needed(w.Namespace) {
					failed[name] = err
				}
			}
			return failed, nil
		}
		p.part = part
	}
	return p.part.Sync(ctx, want)
}
