package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The sockets of a host's Open vSwitch, as the host names them. Host.Path makes them paths that
// work from outside.
const (
	OVSDBSocket    = "/run/openvswitch/db.sock"
	VswitchdSocket = "/run/openvswitch/ovs-vswitchd.ctl"
)

// Vsctl runs ovs-vsctl on the host with a limit of 10 s, which a stopped ovs-vswitchd makes
// necessary, and returns its output without the final newline.
func (h *Host) Vsctl(ctx context.Context, args ...string) (string, error) {
	out, err := h.Output(ctx, "ovs-vsctl", append([]string{"--timeout=10"}, args...)...)
	return strings.TrimSuffix(out, "\n"), err
}

// Appctl sends a command to the control socket of ovs-vswitchd, as ovs-appctl does, and returns the answer.
func (h *Host) Appctl(ctx context.Context, cmd string, args ...string) (string, error) {
	if !h.Alive() {
		return "", h.noPower()
	}
	if args == nil {
		args = []string{}
	}
	raw, err := call(ctx, h.Path(VswitchdSocket), cmd, args)
	if err != nil {
		return "", fmt.Errorf("ovs-vswitchd of %s: %w", h.Name, err)
	}
	var answer string
	if err := json.Unmarshal(raw, &answer); err != nil {
		return "", fmt.Errorf("ovs-vswitchd of %s: answer to %s: %w", h.Name, cmd, err)
	}
	return answer, nil
}

// Transact runs OVSDB operations (RFC 7047 §5.2) on the host's Open_vSwitch database as one
// transaction and returns the result of each. It does not wait until ovs-vswitchd has acted.
func (h *Host) Transact(ctx context.Context, ops ...any) ([]json.RawMessage, error) {
	if !h.Alive() {
		return nil, h.noPower()
	}
	raw, err := call(ctx, h.Path(OVSDBSocket), "transact", append([]any{"Open_vSwitch"}, ops...))
	if err != nil {
		return nil, fmt.Errorf("database of %s: %w", h.Name, err)
	}
	var results []json.RawMessage
	if err := json.Unmarshal(raw, &results); err != nil {
		return nil, fmt.Errorf("database of %s: %w", h.Name, err)
	}
	for i, r := range results {
		var failed struct{ Error, Details string }
		if err := json.Unmarshal(r, &failed); err == nil && failed.Error != "" {
			return nil, fmt.Errorf("database of %s: operation %d: %w", h.Name, i, &ovsdbError{failed.Error, failed.Details})
		}
	}
	return results, nil
}

// ovsdbError is an <error> of RFC 7047 §3.1.
type ovsdbError struct{ name, details string }

func (e *ovsdbError) Error() string {
	if e.details == "" {
		return e.name
	}
	return e.name + ": " + e.details
}

// Join makes the host's OVSDB connect to managers, or listen for them (ptcp:), in place of those it
// had. A target is what Config.Controllers takes, or what ovs-vsctl set-manager takes.
func (h *Host) Join(ctx context.Context, targets ...string) error {
	args := []string{"--no-wait", "set-manager"}
	for _, t := range targets {
		target, err := managerTarget(t, h.lab.Address())
		if err != nil {
			return err
		}
		args = append(args, target)
	}
	_, err := h.Vsctl(ctx, args...)
	return err
}

// Leave makes the host's OVSDB forget its managers. Bridges and flows stay.
func (h *Host) Leave(ctx context.Context) error {
	_, err := h.Vsctl(ctx, "--no-wait", "del-manager")
	return err
}

// StopVswitchd ends ovs-vswitchd in good order, as a package upgrade does, and returns when it has ended.
func (h *Host) StopVswitchd(ctx context.Context) error {
	// ovs-appctl cannot be used: it would wait for an answer that the end of the daemon may cut off.
	return h.endVswitchd(ctx, "TERM")
}

// KillVswitchd ends ovs-vswitchd with SIGKILL, as a crash does, and returns when it has ended.
func (h *Host) KillVswitchd(ctx context.Context) error { return h.endVswitchd(ctx, "KILL") }

func (h *Host) endVswitchd(ctx context.Context, signal string) error {
	const script = `read -r pid </run/openvswitch/ovs-vswitchd.pid
kill -"$1" "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
rm -f /run/openvswitch/ovs-vswitchd.*`
	return h.vswitchdScript(ctx, "end ovs-vswitchd", script, signal)
}

// StartVswitchd starts ovs-vswitchd and returns when it has made the bridges of its database. Flows
// of before are gone.
func (h *Host) StartVswitchd(ctx context.Context) error {
	return h.vswitchdScript(ctx, "start ovs-vswitchd", vswitchdFunc+"start_vswitchd")
}

func (h *Host) vswitchdScript(ctx context.Context, name, text string, args ...string) error {
	if !h.Alive() {
		return h.noPower()
	}
	if err := h.process().script(ctx, name, "set -e\n"+text, nil, "", args...); err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	return nil
}

// RestartVswitchd is StopVswitchd and StartVswitchd.
func (h *Host) RestartVswitchd(ctx context.Context) error {
	if err := h.StopVswitchd(ctx); err != nil {
		return err
	}
	return h.StartVswitchd(ctx)
}

// addPort plugs an interface into a bridge as ovs-vsctl add-port does. It waits for the bridge until
// the context ends: the controller makes it when the host has joined.
func (h *Host) addPort(ctx context.Context, bridge, iface string, externalIDs map[string]string) error {
	byName := []any{[]any{"name", "==", bridge}}
	_, err := h.Transact(ctx,
		map[string]any{
			"op": "wait", "table": "Bridge", "where": byName, "columns": []string{"name"},
			"until": "==", "rows": []any{map[string]any{"name": bridge}},
		},
		map[string]any{
			"op": "insert", "table": "Interface", "uuid-name": "iface",
			"row": map[string]any{"name": iface, "external_ids": ovsdbMap(externalIDs)},
		},
		map[string]any{
			"op": "insert", "table": "Port", "uuid-name": "port",
			"row": map[string]any{"name": iface, "interfaces": []any{"named-uuid", "iface"}},
		},
		map[string]any{
			"op": "mutate", "table": "Bridge", "where": byName,
			"mutations": []any{[]any{"ports", "insert", []any{"named-uuid", "port"}}},
		})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no bridge %s on %s: its controller has not made it (heddle lab status shows whether one is connected): %w", bridge, h.Name, err)
	}
	return err
}

// delPort unplugs an interface. One that is not plugged is fine.
func (h *Host) delPort(ctx context.Context, bridge, iface string) error {
	results, err := h.Transact(ctx, map[string]any{
		"op": "select", "table": "Port", "where": []any{[]any{"name", "==", iface}}, "columns": []string{"_uuid"},
	})
	if err != nil {
		return err
	}
	var found struct {
		Rows []struct {
			UUID any `json:"_uuid"`
		}
	}
	if err := json.Unmarshal(results[0], &found); err != nil {
		return fmt.Errorf("database of %s: %w", h.Name, err)
	}
	if len(found.Rows) == 0 {
		return nil
	}
	// Rows of Port and Interface that nobody refers to are removed by the database itself.
	_, err = h.Transact(ctx, map[string]any{
		"op": "mutate", "table": "Bridge", "where": []any{[]any{"name", "==", bridge}},
		"mutations": []any{[]any{"ports", "delete", found.Rows[0].UUID}},
	})
	return err
}

// ovsdbMap is a map in OVSDB's notation (RFC 7047 §5.1).
func ovsdbMap(m map[string]string) any {
	pairs := make([]any, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, []any{k, v})
	}
	return []any{"map", pairs}
}
