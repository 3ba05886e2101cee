// Package e2e holds the tests of the whole: the heddle binary, run as users run it, and a lab of hosts
// with stock Open vSwitch, driven by REST calls and ovs-vsctl and nothing else. The witnesses are
// pings, captured frames, and Open vSwitch's own tools.
//
// The tests need root and Open vSwitch and skip without them.
package e2e
