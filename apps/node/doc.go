// Package node is the agent of a gateway host: it gets what the host should be from the controller,
// keeps it on disk, has every part of it made by a loop of its own, and reports.
//
// Nothing is made or removed before there is a spec, be it one of a former run: unknown is not empty.
// Stopping a [Runner], or killing it, leaves everything in place; the next run finds it in the kernel.
package node
