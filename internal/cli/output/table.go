package output

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is rows of text under titles. Columns are as wide as their widest cell.
type Table struct {
	Titles []string // none: no line of titles is printed
	Rows   [][]string
	// Paint, if set, colours the text of a cell by the number of its column.
	Paint func(column int, text string) string
}

// gap is between columns, in characters.
const gap = 2

// Write prints the table. Empty cells are "-", so that rows can be cut at spaces.
func (t *Table) Write(w io.Writer) error {
	widths := t.Widths()
	out := bufio.NewWriter(w)
	if len(t.Titles) > 0 {
		t.line(out, widths, t.Titles, nil)
	}
	for _, row := range t.Rows {
		t.line(out, widths, row, t.Paint)
	}
	return out.Flush()
}

// Widths are the widths of the columns in characters.
func (t *Table) Widths() []int {
	var widths []int
	fit := func(row []string) {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 1)
		}
	}
	fit(t.Titles)
	for _, row := range t.Rows {
		fit(row)
	}
	return widths
}

func (t *Table) line(out *bufio.Writer, widths []int, row []string, paint func(int, string) string) {
	for i, cell := range row {
		if cell == "" {
			cell = "-"
		}
		cell = oneLine(cell)
		pad := widths[i] - utf8.RuneCountInString(cell) + gap
		if paint != nil {
			cell = paint(i, cell)
		}
		_, _ = out.WriteString(cell) // Flush tells of a failure
		if i < len(row)-1 {
			_, _ = out.WriteString(strings.Repeat(" ", pad))
		}
	}
	_ = out.WriteByte('\n')
}

// oneLine keeps a cell in its row.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\n\t\r") {
		return strings.Join(strings.Fields(s), " ")
	}
	return s
}
