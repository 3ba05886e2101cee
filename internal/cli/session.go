package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/heddle-sdn/heddle/internal/cli/client"
	"github.com/heddle-sdn/heddle/internal/cli/output"
	"github.com/heddle-sdn/heddle/internal/tlsfiles"
)

// defaultServer is where heddle server listens unless it is told otherwise.
const defaultServer = "http://127.0.0.1:9696"

// The variables of the environment that say where the server is and who asks; the first that is set wins.
var (
	serverVariables  = []string{"HEDDLE_SERVER", "OS_NETWORK_ENDPOINT_OVERRIDE", "OS_NETWORK_ENDPOINT", "OS_ENDPOINT"}
	tokenVariables   = []string{"HEDDLE_TOKEN", "OS_TOKEN"}
	projectVariables = []string{"HEDDLE_PROJECT", "OS_PROJECT_ID"}
)

// Variables are those of the variables above that begin as the settings of heddle server do.
func Variables() []string { return []string{"HEDDLE_SERVER", "HEDDLE_TOKEN", "HEDDLE_PROJECT"} }

// Program is what the commands have to know of the program they are part of.
type Program struct {
	Version string
	Environ func(name string) string // os.Getenv
	Now     func() time.Time
}

func (p *Program) variable(names []string) string {
	for _, name := range names {
		if v := p.Environ(name); v != "" {
			return v
		}
	}
	return ""
}

// connection is the flags that say where the server is and who asks.
type connection struct {
	server, tokenFile, project string
	ca, cert, key              string
	timeout                    time.Duration
	allProjects                bool
}

func (c *connection) flags(f *pflag.FlagSet) {
	f.StringVar(&c.server, "server", "", "`URL` of the server; else HEDDLE_SERVER, OS_NETWORK_ENDPOINT_OVERRIDE, OS_ENDPOINT, "+defaultServer)
	f.StringVar(&c.tokenFile, "token-file", "", "`file` with the token to show; else the token is HEDDLE_TOKEN or OS_TOKEN")
	f.StringVar(&c.ca, "tls-ca", "", "`file` of authorities (PEM) that the server's certificate must be of; else OS_CACERT, the system's")
	f.StringVar(&c.cert, "tls-cert", "", "certificate `file` (PEM) to show to the server; else OS_CERT")
	f.StringVar(&c.key, "tls-key", "", "key `file` of the certificate; else OS_KEY")
	f.DurationVar(&c.timeout, "request-timeout", 30*time.Second, "how long the server may take for an answer")
	f.StringVar(&c.project, "project", "", "`id` of the project to show, or to create in; else HEDDLE_PROJECT, OS_PROJECT_ID. Administrators see all if there is none")
	f.BoolVar(&c.allProjects, "all-projects", false, "show all projects though the environment names one")
}

// open makes a client.
func (c *connection) open(p *Program) (*client.Client, error) {
	server := cmp.Or(c.server, p.variable(serverVariables), defaultServer)
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	token := p.variable(tokenVariables)
	if c.tokenFile != "" {
		text, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, usagef("--token-file: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	config := client.Config{Server: server, Token: token, Timeout: c.timeout, Agent: "heddle/" + p.Version}
	ca, cert, key := cmp.Or(c.ca, p.Environ("OS_CACERT")), cmp.Or(c.cert, p.Environ("OS_CERT")), cmp.Or(c.key, p.Environ("OS_KEY"))
	if strings.HasPrefix(server, "https:") && (ca != "" || cert != "") {
		files := tlsfiles.Files{Cert: cert, Key: key, CA: ca}
		if u, err := url.Parse(server); err == nil {
			files.Name = u.Hostname()
		}
		t, err := files.Client()
		if err != nil {
			return nil, usagef("TLS to %s: %w", server, err)
		}
		config.TLS = t
	}
	api, err := client.New(config)
	if err != nil {
		return nil, usagef("--server: %w", err)
	}
	return api, nil
}

// session is one run of a command.
type session struct {
	*client.Client
	program *Program
	out     io.Writer
	hints   io.Writer // for what is not the answer
	style   output.Style
	format  output.Format
	project string // empty: all that the sender may see
	names   map[string]map[string]string
	paths   []string // that /v1 lists; see serves
}

// options are flags that several commands have.
type options struct {
	connection
	output    string
	noHeaders bool
}

// formatFlag adds -o.
func (o *options) formatFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.output, "output", "o", "", output.Formats)
	_ = cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return output.FormatNames(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}

// open begins a session.
func (p *Program) open(cmd *cobra.Command, o *options) (*session, error) {
	format, err := output.ParseFormat(o.output)
	if err != nil {
		return nil, Usage(err)
	}
	api, err := o.connection.open(p)
	if err != nil {
		return nil, err
	}
	s := &session{Client: api, program: p, out: cmd.OutOrStdout(), hints: cmd.ErrOrStderr(), format: format,
		style: output.StyleFor(cmd.OutOrStdout(), p.Environ), names: map[string]map[string]string{}}
	if !o.allProjects {
		s.project = cmp.Or(o.project, p.variable(projectVariables))
	}
	return s, nil
}

// command makes a cobra command of a function that needs a session.
func (p *Program) command(cmd *cobra.Command, o *options, run func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	o.connection.flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd, o)
		if err != nil {
			return err
		}
		defer s.Close()
		return run(cmd.Context(), s, args)
	}
	return cmd
}

// printf writes to the output; that nobody reads it is found when the program ends.
func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// serves reports whether the server has a path of /v1, as its index tells it: "/v1/plans". Other servers of
// the Networking API have none.
func (s *session) serves(ctx context.Context, path string) (bool, error) {
	if s.paths == nil {
		var index struct{ Paths []string }
		if err := s.Get(ctx, "/v1", nil, &index); err != nil && !client.IsNotFound(err) {
			return false, err
		}
		s.paths = append([]string{}, index.Paths...)
	}
	return slices.Contains(s.paths, path), nil
}
