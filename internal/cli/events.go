package cli

import (
	"fmt"
	"strings"
)

// eventLine is an event in one line.
func (s *session) eventLine(e object) string {
	host := e.text("host")
	if host == "" {
		host = "-"
	}
	return strings.TrimRight(fmt.Sprintf("%s  %-20s %-10s %s", e.text("time"), e.text("kind"), host, lineOf(asMap(e["body"]))), " ")
}
