package pipeline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Names tells what the numbers in the flows of one bridge stand for.
type Names interface {
	// Port names a port of the bridge: "tap1", "the vxlan tunnel to host cmp2".
	Port(of.PortNo) string
	// Network names the network that has a local VLAN on the bridge's host; empty if none has.
	Network(vlan uint16) string
	// Object names what caused the flows with a cookie; empty if it is gone.
	Object(of.Cookie) string
}

// phraseKey says of which flows of a table a phrase speaks.
type phraseKey struct {
	table    of.TableID
	priority uint16
	kind     Kind
}

// Phrases say what the flows of each table do. Words in braces are taken from the flow:
//
//	{in} {out}         port that it matches, ports that it outputs to
//	{vlan} {setvlan}   local VLAN that it matches, that it sets, with the network's name
//	{frames} {wire}    frames with a VLAN that it matches, VLAN that it gives
//	{src} {dst} {ip}   addresses that it matches
//	{key} {setkey}     tunnel key that it matches, that it sets
//	{cast}             unicast, or broadcast and multicast
//	{next}             name of the table that it continues in
//	{object}           what caused it
var (
	intPhrases = phrases{
		{Local, 65535, KindBase}:  "frames of ports that nobody has claimed, which are on the dead VLAN, are dropped",
		{Local, 3, KindBase}:      "frames from {in} have a local VLAN already; they go on in table {next}",
		{Local, 3, KindNetwork}:   "{frames} from {in} get local VLAN {setvlan}",
		{Local, 2, KindPort}:      "frames from {object} on {in} get local VLAN {setvlan}",
		{Local, 1, KindPort}:      "frames from {in} with another source address than that of {object} get local VLAN {setvlan}, and the address is learned",
		{Local, 0, KindBase}:      "frames of any other port, and frames that a VM tags by itself, are dropped",
		{LearnInt, 2, KindBase}:   "that the source of a frame is behind {in} is remembered in table to_known",
		{LearnInt, 1, KindBase}:   "which VM's port the source of a frame is behind is remembered in table to_known",
		{ToKnown, 2, KindPort}:    "frames for {object} in local VLAN {vlan} go to {out}",
		{ToKnown, 1, KindLearned}: "frames for {dst} in local VLAN {vlan} go to {out}, where a frame from it came from",
		{ToKnown, 0, KindBase}:    "frames for many, and for addresses that are not known, go on in table {next}",
		{ToLocal, 1, KindNetwork}: "frames of {object} for many, or for addresses that are not known, are copied to {out}",
		{ToLocal, 0, KindBase}:    "frames in a VLAN of no network are dropped",
	}.compile()

	tunPhrases = phrases{
		{Classify, 1, KindBase}:      "frames from {in} go on in table {next}",
		{Classify, 0, KindBase}:      "frames from any other port are dropped",
		{FromInt, 1, KindBase}:       "broadcast ARP requests of VMs go on in table {next}",
		{FromInt, 0, KindBase}:       "{cast} frames of VMs go on in table {next}",
		{FromGRE, 1, KindNetwork}:    "frames with GRE key {key} get local VLAN {setvlan}",
		{FromVXLAN, 1, KindNetwork}:  "frames with VNI {key} get local VLAN {setvlan}",
		{FromGeneve, 1, KindNetwork}: "frames with VNI {key} get local VLAN {setvlan}",
		{FromGRE, 0, KindBase}:       "frames with the key of a network that this host does not hold are dropped",
		{FromVXLAN, 0, KindBase}:     "frames with the VNI of a network that this host does not hold are dropped",
		{FromGeneve, 0, KindBase}:    "frames with the VNI of a network that this host does not hold are dropped",
		{LearnMAC, 1, KindBase}:      "which tunnel the source of a frame is behind is remembered in table to_unicast; the frame goes to {out}",
		{ToUnicast, 2, KindPort}:     "frames for {object} in local VLAN {vlan} leave by {out} with key {setkey}",
		{ToUnicast, 1, KindLearned}:  "frames for {dst} in local VLAN {vlan} leave by {out} with key {setkey}, where a frame from it came from",
		{ToUnicast, 0, KindBase}:     "frames for addresses that are not known go on in table {next}",
		{AnswerARP, 1, KindPort}:     "who asks in local VLAN {vlan} for {ip} is told at once the address of {object}",
		{AnswerARP, 0, KindBase}:     "ARP requests for addresses that are not known go on in table {next}",
		{ToFlood, 1, KindNetwork}:    "frames of {object} for many, or for addresses that are not known, are copied into {out} with key {setkey}",
		{ToFlood, 0, KindBase}:       "frames of networks that no other host holds are dropped",
	}.compile()

	extPhrases = phrases{
		{FromPhys, 4, KindNetwork}: "frames from {in} in local VLAN {vlan} {wire} and leave by ordinary switching",
		{FromPhys, 2, KindBase}:    "frames from {in} in a VLAN of no provider network are dropped",
		{FromPhys, 0, KindBase}:    "all other frames are switched as usual",
	}.compile()
)

// phrases are texts with words in braces.
type phrases map[phraseKey]string

// sentence is a phrase taken apart: texts, and between them what is filled in.
type sentence []piece

type piece struct {
	text string
	fill filler // nil: text
}

// filler appends what stands for a word in braces.
type filler func(dst []byte, p *Pipeline, f *of.Flow, n Names) []byte

var fillers = map[string]filler{
	"in": func(dst []byte, _ *Pipeline, f *of.Flow, n Names) []byte {
		return appendPort(dst, n, of.PortNo(matched(f, of.FieldInPort)))
	},
	"out":     appendOutputs,
	"vlan":    func(dst []byte, _ *Pipeline, f *of.Flow, n Names) []byte { return appendVLAN(dst, n, matchedVLAN(f)) },
	"setvlan": func(dst []byte, _ *Pipeline, f *of.Flow, n Names) []byte { return appendVLAN(dst, n, setVLAN(f)) },
	"frames": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte {
		if vlan := matchedVLAN(f); vlan != 0 {
			return strconv.AppendUint(append(dst, "frames with VLAN "...), uint64(vlan), 10)
		}
		return append(dst, "frames without a VLAN"...)
	},
	"wire": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte {
		if vlan := setVLAN(f); vlan != 0 {
			return strconv.AppendUint(append(dst, "get VLAN "...), uint64(vlan), 10)
		}
		return append(dst, "lose their VLAN"...)
	},
	"src": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte { return appendMAC(dst, f, of.FieldEthSrc) },
	"dst": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte { return appendMAC(dst, f, of.FieldEthDst) },
	"ip": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte {
		m, _ := f.Match.Find(of.FieldARPTPA)
		return m.Value.Addr4().AppendTo(dst)
	},
	"key": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte {
		return strconv.AppendUint(dst, matched(f, of.FieldTunID), 10)
	},
	"setkey": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte {
		v, _ := set(f, of.FieldTunID)
		return strconv.AppendUint(dst, v, 10)
	},
	"cast": func(dst []byte, _ *Pipeline, f *of.Flow, _ Names) []byte {
		if m, ok := f.Match.Find(of.FieldEthDst); ok && m.Value.IsZero() {
			return append(dst, "unicast"...)
		}
		return append(dst, "broadcast and multicast"...)
	},
	"next": func(dst []byte, p *Pipeline, f *of.Flow, _ Names) []byte {
		for _, a := range f.Actions {
			if g, ok := a.(of.GotoTable); ok {
				if t := p.Table(g.Table); t != nil {
					return append(dst, t.Name...)
				}
			}
		}
		return append(dst, '?')
	},
	"object": func(dst []byte, _ *Pipeline, f *of.Flow, n Names) []byte {
		if name := n.Object(f.Cookie); name != "" {
			return append(dst, name...)
		}
		return append(dst, "something that is gone"...)
	},
}

func (ps phrases) compile() map[phraseKey]sentence {
	out := make(map[phraseKey]sentence, len(ps))
	for k, text := range ps {
		var s sentence
		for text != "" {
			before, rest, found := strings.Cut(text, "{")
			if before != "" {
				s = append(s, piece{text: before})
			}
			if !found {
				break
			}
			word, after, _ := strings.Cut(rest, "}")
			fill := fillers[word]
			if fill == nil {
				panic(fmt.Sprintf("pipeline: nothing is known to fill in for {%s}", word))
			}
			s, text = append(s, piece{fill: fill}), after
		}
		out[k] = s
	}
	return out
}

// AppendSays appends what a flow of the pipeline does, in plain words; nothing for a flow that the pipeline
// has no words for, because it is not Heddle's.
func (p *Pipeline) AppendSays(dst []byte, f *of.Flow, n Names) []byte {
	if !Ours(f.Cookie) {
		return dst
	}
	kind, _ := Cause(f.Cookie)
	for _, s := range p.words()[phraseKey{f.Table, f.Priority, kind}] {
		if s.fill == nil {
			dst = append(dst, s.text...)
		} else {
			dst = s.fill(dst, p, f, n)
		}
	}
	return dst
}

// Says is [Pipeline.AppendSays] as a string.
func (p *Pipeline) Says(f *of.Flow, n Names) string { return string(p.AppendSays(nil, f, n)) }

func (p *Pipeline) words() map[phraseKey]sentence {
	switch p {
	case &Int:
		return intPhrases
	case &Tun:
		return tunPhrases
	}
	return extPhrases
}

// matched is the value of a field that a flow matches, 0 if it does not.
func matched(f *of.Flow, field of.Field) uint64 {
	m, _ := f.Match.Find(field)
	return m.Value.Lo
}

// vlanID are the bits of a VLAN's id in the fields that hold one (OpenFlow 1.3.5 §7.2.3.7).
const vlanID = 0xfff

// matchedVLAN is the VLAN id that a flow matches, 0 for none. Switches may give a match back as one on the
// whole tag.
func matchedVLAN(f *of.Flow) uint16 {
	for _, m := range f.Match {
		if m.Field == of.FieldVLANVID || m.Field == of.FieldVLANTCI {
			return uint16(m.Value.Lo & vlanID)
		}
	}
	return 0
}

// setVLAN is the VLAN id that a flow gives, 0 for none.
func setVLAN(f *of.Flow) uint16 {
	v, _ := set(f, of.FieldVLANVID)
	return uint16(v & vlanID)
}

// set is the value that a flow sets a field to.
func set(f *of.Flow, field of.Field) (uint64, bool) {
	for _, a := range f.Actions {
		switch a := a.(type) {
		case of.SetField:
			if a.Field == field {
				return a.Value.Lo, true
			}
		case of.Load:
			if a.Dst.Field == field {
				return a.Value, true
			}
		}
	}
	return 0, false
}

func appendMAC(dst []byte, f *of.Flow, field of.Field) []byte {
	m, _ := f.Match.Find(field)
	return append(dst, m.Value.MAC().String()...)
}

func appendVLAN(dst []byte, n Names, vlan uint16) []byte {
	dst = strconv.AppendUint(dst, uint64(vlan), 10)
	if name := n.Network(vlan); name != "" {
		dst = append(append(dst, " of "...), name...)
	}
	return dst
}

func appendPort(dst []byte, n Names, no of.PortNo) []byte {
	if name := n.Port(no); name != "" {
		return append(dst, name...)
	}
	return append(append(dst, "port "...), no.String()...)
}

// maxNamed is how many ports a sentence names; a network may have hundreds on a host.
const maxNamed = 6

// appendOutputs names the ports that a flow outputs to.
func appendOutputs(dst []byte, _ *Pipeline, f *of.Flow, n Names) []byte {
	var ports []of.PortNo
	for _, a := range f.Actions {
		if o, ok := a.(of.Output); ok {
			ports = append(ports, o.Port)
		}
	}
	if len(ports) == 0 {
		return append(dst, "nowhere"...)
	}
	named := ports[:min(maxNamed, len(ports))]
	more := len(ports) - len(named)
	for i, no := range named {
		switch {
		case i == 0:
		case i == len(named)-1 && more == 0:
			dst = append(dst, " and "...)
		default:
			dst = append(dst, ", "...)
		}
		dst = appendPort(dst, n, no)
	}
	if more > 0 {
		dst = strconv.AppendInt(append(dst, " and "...), int64(more), 10)
		dst = append(dst, " more"...)
	}
	return dst
}
