package nat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ruleset is a table as it was read, from a spec or from what nft lists, in the form that it is compared
// in.
type ruleset struct {
	sets      elements // of every set and map, even empty ones
	structure string   // all else, but for the chain that the seal is in; without comments of the text
	seal      seal
}

// seal is what the comment of chain "listed" says: which text the table was made from, and how nft listed
// it then. A listing that reads otherwise was altered. As nft's own words are compared with nft's own
// words, it does not matter how a version of it puts things.
type seal struct{ made, listed string }

const (
	sealChain  = "listed"
	leavingSet = "leaving"
)

func (s seal) String() string { return fmt.Sprintf("made=%s listed=%s", s.made, s.listed) }

// digest identifies a structure.
func digest(structure string) string {
	sum := sha256.Sum256([]byte(structure))
	return hex.EncodeToString(sum[:8])
}

// intact reports whether the rules are the ones that were made from a structure.
func (r *ruleset) intact(made string) bool {
	return r.seal == seal{made: digest(made), listed: digest(r.structure)}
}

// parse reads what is between the braces of a table. It takes the parts that nft puts on lines of their
// own as such, and does not check what they say: nft does.
func parse(text string) (*ruleset, error) {
	r := &ruleset{sets: elements{}}
	var structure strings.Builder
	block, inElements := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !inElements {
			var found bool
			if line, found = strings.CutPrefix(line, "elements = {"); found {
				inElements = true
				if r.sets[block] == nil {
					return nil, fmt.Errorf("elements outside of a set")
				}
			}
		}
		if inElements {
			line, done := strings.CutSuffix(line, "}")
			for el := range strings.SplitSeq(line, ",") {
				r.sets.parse(block, el)
			}
			inElements = !done
			continue
		}
		if block == sealChain {
			_, _ = fmt.Sscanf(line, `comment "made=%16s listed=%16s"`, &r.seal.made, &r.seal.listed)
			if line == "}" {
				block = ""
			}
			continue
		}
		if words := strings.Fields(line); len(words) == 3 && words[2] == "{" {
			block = words[1]
			if block == sealChain && words[0] == "chain" {
				continue
			}
			if words[0] == "set" || words[0] == "map" {
				r.sets[block] = map[string]string{}
			}
		}
		structure.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	if inElements {
		return nil, fmt.Errorf("elements of %s do not end", block)
	}
	r.structure = structure.String()
	return r, nil
}

// parse adds an element as nft writes it, "198.51.100.7 . 80 : 10.0.0.7 . 8080".
func (e elements) parse(set, text string) {
	key, value, _ := strings.Cut(text, " : ")
	if key = strings.Join(strings.Fields(key), " "); key != "" {
		e.add(set, key, strings.Join(strings.Fields(value), " "))
	}
}

// equal reports whether two tables have equal elements.
func (e elements) equal(other elements) bool { return maps.EqualFunc(e, other, maps.Equal) }

// without returns the elements that others lack, or have another value for.
func (e elements) without(others elements) elements {
	out := elements{}
	for set, all := range e {
		for k, v := range all {
			if w, ok := others[set][k]; !ok || v != w {
				out.add(set, k, v)
			}
		}
	}
	return out
}

// command writes an nft command for elements: "add" or "delete".
func (e elements) command(verb string) string {
	var b strings.Builder
	for _, set := range slices.Sorted(maps.Keys(e)) {
		fmt.Fprintf(&b, "%s element %s %s %s {\n", verb, Family, TableName, set)
		for _, line := range lines(e[set]) {
			fmt.Fprintf(&b, "\t%s,\n", line)
		}
		b.WriteString("}\n")
	}
	return b.String()
}
