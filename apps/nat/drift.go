package nat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxAlterations bounds how many alterations of one table are told one by one.
const maxAlterations = 10

// alterations says what others have changed of a table: of its rules, which nft listed as a structure when
// they were right, and of its elements. Have is nil if the table is gone.
func alterations(structure string, want, have *ruleset) []string {
	if have == nil {
		return []string{fmt.Sprintf("put back table %s %s", Family, TableName)}
	}
	sets := want.sets
	out := alteredRules(structure, have.structure)
	if len(out) == 0 && !have.intact(want.structure) {
		out = append(out, fmt.Sprintf("put in order table %s %s", Family, TableName))
	}
	for _, set := range slices.Sorted(maps.Keys(union(sets, have.sets))) {
		if set == leavingSet {
			continue // what a run that ended left to be done
		}
		for _, key := range slices.Sorted(maps.Keys(union(sets[set], have.sets[set]))) {
			value, wanted := sets[set][key]
			now, there := have.sets[set][key]
			switch {
			case !there:
				out = append(out, fmt.Sprintf("put back element %s of %s", element(key, value), set))
			case !wanted:
				out = append(out, fmt.Sprintf("removed element %s of %s", element(key, now), set))
			case now != value:
				out = append(out, fmt.Sprintf("set right element %s of %s, which was %s", element(key, value), set, now))
			}
		}
	}
	if more := len(out) - maxAlterations; more > 0 {
		out = append(out[:maxAlterations], fmt.Sprintf("and %d more of table %s %s", more, Family, TableName))
	}
	return out
}

// element is an element of a map, or of a set, as nft writes it.
func element(key, value string) string {
	if value == "" {
		return key
	}
	return key + " : " + value
}

func union[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]V{}
	}
	maps.Copy(out, b)
	return out
}

// alteredRules compares two listings of rules block by block: chains and what sets and maps are like.
func alteredRules(right, now string) []string {
	want, have := blocks(right), blocks(now)
	var out []string
	for _, block := range slices.Sorted(maps.Keys(union(want, have))) {
		switch w, h := want[block], have[block]; {
		case h == nil:
			out = append(out, "put back "+block)
		case w == nil:
			out = append(out, "removed "+block)
		default:
			missing, foreign := apart(w, h)
			for _, line := range missing {
				out = append(out, fmt.Sprintf("put back %q of %s", line, block))
			}
			for _, line := range foreign {
				out = append(out, fmt.Sprintf("removed %q of %s", line, block))
			}
			if len(missing)+len(foreign) == 0 && !slices.Equal(w, h) {
				out = append(out, "put in order "+block)
			}
		}
	}
	return out
}

// blocks splits a structure into its chains, sets and maps, "chain prerouting", with their lines. What is
// in none is of the table.
func blocks(structure string) map[string][]string {
	out := map[string][]string{}
	block := "table " + Family + " " + TableName
	for line := range strings.Lines(structure) {
		line = strings.TrimSpace(line)
		head, opens := strings.CutSuffix(line, " {")
		switch {
		case opens:
			block = head
			out[block] = []string{}
		case line == "}":
			block = "table " + Family + " " + TableName
		default:
			out[block] = append(out[block], line)
		}
	}
	return out
}

// apart returns the lines that only one of two lists has, as often as it has them more than the other.
func apart(a, b []string) (onlyA, onlyB []string) {
	count := map[string]int{}
	for _, line := range b {
		count[line]++
	}
	for _, line := range a {
		if count[line]--; count[line] < 0 {
			onlyA = append(onlyA, line)
		}
	}
	for _, line := range b {
		if count[line] > 0 {
			count[line]--
			onlyB = append(onlyB, line)
		}
	}
	return onlyA, onlyB
}
