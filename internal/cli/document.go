package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// sections are the lists that a document has.
var sections = []string{"networks", "subnets", "routers", "ports", "floatingips"}

// document is what files say together.
type document struct {
	body    object
	sources []source
}

// source is one document of a file, and which elements of the body's lists came from it.
type source struct {
	file  string
	root  ast.Node
	first map[string]int // by section
	count map[string]int
}

// readDocument reads files into one document. Errors name file, line and column.
func readDocument(files []string, in io.Reader) (*document, error) {
	if len(files) == 0 {
		return nil, usagef("-f FILE is missing")
	}
	d := &document{body: object{}}
	for _, name := range files {
		paths, err := filesOf(name)
		if err != nil {
			return nil, Usage(err)
		}
		for _, path := range paths {
			if err := d.read(path, in); err != nil {
				return nil, Usage(err)
			}
		}
	}
	return d, nil
}

// filesOf are the files that a name means: itself, or those of YAML and JSON in a directory.
func filesOf(name string) ([]string, error) {
	info, err := os.Stat(name)
	if name == "-" || err == nil && !info.IsDir() {
		return []string{name}, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		found, err := filepath.Glob(filepath.Join(name, pattern))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("directory %s has no *.yaml, *.yml or *.json", name)
	}
	slices.Sort(out)
	return out, nil
}

func (d *document) read(path string, in io.Reader) error {
	var text []byte
	var err error
	if path == "-" {
		path = "standard input"
		text, err = io.ReadAll(in)
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		if err := d.add(path, doc.Body); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) add(path string, root ast.Node) error {
	s := source{file: path, root: root, first: map[string]int{}, count: map[string]int{}}
	var doc map[string]any
	if root.Type() != ast.MappingType && root.Type() != ast.MappingValueType {
		return fmt.Errorf("%s: a document is a map with the lists %s", place(path, root), strings.Join(sections, ", "))
	}
	if err := yaml.NodeToValue(root, &doc); err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if _, err := json.Marshal(doc); err != nil { // .inf and .nan are numbers in YAML alone
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range sortedKeys(doc) {
		at := place(path, memberOf(root, name))
		if name == "set" {
			if before, given := d.body["set"]; given && before != doc[name] {
				return fmt.Errorf("%s: set is %v here and %v before", at, doc[name], before)
			}
			d.body["set"] = doc[name]
			continue
		}
		if !slices.Contains(sections, name) {
			return fmt.Errorf("%s: there is no list %q, only %s", at, name, strings.Join(sections, ", "))
		}
		list, is := doc[name].([]any)
		if !is && doc[name] != nil {
			return fmt.Errorf("%s: %s is no list: each of them begins with \"- \"", at, name)
		}
		for i, x := range list {
			if _, is := x.(map[string]any); !is {
				return fmt.Errorf("%s: %s[%d] is no map of attributes", place(path, s.node(fmt.Sprintf("%s[%d]", name, i))), name, i)
			}
		}
		before, _ := d.body[name].([]any)
		s.first[name], s.count[name] = len(before), len(list)
		d.body[name] = append(append([]any{}, before...), list...)
	}
	d.sources = append(d.sources, s)
	return nil
}

// step is one step of a path in a document: a member's name, or the index of an element.
var step = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// node finds the node at a path such as "ports[2].network", nil if there is none.
func (s source) node(path string) ast.Node {
	at := s.root
	for _, name := range step.FindAllString(path, -1) {
		if index, is := strings.CutPrefix(name, "["); is {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			list, isList := at.(*ast.SequenceNode)
			if err != nil || !isList || i >= len(list.Values) {
				return nil
			}
			at = inner(list.Values[i])
			continue
		}
		if at = memberOf(at, name); at == nil {
			return nil
		}
	}
	return at
}

// memberOf finds a member of a map, nil if there is none.
func memberOf(n ast.Node, name string) ast.Node {
	var members []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		members = m.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{m}
	}
	for _, m := range members {
		if token := m.Key.GetToken(); token != nil && token.Value == name {
			return inner(m.Value)
		}
	}
	return nil
}

// inner is a node without its anchor or tag.
func inner(n ast.Node) ast.Node {
	switch x := n.(type) {
	case *ast.AnchorNode:
		return inner(x.Value)
	case *ast.TagNode:
		return inner(x.Value)
	}
	return n
}

// place says where a node is, as compilers do.
func place(path string, n ast.Node) string {
	// The token of a map is the colon after its first key.
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			n = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = m.Key
	}
	if n == nil || n.GetToken() == nil {
		return path
	}
	p := n.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", path, p.Line, p.Column)
}

// inDocument is how the server's errors begin that speak of a place in the document: "subnets[2].cidr: …".
var inDocument = regexp.MustCompile(`^([a-z]+)\[(\d+)\]((?:\.[A-Za-z0-9_:-]+|\[\d+\])*): `)

// locate adds file, line and column to an error that speaks of a place in the document.
func (d *document) locate(err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	m := inDocument.FindStringSubmatch(refused.Message)
	if m == nil {
		return err
	}
	index, _ := strconv.Atoi(m[2]) // digits
	for _, s := range d.sources {
		if i := index - s.first[m[1]]; i >= 0 && i < s.count[m[1]] {
			element := fmt.Sprintf("%s[%d]", m[1], i)
			n := s.node(element + m[3])
			if n == nil {
				n = s.node(element) // a member that is missing
			}
			return fmt.Errorf("%s: %w", place(s.file, n), err)
		}
	}
	return err
}
