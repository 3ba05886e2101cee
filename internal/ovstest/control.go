package ovstest

import (
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// Control is a connection to the control socket of ovs-vswitchd. It runs the commands of ovs-appctl, without starting a
// process for each: thousands of ofproto/trace in a second.
type Control struct {
	conn net.Conn
	in   *json.Decoder
	out  *json.Encoder
}

// Control connects to the control socket; the connection is closed when the test ends. If that fails, so does the test.
func (o *OVS) Control() *Control {
	o.t.Helper()
	conn, err := net.Dial("unix", o.path("vswitchd.ctl"))
	if err != nil {
		o.t.Fatalf("connect to ovs-vswitchd's control socket: %v", err)
	}
	o.t.Cleanup(func() { conn.Close() })
	return &Control{conn: conn, in: json.NewDecoder(conn), out: json.NewEncoder(conn)}
}

// Call runs a command and gives what ovs-appctl would print.
func (c *Control) Call(command string, args ...string) (string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
		return "", err
	}
	if args == nil {
		args = []string{}
	}
	// JSON-RPC 1.0, with the output as result (ovs-appctl(8), "Protocol" of unixctl).
	if err := c.out.Encode(map[string]any{"id": 0, "method": command, "params": args}); err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	var reply struct {
		Result string `json:"result"`
		Error  string `json:"error"`
	}
	if err := c.in.Decode(&reply); err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	if reply.Error != "" {
		return "", fmt.Errorf("%s %q: %s", command, args, reply.Error)
	}
	return reply.Result, nil
}
