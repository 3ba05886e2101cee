package node

import (
	"context"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// Leases are what this host's DHCP servers have given out; [dhcp.Given] is one.
type Leases interface {
	// Read returns all leases, and whether they changed since the last time.
	Read() (leases []spec.Lease, changed bool, err error)
}

// LeaseSink is a Source that takes leases.
type LeaseSink interface {
	// ReportLeases tells which leases the host's DHCP servers have given out: all of them.
	ReportLeases(ctx context.Context, leases []spec.Lease) error
}

// How often leases are looked at, and how often they are told though they did not change: a controller
// that was started anew knows of none.
const (
	leaseCheck = 2 * time.Second
	leaseAgain = time.Minute
)

// leases tells the controller which leases have been given out.
func (r *Runner) leases(ctx context.Context, sink LeaseSink) error {
	bad := trouble{log: r.cfg.Log, what: "reporting leases"}
	var told time.Time // zero: what there is has to be told
	for {
		leases, changed, err := r.cfg.Leases.Read()
		if err == nil && (changed || time.Since(told) >= leaseAgain) {
			told = time.Time{}
			if err = sink.ReportLeases(ctx, leases); err == nil {
				told = time.Now()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		bad.note(err)
		if !sleep(ctx, leaseCheck) {
			return ctx.Err()
		}
	}
}
