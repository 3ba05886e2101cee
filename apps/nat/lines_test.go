package nat

import (
	"strings"
	"testing"
)

func TestEveryRuleSaysWhatItDoes(t *testing.T) {
	inChain := false
	rules := map[string]bool{}
	for line := range strings.Lines(chains) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "chain "):
			inChain = true
		case line == "}":
			inChain = false
		case inChain && line != "" && !strings.HasPrefix(line, "#"):
			rules[line] = true
			if ruleSays[line] == "" {
				t.Errorf("nothing says what rule %q does", line)
			}
		}
	}
	for rule := range ruleSays {
		if !rules[rule] {
			t.Errorf("rule %q is explained, and is in no chain", rule)
		}
	}
}
