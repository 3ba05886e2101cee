// Package view is what the controller shows of switches: values for people and northbounds.
package view

import (
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Switch is a connected bridge, as operators see it.
type Switch struct {
	DPID    of.DPID
	Host    string // empty if no host claims it
	Bridge  string
	Remote  string
	Managed bool // Heddle programs it
	Flows   int  // that it should have
	Ports   map[string]of.Port
	Since   time.Time // of a bridge nobody claims
}

// FlowState is how a flow stands between what is wanted and what the switch has.
type FlowState string

// The states of a flow.
const (
	FlowOK      FlowState = "ok"      // wanted, and there
	FlowMissing FlowState = "missing" // wanted, and not there
	FlowAltered FlowState = "altered" // there, and not as wanted
	FlowStale   FlowState = "stale"   // Heddle's, and no longer wanted
	FlowLearned FlowState = "learned" // made by the switch from a frame
	FlowForeign FlowState = "foreign" // not Heddle's: shown, never touched
	FlowUnknown FlowState = "unknown" // wanted, and the bridge does not say whether it is there
)

// Flow is one flow of a bridge: wanted, actual, or both.
type Flow struct {
	State   FlowState
	Flow    of.Flow  // as it is; as it is wanted if it is missing
	Want    *of.Flow // as it is wanted, if that is not as it is
	Table   string   // name of its table, empty if the table is not one of Heddle's
	Kind    string   // kind of its cause; empty for foreign flows
	Object  string   // the API object that caused it, "port/<id>"; empty if there is none
	Packets uint64
	Bytes   uint64
	Age     time.Duration
}

// BridgeFlows are flows of one bridge.
type BridgeFlows struct {
	Host, Bridge string
	Flows        []Flow
	// Err says why the bridge could not be read. Flows are then those that are wanted, of which nothing is
	// known.
	Err error
}

// Counters are what went through a port since it was made.
type Counters struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
}
