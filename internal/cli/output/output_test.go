package output

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestTablesAlignWhatIsPainted(t *testing.T) {
	for name, c := range map[string]struct {
		table Table
		want  string
	}{
		"plain":      {Table{Titles: []string{"NAME", "X"}, Rows: [][]string{{"a", "1"}, {"longer", ""}}}, "NAME    X\na       1\nlonger  -\n"},
		"painted":    {Table{Rows: [][]string{{"DOWN", "1"}, {"ACTIVE", "2"}}, Paint: func(_ int, s string) string { return Style{Color: true}.State(s) }}, "\x1b[31mDOWN\x1b[0m    1\n\x1b[32mACTIVE\x1b[0m  2\n"},
		"wide_runes": {Table{Rows: [][]string{{"größe", "1"}, {"abc", "2"}}}, "größe  1\nabc    2\n"},
		"one_line":   {Table{Rows: [][]string{{"a\nb", "1"}}}, "a b  1\n"},
		"ragged":     {Table{Rows: [][]string{{"a"}, {"b", "c", "d"}}}, "a\nb  c  d\n"},
		"none":       {Table{}, ""},
	} {
		var out bytes.Buffer
		if err := c.table.Write(&out); err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n%q, want\n%q", name, err, out.String(), c.want)
		}
	}
}

func TestFormats(t *testing.T) {
	d := json.NewDecoder(strings.NewReader(`{"items":[{"id":"a","n":1,"list":[1,2.5],"none":null,"url":"a&b"},{"id":"b","n":2}]}`))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{
		"name":                    "",
		"json":                    `"url": "a&b"`,
		"yaml":                    "items:\n  - id: a\n",
		"jsonpath={.items[*].id}": "a b\n",
		"jsonpath=.items[1].n":    "2\n",
		`jsonpath={range .items[*]}{.id}{"\n"}{end}`: "a\nb\n\n",
		"jsonpath={.nothing}":                        "\n",
		`jsonpath={.items[?(@.n==2)].id}`:            "b\n",
	} {
		f, err := ParseFormat(format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if f.Name() {
			continue
		}
		var out bytes.Buffer
		if err := f.Document(&out, doc); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v\n%s", format, err, out.String())
		}
	}
	for _, bad := range []string{"xml", "json=x", "jsonpath={", "table=3"} {
		if _, err := ParseFormat(bad); err == nil {
			t.Errorf("-o %s is accepted", bad)
		}
	}
	if f, err := ParseFormat(""); err != nil || !f.Table() || f.Wide() {
		t.Errorf("no format is %+v %v", f, err)
	}
}

// Only what people see is coloured, and not for those who do not want it.
func TestColourIsForTerminals(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	none := func(string) string { return "" }
	if StyleFor(file, none).Color || StyleFor(&bytes.Buffer{}, none).Color {
		t.Error("what is no terminal is coloured")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	defer terminal.Close()
	for name, want := range map[string]bool{"": true, "NO_COLOR": false, "TERM": false} {
		got := StyleFor(terminal, func(asked string) string {
			if asked == name {
				return map[string]string{"NO_COLOR": "1", "TERM": "dumb"}[name]
			}
			return ""
		}).Color
		if got != want {
			t.Errorf("a terminal with %s is coloured: %v", name, got)
		}
	}
	if s := (Style{}).Bad("x"); s != "x" {
		t.Errorf("without colour: %q", s)
	}
}
