package router

import (
	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store/model"
)

// Create asks for a router.
type Create struct {
	Project, Name, Description string
	Tags                       []string
	AdminUp                    l2.Opt[bool]    // default true
	Gateway                    l2.Opt[Gateway] // null or left out: none
	AZHints                    []string
}

// Update asks for changes of a router.
type Update struct {
	Name, Description l2.Opt[string]
	Tags              l2.Opt[[]string]
	AdminUp           l2.Opt[bool]
	Gateway           l2.Opt[Gateway]       // null: none
	Routes            l2.Opt[[]model.Route] // replaces all
}

// Gateway asks for a way to an external network.
type Gateway struct {
	Network  model.ID
	FixedIPs l2.Opt[[]model.FixedIP] // as those of a port; left out: one of each IP version
	SNAT     l2.Opt[bool]            // default true, also for a gateway that had it off
}

// Interface is what was added to a router or removed from it.
type Interface struct {
	Router  *model.Router
	Port    model.ID
	Network model.ID
	Subnets []model.ID // at least one
}
