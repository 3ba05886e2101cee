package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/heddle-sdn/heddle/internal/cli/hostcheck"
	"github.com/heddle-sdn/heddle/internal/cli/redact"
)

// bundleOptions are the flags of support-bundle.
type bundleOptions struct {
	options
	file, config, debug string
	tokens              string
	logs                []string
	local               bool
}

func (p *Program) bundleCommand() *cobra.Command {
	o := &bundleOptions{}
	cmd := &cobra.Command{
		Use:   "support-bundle",
		Short: "Collect what a bug report needs into one file, without secrets",
		Long: `Collect what a bug report needs into one .tar.gz: versions, status, hosts, switches with all flows and
counters, objects, namespaces, events, history, metrics and what heddle doctor says; and, where it is run on
the server's machine and the flags say so, settings, logs and goroutines.

Tokens, passwords, private keys, and what ports carry for their instances (user data, keys) are removed. Names and
addresses of networks, ports and hosts are in it: look at it before you give it away. What could not be collected
is listed in manifest.json.`,
		Example: "  heddle support-bundle\n  heddle support-bundle --config /etc/heddle/heddle.yaml --log /var/log/heddle.log --debug-socket /run/heddle/debug.sock",
		Args:    cobra.NoArgs,
	}
	p.command(cmd, &o.options, func(ctx context.Context, s *session, _ []string) error {
		return s.supportBundle(ctx, o)
	})
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "`file` to write, - for the standard output; default heddle-support-TIME.tar.gz")
	f.StringVar(&o.config, "config", "", "`file` with the server's settings")
	f.StringVar(&o.tokens, "server-token-file", "", "`file` of the server's tokens: it is not collected, but what it holds is removed everywhere")
	f.StringArrayVar(&o.logs, "log", nil, "log `file` of the server or an agent, repeatable; the last 8 MiB of each")
	f.StringVar(&o.debug, "debug-socket", "", "`path` of the server's --debug-socket, for goroutines")
	f.BoolVar(&o.local, "local", false, "look at this host as well, as heddle doctor --local")
	return cmd
}

// logTail is how much of the end of a log is collected, in bytes.
const logTail = 8 << 20

// bundle is what was collected: documents of JSON and texts, by the names of their files.
type bundle struct {
	*session
	docs    map[string]any
	texts   map[string]string
	missing map[string]string // what could not be collected, and why
	cleaner redact.Cleaner
}

func (s *session) supportBundle(ctx context.Context, o *bundleOptions) error {
	b := &bundle{session: s, docs: map[string]any{}, texts: map[string]string{}, missing: map[string]string{}}
	if err := b.knowSecrets(o); err != nil {
		return err
	}
	b.collectServer(ctx)
	b.collectFlows(ctx)
	b.collectNamespaces(ctx)
	b.collectDoctor(ctx, o)
	b.collectFiles(ctx, o)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.docs["manifest.json"] = map[string]any{"made": s.now(), "version": s.program.Version, "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH,
		"server": s.Server(), "missing": b.missing}
	return b.write(o.file)
}

// knowSecrets learns the secrets that are at hand: the token in use, and those of the server.
func (b *bundle) knowSecrets(o *bundleOptions) error {
	b.cleaner.Secret(b.Token())
	if o.tokens == "" {
		return nil
	}
	text, err := os.ReadFile(o.tokens)
	if err != nil {
		return usagef("--server-token-file: %w", err)
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return usagef("--server-token-file %s: %s", o.tokens, yaml.FormatError(err, false, false))
	}
	b.cleaner.Learn(doc)
	return nil
}

// collected are the documents of the API that are one request each.
var collected = map[string]string{
	"index.json": "/v1", "whoami.json": "/v1/whoami", "status.json": "/v1/status", "hosts.json": "/v1/hosts", "switches.json": "/v1/switches",
	"topology.json": "/v1/topology", "tunnels.json": "/v1/tunnels", "agents.json": "/v1/agents", "leases.json": "/v1/leases", "macs.json": "/v1/macs",
	"events.json": "/v1/events?limit=10000", "history.json": "/v1/history?limit=1000", "plans.json": "/v1/plans",
	"api/networks.json": "/v2.0/networks", "api/subnets.json": "/v2.0/subnets", "api/ports.json": "/v2.0/ports", "api/routers.json": "/v2.0/routers",
	"api/floatingips.json": "/v2.0/floatingips", "api/agents.json": "/v2.0/agents",
}

func (b *bundle) collectServer(ctx context.Context) {
	for name, from := range collected {
		b.collect(ctx, name, from)
	}
	for _, r := range kindsOfThings() {
		if r.kind != "" {
			b.collect(ctx, "objects/"+r.plural+".json", "/v1/objects/"+r.kind+"?limit=1000000")
		}
	}
	for name, from := range map[string]string{"metrics.txt": "/metrics", "readyz.txt": "/readyz"} {
		text, _, err := b.Text(ctx, from, url.Values{"verbose": {""}})
		if err != nil {
			b.missing[name] = err.Error()
			continue
		}
		b.texts[name] = string(text)
	}
}

// collect reads one document. That it cannot be read is no reason to give up.
func (b *bundle) collect(ctx context.Context, name, from string) object {
	where, query, _ := strings.Cut(from, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		b.missing[name] = err.Error()
		return nil
	}
	var doc object
	if err := b.Get(ctx, where, values, &doc); err != nil {
		b.missing[name] = err.Error()
		return nil
	}
	b.docs[name] = map[string]any(doc)
	return doc
}

func (b *bundle) collectFlows(ctx context.Context) {
	for _, sw := range object(asMap(b.docs["switches.json"])).objects("switches") {
		dpid := sw.text("dpid")
		name := safe(strings.Trim(sw.text("host")+"."+sw.text("bridge")+"."+dpid, "."))
		b.collect(ctx, "flows/"+name+".json", "/v1/switches/"+dpid+"/flows")
		b.collect(ctx, "ports/"+name+".json", "/v1/switches/"+dpid+"/ports")
	}
}

func (b *bundle) collectNamespaces(ctx context.Context) {
	for _, h := range object(asMap(b.docs["hosts.json"])).objects("hosts") {
		host := h.text("name")
		b.collect(ctx, "hosts/"+safe(host)+".json", "/v1/hosts/"+url.PathEscape(host))
		all := b.collect(ctx, "namespaces/"+safe(host)+".json", "/v1/hosts/"+url.PathEscape(host)+"/namespaces")
		for _, ns := range all.objects("namespaces") {
			b.collect(ctx, "namespaces/"+safe(host)+"/"+safe(ns.text("name"))+".json",
				"/v1/hosts/"+url.PathEscape(host)+"/namespaces/"+url.PathEscape(ns.text("name")))
		}
	}
}

// safe makes a name one of a file.
func safe(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:`, r) || r < ' ' {
			return '_'
		}
		return r
	}, name)
	if name == "" || name == "." || name == ".." {
		return "_"
	}
	return name
}

func (b *bundle) collectDoctor(ctx context.Context, o *bundleOptions) {
	d := &doctor{session: b.session}
	d.all(ctx, false)
	b.docs["doctor.json"] = jsonOf(d.All)
	if o.local {
		b.docs["local/doctor.json"] = jsonOf(hostcheck.Check(ctx, hostcheck.System{}, hostcheck.Options{}).All)
		for name, args := range map[string][]string{"local/ovs-vsctl.txt": {"ovs-vsctl", "--timeout=5", "show"}, "local/addresses.txt": {"ip", "address"},
			"local/routes.txt": {"ip", "route"}, "local/namespaces.txt": {"ip", "netns"}} {
			text, err := hostcheck.System{}.Run(ctx, args[0], args[1:]...)
			if err != nil {
				b.missing[name] = err.Error()
				continue
			}
			b.texts[name] = text
		}
	}
}

// jsonOf is a value as the JSON that it is encoded as.
func jsonOf(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		return err.Error()
	}
	return out
}

func (b *bundle) collectFiles(ctx context.Context, o *bundleOptions) {
	if o.config != "" {
		text, err := os.ReadFile(o.config)
		b.addText("settings.yaml", string(text), err)
	}
	for i, name := range o.logs {
		text, err := tail(name, logTail)
		b.addText(fmt.Sprintf("logs/%d-%s", i+1, safe(path.Base(name))), text, err)
	}
	if o.debug != "" {
		text, err := goroutines(ctx, o.debug)
		b.addText("goroutines.txt", text, err)
	}
}

func (b *bundle) addText(name, text string, err error) {
	if err != nil {
		b.missing[name] = err.Error()
		return
	}
	b.texts[name] = text
}

// tail reads the last n bytes of a file, from the first whole line on.
func tail(name string, n int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	cut := info.Size() > n
	if cut {
		if _, err := f.Seek(-n, io.SeekEnd); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, n))
	if err != nil {
		return "", err
	}
	if cut {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return string(text), nil
}

// goroutines asks a server's debug socket what its goroutines do.
func goroutines(ctx context.Context, socket string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://heddle/debug/pprof/goroutine?debug=2", nil)
	if err != nil {
		return "", err
	}
	answer, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return string(text), err
}

// write cleans everything and writes it. The file is its maker's alone, and never one that is there already.
func (b *bundle) write(name string) error {
	if name == "-" {
		return b.archive(b.out)
	}
	if name == "" {
		name = "heddle-support-" + b.program.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return usagef("--file: %w", err)
	}
	err = errors.Join(b.archive(f), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	fmt.Fprintf(b.hints, "%d files collected, %d could not be (manifest.json says why); look at it before you give it away\n", len(b.docs)+len(b.texts), len(b.missing))
	b.printf("%s\n", name)
	return nil
}

func (b *bundle) archive(w io.Writer) error {
	for _, doc := range b.docs {
		b.cleaner.Learn(doc)
	}
	zip := gzip.NewWriter(w)
	out := tar.NewWriter(zip)
	for _, name := range sortedKeys(b.docs) {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(b.cleaner.JSON(jsonOf(b.docs[name]))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := b.entry(out, name, text.Bytes()); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(b.texts) {
		if err := b.entry(out, name, []byte(b.cleaner.Text(b.texts[name]))); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), zip.Close())
}

func (b *bundle) entry(out *tar.Writer, name string, text []byte) error {
	err := out.WriteHeader(&tar.Header{Name: "heddle-support/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: b.program.Now(), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = out.Write(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
