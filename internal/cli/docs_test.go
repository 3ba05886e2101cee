package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const docsFile = "../../docs/cli.md"

const docsHead = `# The command line

<!-- Written by go test ./internal/cli -run Document -update; change the commands instead. -->

%[1]sheddle%[1]s is the server, and the commands here, which ask and tell one through its REST API. They work from any
machine that reaches it. %[1]sheddle COMMAND --help%[1]s says the same as this page.

## Which server, and who asks

| flag | variable | default |
| --- | --- | --- |
| %[1]s--server URL%[1]s | %[1]sHEDDLE_SERVER%[1]s, %[1]sOS_NETWORK_ENDPOINT_OVERRIDE%[1]s, %[1]sOS_NETWORK_ENDPOINT%[1]s, %[1]sOS_ENDPOINT%[1]s | http://127.0.0.1:9696 |
| %[1]s--token-file FILE%[1]s | %[1]sHEDDLE_TOKEN%[1]s, %[1]sOS_TOKEN%[1]s (the token itself) | none |
| %[1]s--project ID%[1]s, %[1]s--all-projects%[1]s | %[1]sHEDDLE_PROJECT%[1]s, %[1]sOS_PROJECT_ID%[1]s | the token's; an administrator sees all |
| %[1]s--tls-ca FILE%[1]s, %[1]s--tls-cert FILE%[1]s, %[1]s--tls-key FILE%[1]s | %[1]sOS_CACERT%[1]s, %[1]sOS_CERT%[1]s, %[1]sOS_KEY%[1]s | the system's authorities |
| %[1]s--request-timeout DURATION%[1]s | | 30s |

## Output

%[1]s-o table%[1]s is the default, %[1]s-o wide%[1]s has more columns, %[1]s-o json%[1]s and %[1]s-o yaml%[1]s are what the API answers (several objects are
%[1]sitems%[1]s), %[1]s-o name%[1]s is KIND/ID for other commands, and %[1]s-o jsonpath=TEMPLATE%[1]s takes kubectl's templates. Text is coloured on a
terminal only, and not if %[1]sNO_COLOR%[1]s is set.

An object is meant by its name, its id, or the beginning of its id, as %[1]sKIND NAME%[1]s or %[1]sKIND/NAME%[1]s.
%[1]ssource <(heddle completion bash)%[1]s completes them: it asks the server, for a second at most.

## Exit codes

| code | |
| --- | --- |
`

// TestDocument holds docs/cli.md against the commands. With -update it is written anew.
func TestDocument(t *testing.T) {
	var doc bytes.Buffer
	fmt.Fprintf(&doc, docsHead, "`")
	for _, c := range exitCodes {
		fmt.Fprintf(&doc, "| %d | %s |\n", c.code, c.says)
	}
	doc.WriteString("\n## What there is to get\n\n| kind | short | | filters |\n| --- | --- | --- | --- |\n")
	for _, r := range kindsOfThings() {
		var flags []string
		for _, f := range r.filters {
			flags = append(flags, "`--"+f.flag+"`")
		}
		fmt.Fprintf(&doc, "| `%s` | %s | %s | %s |\n", r.plural, strings.Join(r.short, ", "), r.says, strings.Join(flags, " "))
	}
	root := newRoot(&Program{Environ: func(string) string { return "" }, Now: clock})
	for _, g := range root.Groups() {
		fmt.Fprintf(&doc, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID {
				documentCommand(&doc, c)
			}
		}
	}
	if *update {
		check(t, os.WriteFile(docsFile, doc.Bytes(), 0o644))
	}
	is, err := os.ReadFile(docsFile)
	check(t, err)
	if !bytes.Equal(is, doc.Bytes()) {
		t.Errorf("docs/cli.md is not what the commands say; go test ./internal/cli -run Document -update writes it")
	}
}

// documentCommand writes what a command says of itself, without the flags that all have.
func documentCommand(w *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(w, "\n### `%s`\n\n%s.\n", c.CommandPath(), c.Short)
	if long := strings.TrimPrefix(c.Long, c.Short); long != "" && len(c.Commands()) == 0 {
		fmt.Fprintf(w, "\n```text\n%s\n```\n", c.Long)
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\n```sh\n%s\n```\n", unindent(c.Example))
	}
	all := []*cobra.Command{c}
	if len(c.Commands()) > 0 {
		all = c.Commands()
	}
	for _, x := range all {
		var connects connection
		shared := pflag.NewFlagSet("", pflag.ContinueOnError)
		connects.flags(shared)
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		x.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if shared.Lookup(f.Name) == nil && f.Name != "help" {
				own.AddFlag(f)
			}
		})
		fmt.Fprintf(w, "\n```text\n%s\n\n%s```\n", x.UseLine(), own.FlagUsages())
	}
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
