package pipeline

import "github.com/heddle-sdn/heddle/controller/of"

// A cookie of Heddle's says who owns the flow and what caused it:
//
//	63      56 55      48 47            32 31                      0
//	┌─────────┬──────────┬────────────────┬────────────────────────┐
//	│  0x5d   │   kind   │     zero       │ tag of network or port │
//	└─────────┴──────────┴────────────────┴────────────────────────┘
const (
	// Owner is the part of a cookie that all flows of Heddle share.
	Owner of.Cookie = 0x5d << 56
	// OwnerMask selects the owner. Flows with another owner are never touched.
	OwnerMask of.Cookie = 0xff << 56
)

// Kind is what sort of object caused a flow.
type Kind uint8

// The kinds of causes.
const (
	KindBase    Kind = 1 // the pipeline itself, or a cable of the bridge
	KindNetwork Kind = 2 // a network; the tag is the network's
	KindPort    Kind = 3 // a port; the tag is the port's
	KindLearned Kind = 4 // a frame: the switch made the flow by itself (learn)
)

// Cookies without a tag.
const (
	Base    = Owner | of.Cookie(KindBase)<<48
	Learned = Owner | of.Cookie(KindLearned)<<48
)

// String names the kind: "base", "network", "port", "learned".
func (k Kind) String() string {
	switch k {
	case KindBase:
		return "base"
	case KindNetwork:
		return "network"
	case KindPort:
		return "port"
	case KindLearned:
		return "learned"
	}
	return "unknown"
}

// CookieOf returns the cookie of the flows that a network or port causes.
func CookieOf(k Kind, tag uint32) of.Cookie { return Owner | of.Cookie(k)<<48 | of.Cookie(tag) }

// Ours reports whether a flow with the cookie is Heddle's.
func Ours(c of.Cookie) bool { return c&OwnerMask == Owner }

// Cause returns what caused a flow of Heddle's: the kind, and the tag of the network or port.
func Cause(c of.Cookie) (Kind, uint32) { return Kind(c >> 48), uint32(c) }
