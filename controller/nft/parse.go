package nft

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Table is a table that was read.
type Table struct {
	chains map[string]*chain
	sets   map[string]*set // and maps
	hooks  map[Hook][]*chain
}

// chain is a chain of rules.
type chain struct {
	name       string
	rules      []rule
	definition string // "type nat hook prerouting priority -100; policy accept;"; empty without a hook
	nat        bool
	priority   int
	drops      bool  // by policy
	err        error // why the definition cannot be read
}

// set is a set or map with the elements that it names. Keys and values are their parts, each in one way
// of writing, joined by " . ".
type set struct {
	name     string
	key, to  []string // types of the parts of keys, and of values
	elements map[string]string
	err      error // why its elements do not say all
}

// concat joins the parts of a key or value.
const concat = " . "

// Parse reads what is between the braces of a table of family inet, a set, map or chain after the other,
// each line a statement. What a rule, chain or set says that this package does not know is no error: it
// counts when a packet gets there.
func Parse(text string) (*Table, error) {
	p := parser{t: &Table{chains: map[string]*chain{}, sets: map[string]*set{}, hooks: map[Hook][]*chain{}}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d of the table: %q: %w", n, line, err)
		}
	}
	if p.chain != nil || p.set != nil {
		return nil, fmt.Errorf("the table ends within a block")
	}
	// Rules may name sets and chains that come later.
	for _, c := range p.t.chains {
		for i := range c.rules {
			c.rules[i].read(p.t)
		}
	}
	p.t.order()
	return p.t, nil
}

type parser struct {
	t        *Table
	chain    *chain // being read
	set      *set   // likewise
	elements bool   // within those of set
}

func (p *parser) line(line string) error {
	switch {
	case p.elements:
		p.readElements(line)
	case p.set != nil:
		p.inSet(line)
	case p.chain != nil:
		p.inChain(line)
	case strings.HasPrefix(line, "comment "):
	default:
		return p.block(line)
	}
	if p.chain != nil && strings.HasPrefix(line, "type ") {
		hook, ok := p.chain.hook()
		if !ok {
			return fmt.Errorf("the hook is not known")
		}
		p.t.hooks[hook] = append(p.t.hooks[hook], p.chain)
	}
	return nil
}

// block begins a set, map or chain.
func (p *parser) block(line string) error {
	words := strings.Fields(line)
	if len(words) != 3 || words[2] != "{" {
		return fmt.Errorf("is not the beginning of a set, map or chain")
	}
	name := words[1]
	switch words[0] {
	case "set", "map":
		if p.t.sets[name] != nil {
			return fmt.Errorf("the name is there already")
		}
		p.set = &set{name: name, elements: map[string]string{}}
		p.t.sets[name] = p.set
	case "chain":
		if p.t.chains[name] != nil {
			return fmt.Errorf("the name is there already")
		}
		p.chain = &chain{name: name}
		p.t.chains[name] = p.chain
	default:
		return fmt.Errorf("is not the beginning of a set, map or chain")
	}
	return nil
}

func (p *parser) inSet(line string) {
	switch rest, isElements := strings.CutPrefix(line, "elements = {"); {
	case line == "}":
		p.set = nil
	case isElements:
		p.elements = true
		p.readElements(rest)
	case strings.HasPrefix(line, "type "):
		key, to, _ := strings.Cut(strings.TrimPrefix(line, "type "), " : ")
		p.set.key, p.set.to = strings.Split(key, concat), nil
		if to != "" {
			p.set.to = strings.Split(to, concat)
		}
	case strings.HasPrefix(line, "comment "):
	default:
		p.set.fail("%q is not known", line)
	}
}

func (s *set) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%s: "+format, append([]any{s.name}, args...)...)
	}
}

func (p *parser) readElements(line string) {
	line, done := strings.CutSuffix(line, "}")
	for el := range strings.SplitSeq(line, ",") {
		if el = strings.TrimSpace(el); el != "" {
			p.set.add(el)
		}
	}
	p.elements = !done
}

func (s *set) add(element string) {
	key, value, isMap := strings.Cut(element, " : ")
	if isMap != (s.to != nil) {
		s.fail("element %q is not of its type", element)
		return
	}
	k, err := canonical(key, s.key)
	if err != nil {
		s.fail("element %q: %w", element, err)
		return
	}
	v := ""
	if isMap {
		if v, err = canonical(value, s.to); err != nil {
			s.fail("element %q: %w", element, err)
			return
		}
	}
	s.elements[k] = v
}

// canonical returns a key or value in the one way of writing that look-ups use.
func canonical(text string, types []string) (string, error) {
	if len(types) == 1 { // as most elements of long maps are
		return canonicalPart(text, types[0])
	}
	parts := strings.Split(text, concat)
	if len(parts) != len(types) {
		return "", fmt.Errorf("has %d parts, not %d", len(parts), len(types))
	}
	for i, part := range parts {
		var err error
		if parts[i], err = canonicalPart(part, types[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, concat), nil
}

func canonicalPart(part, kind string) (string, error) {
	part = strings.TrimSpace(part)
	switch kind {
	case "ipv4_addr", "ipv6_addr":
		a, err := netip.ParseAddr(part)
		if err != nil || a.Is4() != (kind == "ipv4_addr") {
			return "", fmt.Errorf("%q is no %s", part, kind)
		}
		if a.Is4() {
			return part, nil // there is no other way of writing it
		}
		return a.String(), nil
	case "inet_service":
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return "", fmt.Errorf("%q is no port's number", part)
		}
		return strconv.FormatUint(n, 10), nil
	case "inet_proto":
		n, err := protocol(part)
		return strconv.Itoa(int(n)), err
	case "ifname":
		name := strings.Trim(part, `"`)
		if strings.HasSuffix(name, "*") {
			return "", fmt.Errorf("%q stands for many links", part)
		}
		return name, nil
	}
	return "", fmt.Errorf("type %s is not known", kind)
}

// target reads a value that packets are translated to.
func (s *set) target(value string) (to netip.Addr, port uint16, ok bool) {
	address, service, both := strings.Cut(value, concat)
	to, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}, 0, false
	}
	if both {
		n, err := strconv.ParseUint(service, 10, 16)
		if err != nil {
			return netip.Addr{}, 0, false
		}
		port = uint16(n)
	}
	return to, port, true
}

func (p *parser) inChain(line string) {
	switch {
	case line == "}":
		p.chain = nil
	case strings.HasPrefix(line, "comment "):
	case strings.HasPrefix(line, "type "):
		p.chain.define(line)
	default:
		p.chain.rules = append(p.chain.rules, rule{text: line})
	}
}

// define reads what a chain with a hook says of itself.
func (c *chain) define(line string) {
	c.definition = line
	for _, part := range strings.Split(strings.TrimSuffix(line, ";"), ";") {
		words := strings.Fields(part)
		switch {
		case len(words) == 6 && words[0] == "type" && words[2] == "hook" && words[4] == "priority":
			n, err := strconv.Atoi(words[5])
			if c.priority = n; err != nil {
				c.err = fmt.Errorf("priority %q is no number", words[5])
			}
			if c.nat = words[1] == "nat"; !c.nat && words[1] != "filter" {
				c.err = fmt.Errorf("chains of type %q are not known", words[1])
			}
		case len(words) == 2 && words[0] == "policy" && (words[1] == "accept" || words[1] == "drop"):
			c.drops = words[1] == "drop"
		default:
			c.err = fmt.Errorf("%q is not known", strings.TrimSpace(part))
		}
	}
}

// hook returns the hook that a chain's definition names.
func (c *chain) hook() (Hook, bool) {
	words := strings.Fields(c.definition)
	for i, w := range words[:max(0, len(words)-1)] {
		if w == "hook" {
			h, ok := hookNames[words[i+1]]
			return h, ok
		}
	}
	return 0, false
}
