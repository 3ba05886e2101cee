// Package output prints what commands found: as tables for people, and as JSON, YAML, names and JSONPath
// for programs.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
	"k8s.io/client-go/util/jsonpath"
)

// Format is what -o asked for.
type Format struct {
	kind string
	path *jsonpath.JSONPath
}

// The kinds of formats.
const (
	kindTable = "table"
	kindWide  = "wide"
	kindJSON  = "json"
	kindYAML  = "yaml"
	kindName  = "name"
	kindPath  = "jsonpath"
)

// Formats lists what -o takes.
const Formats = "table, wide, json, yaml, name or jsonpath=TEMPLATE"

// FormatNames are the formats as completion offers them.
func FormatNames() []string {
	return []string{kindTable, kindWide, kindJSON, kindYAML, kindName, kindPath + "="}
}

// ParseFormat reads the value of -o. A jsonpath is a template as kubectl takes it, with or without braces:
// {.items[*].id} or .id.
func ParseFormat(s string) (Format, error) {
	kind, template, is := strings.Cut(s, "=")
	switch kind {
	case "":
		return Format{kind: kindTable}, nil
	case kindTable, kindWide, kindJSON, kindYAML, kindName:
		if !is {
			return Format{kind: kind}, nil
		}
	case kindPath:
		if !strings.Contains(template, "{") {
			template = "{" + template + "}"
		}
		path := jsonpath.New("output").AllowMissingKeys(true)
		if err := path.Parse(template); err != nil {
			return Format{}, fmt.Errorf("-o %s: %w", s, err)
		}
		return Format{kind: kindPath, path: path}, nil
	}
	return Format{}, fmt.Errorf("-o %q is none of %s", s, Formats)
}

// Table reports whether people read the output.
func (f Format) Table() bool { return f.kind == kindTable || f.kind == kindWide || f.kind == "" }

// Wide reports whether a table shows all its columns.
func (f Format) Wide() bool { return f.kind == kindWide }

// Name reports whether only the names of objects are printed.
func (f Format) Name() bool { return f.kind == kindName }

// Document prints a value of JSON as JSON, YAML or through a template; formats for people print YAML, since
// that is what reads best of what has no table.
func (f Format) Document(w io.Writer, v any) error {
	switch f.kind {
	case kindJSON:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case kindPath:
		if err := f.path.Execute(w, Plain(v)); err != nil {
			return err
		}
		_, err := io.WriteString(w, "\n")
		return err
	}
	b, err := yaml.MarshalWithOptions(Plain(v), yaml.IndentSequence(true))
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Plain returns a document without [json.Number], whose numbers would be texts elsewhere.
func Plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && !math.IsInf(f, 0) {
			return f
		}
		return v.String()
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = Plain(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = Plain(x)
		}
		return out
	}
	return v
}

// JSON reports whether documents are JSON.
func (f Format) JSON() bool { return f.kind == kindJSON }

// YAML reports whether documents are YAML.
func (f Format) YAML() bool { return f.kind == kindYAML }
