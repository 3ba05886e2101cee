// Package ra sends router advertisements: one radvd in each namespace whose spec has any, with a
// configuration after Neutron's. A change of what is advertised reaches radvd by a signal, so that it
// never takes back, by the last message of one that ends, the default route that hosts have.
package ra

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/spec"
	"github.com/heddle-sdn/heddle/internal/child"
)

const (
	fileConfig = "radvd.conf"
	fileLog    = "log"
)

// args is radvd's command line, the same for all.
var args = []string{"radvd", "-C", child.Dir + "/" + fileConfig, "-p", child.Dir + "/pid", "-m", "logfile", "-l", child.Dir + "/" + fileLog}

// Config is what NewSenders needs.
type Config struct {
	Dir    string                     // directory of the senders' files
	Netns  string                     // directory of named network namespaces; default "/run/netns"
	Died   func(name string, pid int) // see [child.Config]; a reason to verify
	Logger *logrus.Entry
}

// NewSenders returns the radvds whose files are in a directory: a [reconcile.Target] by namespace that
// wants what [Wanted] returns. It starts and stops nothing.
func NewSenders(cfg Config) (*child.Set, error) {
	return child.New(child.Config{Program: "radvd", Dir: cfg.Dir, Netns: cfg.Netns, Own: []string{fileLog}, Log: fileLog,
		Told: "resuming normal operation", Died: cfg.Died, Logger: cfg.Logger})
}

// Wanted are the radvds of a spec, by namespace.
func Wanted(namespaces map[string]spec.Namespace) map[string]child.Child {
	out := map[string]child.Child{}
	for name, ns := range namespaces {
		if len(ns.RA) > 0 {
			out[name] = child.Child{Args: args, Files: map[string]string{fileConfig: Text(ns.RA)}}
		}
	}
	return out
}

// Text is radvd's configuration file (radvd.conf(5)) for the advertisements of a namespace, in the order
// of their links.
func Text(ras []spec.RA) string {
	var b strings.Builder
	for _, r := range slices.SortedFunc(slices.Values(ras), func(a, b spec.RA) int { return cmp.Compare(a.Link, b.Link) }) {
		fmt.Fprintf(&b, "interface %s\n{\n", r.Link)
		// Seconds between unasked advertisements. Hosts that ask are answered at once.
		b.WriteString("   AdvSendAdvert on;\n   MinRtrAdvInterval 30;\n   MaxRtrAdvInterval 100;\n")
		if r.Source.IsValid() {
			fmt.Fprintf(&b, "   AdvRASrcAddress {\n      %s;\n   };\n", r.Source)
		}
		if r.MTU > 0 {
			fmt.Fprintf(&b, "   AdvLinkMTU %d;\n", r.MTU)
		}
		if r.Managed {
			b.WriteString("   AdvManagedFlag on;\n")
		}
		if r.Other {
			b.WriteString("   AdvOtherConfigFlag on;\n")
		}
		if len(r.DNS) > 0 {
			b.WriteString("   RDNSS")
			for _, ip := range r.DNS {
				b.WriteString(" " + ip.String())
			}
			b.WriteString(" {\n   };\n")
		}
		for _, p := range r.Prefixes {
			fmt.Fprintf(&b, "   prefix %s\n   {\n      AdvOnLink on;\n      AdvAutonomous %s;\n   };\n", p.Prefix, onOff(p.Autonomous))
		}
		// Where instances look for metadata.
		b.WriteString("   route fe80::a9fe:a9fe/128 {\n   };\n};\n")
	}
	return b.String()
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
