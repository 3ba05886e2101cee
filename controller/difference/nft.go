package difference

import (
	"strings"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// statement is a line of an nftables table.
type statement struct {
	block   string // "map fip_dnat", "chain floatingip"; empty outside of blocks
	text    string
	element bool
}

// statements reads a table as planners write it: blocks of one level, each element and each rule on a line
// of its own.
func statements(t spec.NFT) []statement {
	var out []statement
	block, elements := "", false
	for text := range strings.Lines(t.Text) {
		text = strings.TrimSpace(text)
		words := strings.Fields(text)
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case text == "elements = {":
			elements = true
		case text == "}" && elements:
			elements = false
		case text == "}":
			block = ""
		case len(words) == 3 && words[2] == "{":
			block = words[0] + " " + words[1]
			out = append(out, statement{block: block})
		default:
			out = append(out, statement{block, strings.TrimSuffix(text, ","), elements})
		}
	}
	return out
}

func (s statement) isRule() bool { return strings.HasPrefix(s.block, "chain ") && s.text != "" }

// String is the statement with where it stands.
func (s statement) String() string {
	switch {
	case s.text == "":
		return s.block
	case s.block == "":
		return s.text
	}
	return s.text + " (" + s.block + ")"
}

// elements are the lines of a table but for the rules of its chains: the table, its sets, maps and chains,
// and their elements, which are known by their keys.
func elements(t spec.NFT, object string) []line {
	table := "table " + t.Family + " " + t.Table
	out := []line{{spec.LineNFT, table, table, object}}
	for _, s := range statements(t) {
		if s.isRule() {
			continue
		}
		key := s.text
		if s.element {
			key, _, _ = strings.Cut(s.text, " : ")
		}
		out = append(out, line{spec.LineNFT, s.block + "\n" + key, s.String(), object})
	}
	return out
}

// compareChains compares the rules of chains, whose order counts.
func compareChains(where string, before, after spec.Namespace) []Item {
	was, will := chains(before), chains(after)
	var out []Item
	for _, name := range bothKeys(was, will) {
		for _, e := range edits(was[name], will[name]) {
			e.Where, e.Type, e.Object = where, spec.LineNFT, after.Object
			if e.Object == "" {
				e.Object = before.Object
			}
			out = append(out, e)
		}
	}
	return out
}

// chains are the rules of each chain of a namespace's table, in order.
func chains(ns spec.Namespace) map[string][]string {
	out := map[string][]string{}
	if ns.NFT == nil {
		return out
	}
	for _, s := range statements(*ns.NFT) {
		if s.isRule() {
			out[s.block] = append(out[s.block], s.String())
		}
	}
	return out
}

// edits are the fewest additions and deletions that make one list of another, in the order of the lists.
func edits(before, after []string) []Item {
	// same[i][j] is how many lines before[i:] and after[j:] have in common, in order.
	same := make([][]int, len(before)+1)
	for i := range same {
		same[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			same[i][j] = max(same[i+1][j], same[i][j+1])
			if before[i] == after[j] {
				same[i][j] = same[i+1][j+1] + 1
			}
		}
	}
	var out []Item
	for i, j := 0, 0; i < len(before) || j < len(after); {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && same[i+1][j] >= same[i][j+1]:
			out = append(out, Item{Op: Delete, Text: before[i]})
			i++
		default:
			out = append(out, Item{Op: Add, Text: after[j]})
			j++
		}
	}
	return out
}
