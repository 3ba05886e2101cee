// Package netracktest holds tests alone: package wire against github.com/netrack/openflow, for the messages that the
// library gets right, and benchmarks of both side by side. It is apart from wire so that nothing but tests of the codec
// depends on the library.
package netracktest
