// Package of is the vocabulary of OpenFlow 1.3 as Open vSwitch speaks it: matches, actions, flows, groups, meters and
// ports as plain values. The text of every value is ovs-ofctl's; package wire turns values into bytes and back.
//
// Nothing here does I/O or keeps state. Values may be copied and shared freely as long as nobody writes to the slices
// inside them.
package of
