package output

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Style colours text, or leaves it as it is.
type Style struct{ Color bool }

// StyleFor colours what goes to a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb".
func StyleFor(w any, environ func(string) string) Style {
	return Style{Color: Terminal(w) && environ("NO_COLOR") == "" && environ("TERM") != "dumb"}
}

// Terminal reports whether a writer is a terminal.
func Terminal(w any) bool {
	f, is := w.(*os.File)
	if !is {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Good is green: as it should be.
func (s Style) Good(text string) string { return s.sgr("32", text) }

// Bad is red: not as it should be.
func (s Style) Bad(text string) string { return s.sgr("31", text) }

// Warn is yellow: on its way, or not known.
func (s Style) Warn(text string) string { return s.sgr("33", text) }

// Bold is for titles.
func (s Style) Bold(text string) string { return s.sgr("1", text) }

// Dim is for what matters less.
func (s Style) Dim(text string) string { return s.sgr("2", text) }

// sgr sets a rendition (ECMA-48 §8.3.117) for a text.
func (s Style) sgr(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// states says how words of states are coloured.
var states = map[string]func(Style, string) string{
	"active": Style.Good, "ok": Style.Good, "up": Style.Good, "yes": Style.Good, "true": Style.Good, "delivered": Style.Good,
	"down": Style.Bad, "error": Style.Bad, "fail": Style.Bad, "no": Style.Bad, "false": Style.Bad, "missing": Style.Bad,
	"stale": Style.Bad, "dropped": Style.Bad, "altered": Style.Bad, "failed": Style.Bad,
	"build": Style.Warn, "unknown": Style.Warn, "foreign": Style.Warn, "flooded": Style.Warn, "warn": Style.Warn,
}

// State colours a word that is a state; others stay as they are.
func (s Style) State(word string) string {
	if paint, is := states[strings.ToLower(word)]; is {
		return paint(s, word)
	}
	return word
}
