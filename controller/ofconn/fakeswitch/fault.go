package fakeswitch

import (
	"sync/atomic"
	"time"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// Message is one message from a controller, before the switch acts on it.
type Message struct {
	// N counts the messages of the connection, HELLO being 0.
	N      int
	Header wire.Header
	// Body is what follows the header; it must not be kept.
	Body []byte
	// Mod is the flow mod in the message, on its own or in a bundle; nil if
	// there is none.
	Mod *wire.FlowMod
	// Bundle is the step of a bundle control message; nil if it is none.
	Bundle *wire.BundleControl
}

// Reaction is what a switch does with a message instead of, or beside, what it
// should. The zero value is what it should.
type Reaction struct {
	Delay  time.Duration // first, do nothing for so long: the connection stands still
	Send   []byte        // then send this
	Refuse *wire.Error   // answer with this error and do not act; Data is filled in
	Ignore bool          // do not act and do not answer
	Half   bool          // act, send half of the answer, close
	Close  bool          // do not act, close
	Stall  bool          // never read again, keep the connection
}

// Fault decides what goes wrong with a message. It is called in the order of
// the messages of a connection, by one goroutine for each connection.
type Fault func(m Message) Reaction

// First is the reaction of the first of faults that has one.
func First(faults ...Fault) Fault {
	return func(m Message) Reaction {
		for _, f := range faults {
			if r := f(m); !r.none() {
				return r
			}
		}
		return Reaction{}
	}
}

func (r Reaction) none() bool {
	return r.Delay == 0 && r.Send == nil && r.Refuse == nil && !r.Ignore && !r.Half && !r.Close && !r.Stall
}

// On reacts to every message of a type.
func On(t wire.Type, r Reaction) Fault {
	return func(m Message) Reaction {
		if m.Header.Type == t {
			return r
		}
		return Reaction{}
	}
}

// OnMultipart reacts to every multipart request of a kind.
func OnMultipart(kind wire.MultipartType, r Reaction) Fault {
	return func(m Message) Reaction {
		if m.Header.Type != wire.TypeMultipartRequest {
			return Reaction{}
		}
		if mp, err := wire.DecodeMultipart(m.Body); err != nil || mp.Type != kind {
			return Reaction{}
		}
		return r
	}
}

// OnBundle reacts to every bundle control message that asks for step.
func OnBundle(step wire.BundleControl, r Reaction) Fault {
	return func(m Message) Reaction {
		if m.Bundle != nil && *m.Bundle == step {
			return r
		}
		return Reaction{}
	}
}

// OnFlowMod reacts to flow mod n of all connections, counted from 0, once.
func OnFlowMod(n int, r Reaction) Fault {
	var seen atomic.Int64
	return func(m Message) Reaction {
		if m.Mod != nil && seen.Add(1) == int64(n)+1 {
			return r
		}
		return Reaction{}
	}
}

// OnFlow reacts to every flow mod of the flow with this key.
func OnFlow(key of.Key, r Reaction) Fault {
	return func(m Message) Reaction {
		if m.Mod == nil {
			return Reaction{}
		}
		if k, _, err := wire.Pack(m.Mod.Flow); err != nil || k != key {
			return Reaction{}
		}
		return r
	}
}

// AtMessage reacts to message n of every connection, HELLO being 0.
func AtMessage(n int, r Reaction) Fault {
	return func(m Message) Reaction {
		if m.N == n {
			return r
		}
		return Reaction{}
	}
}

// Always reacts to every message, HELLO included.
func Always(r Reaction) Fault { return func(Message) Reaction { return r } }
