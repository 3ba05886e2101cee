// Package wire turns the values of package of into OpenFlow 1.3 bytes and back, with the Nicira and ONF extensions
// that Open vSwitch speaks.
//
// Encoders append to a slice that the caller owns and allocate nothing if it has room. They are named Append…; those
// that can be asked for something the protocol cannot say return an error and the slice as it was given.
// Decoders read []byte, never panic and never read past a length that the bytes themselves declare, so that an
// unknown or malformed item cannot shift what follows it. Their errors are *DecodeError.
//
// Functions that take a body expect a message without its 8-byte header; DecodeHeader reads that.
package wire

// Version is the version byte of OpenFlow 1.3.
const Version = 4
