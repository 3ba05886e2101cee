package pipeline

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

//go:embed document.md
var preface string

// Document returns docs/pipeline.md. Where a sample dump belongs it has {{int}}, {{tun}} or {{ext}}.
func Document() string {
	var b strings.Builder
	b.WriteString(preface)
	for _, p := range []struct {
		*Pipeline
		sample string
	}{{&Int, "int"}, {&Tun, "tun"}, {&Ext, "ext"}} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", p.Bridge, p.Doc)
		b.WriteString("| table | name | matches | continues in | otherwise | what it does |\n| ---: | --- | --- | --- | --- | --- |\n")
		for _, t := range p.Tables {
			fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s |\n", t.ID, t.Name, t.matches(), t.ways(), t.Miss, t.Doc)
		}
		fmt.Fprintf(&b, "\nA sample:\n\n```\n{{%s}}```\n", p.sample)
	}
	return b.String()
}

func (t Table) matches() string {
	names := make([]string, len(t.Match))
	for i, f := range t.Match {
		// OVS calls the OpenFlow field in_port_oxm and prints it as in_port.
		names[i] = "`" + strings.TrimSuffix(f.String(), "_oxm") + "`"
	}
	return strings.Join(names, " ")
}

func (t Table) ways() string {
	ids := make([]string, len(t.Goto))
	for i, id := range t.Goto {
		ids[i] = fmt.Sprint(id)
	}
	return strings.Join(ids, ", ")
}

// String is the miss as text: "drop", "goto_table:22"; empty if nothing can miss.
func (m Miss) String() string {
	if m.None {
		return ""
	}
	return string(of.AppendActions(nil, m.Actions))
}
