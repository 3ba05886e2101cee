// Package model is what users asked for and what Heddle chose for them: networks, subnets, ports,
// hosts, and the allocations that follow (VNI, local VLAN, addresses).
//
// A [Model] is a snapshot: complete, immutable and safe to read from any goroutine. Values reached
// through it are never written again; a change makes new values and a new Model (package store).
// Status is not here: it is derived from a Model and from what hosts have confirmed.
package model
