// Package bench measures the whole of Heddle against real Open vSwitch: a server process, hosts that
// joined it, requests over HTTP. It holds benchmarks only; `make bench` runs them, and
// docs/benchmarks.md says what they came to. Each prints its numbers as metrics of its own, medians
// where it measures more than once, and none fails for being slow.
//
// Hosts are of two kinds. Those of a lab have namespaces, links and a datapath of their own, and
// forward frames. Those of package ovstest have a datapath in memory: the same daemons, databases and
// OpenFlow tables, without devices, so that what is measured is Heddle rather than the making of
// thousands of links.
package bench
