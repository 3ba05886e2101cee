package netns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// commandTimeout bounds each command: none waits for ovs-vswitchd, so each is done in milliseconds.
const commandTimeout = 10 * time.Second

// maxSaid is how much of a command's complaints is worth telling, in bytes: the rest says the same of
// other lines.
const maxSaid = 400

// The names under which ports of br-int are known.
const (
	integrationBridge = "br-int"
	// agentKey in external_ids says that a port is an agent's. Its value is the index of the link that was
	// plugged in: ovs-vswitchd with the userspace datapath goes on reading a link that was deleted when
	// another of its name appears, and shows the new one's index.
	agentKey = "heddle-agent"
)

// ovs is the database of the local Open vSwitch, by its own command.
type ovs struct{ db string }

// vsctl runs ovs-vsctl with commands that "--" separates. It does not wait for ovs-vswitchd.
func (o ovs) vsctl(ctx context.Context, args ...string) ([]byte, error) {
	return command(ctx, nil, "ovs-vsctl", append([]string{"--db=" + o.db, "--no-wait", "--timeout=10", "--format=json"}, args...)...)
}

// unplug takes ports off and waits until ovs-vswitchd has let go of their links, or is not there to hold
// them: a port that is put back in the same moment would be the old one to it.
func (o ovs) unplug(ctx context.Context, names []string) error {
	args := []string{"--db=" + o.db, "--timeout=3"}
	for i, name := range names {
		if i > 0 {
			args = append(args, "--")
		}
		args = append(args, "--if-exists", "del-port", integrationBridge, name)
	}
	_, err := command(ctx, nil, "ovs-vsctl", args...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == -1 {
		return nil // SIGALRM ends ovs-vsctl after its timeout; the database has the change by then
	}
	return err
}

// command runs a command with input and returns its output. The error has what it complained about.
func command(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return out, fmt.Errorf("%s: %w", name, ctx.Err())
		}
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			return out, fmt.Errorf("%s: %w", name, err)
		}
		return out, &commandError{name: name, said: said[:min(len(said), maxSaid)], err: err}
	}
	return out, nil
}

// commandError is what a command printed when it failed.
type commandError struct {
	name, said string
	err        error
}

func (e *commandError) Error() string { return e.name + ": " + e.said }

// Unwrap returns how the command ended.
func (e *commandError) Unwrap() error { return e.err }

// ovsPort is one of our ports, as the database has it.
type ovsPort struct {
	ids map[string]string
	err string // why ovs-vswitchd cannot use it
}

// read returns our ports and the datapath type of br-int; bridge is false if there is no br-int.
func (o ovs) read(ctx context.Context) (ports map[string]ovsPort, datapath string, bridge bool, err error) {
	out, err := o.vsctl(ctx, "--columns=name,external_ids,error", "find", "Interface", `external_ids:`+agentKey+`!=""`,
		"--", "--columns=datapath_type", "find", "Bridge", "name="+integrationBridge)
	if err != nil {
		return nil, "", false, fmt.Errorf("read ports of %s: %w", integrationBridge, err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	var interfaces, bridges struct{ Data [][]any }
	if err = d.Decode(&interfaces); err == nil {
		err = d.Decode(&bridges)
	}
	if err != nil {
		return nil, "", false, fmt.Errorf("read ports of %s: %w", integrationBridge, err)
	}
	ports = make(map[string]ovsPort, len(interfaces.Data))
	for _, row := range interfaces.Data {
		if len(row) != 3 {
			return nil, "", false, fmt.Errorf("read ports of %s: row of %d columns", integrationBridge, len(row))
		}
		name, _ := row[0].(string)
		p := ovsPort{ids: ovsdbMap(row[1])}
		p.err, _ = row[2].(string)
		if _, ours := p.ids[agentKey]; ours {
			ports[name] = p
		}
	}
	for _, row := range bridges.Data {
		bridge = true
		if len(row) == 1 {
			datapath, _ = row[0].(string)
		}
	}
	return ports, datapath, bridge, nil
}

// ovsdbMap reads a map in the notation of RFC 7047 §5.1: ["map", [[key, value], …]].
func ovsdbMap(v any) map[string]string {
	out := map[string]string{}
	pair, _ := v.([]any)
	if len(pair) != 2 {
		return out
	}
	entries, _ := pair[1].([]any)
	for _, e := range entries {
		if kv, _ := e.([]any); len(kv) == 2 {
			k, _ := kv[0].(string)
			out[k], _ = kv[1].(string)
		}
	}
	return out
}
