package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// rpcMessage is a JSON-RPC 1.0 message as OVSDB (RFC 7047 §4) and the control sockets of Open
// vSwitch's daemons speak it: a request has a method, a response has none.
type rpcMessage struct {
	Method string          `json:"method,omitempty"`
	Params any             `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  any             `json:"error"`
	ID     any             `json:"id"`
}

// call sends one request to a unix socket and returns the result.
func call(ctx context.Context, socket, method string, params any) (json.RawMessage, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	enc, dec := json.NewEncoder(conn), json.NewDecoder(conn)
	if err := enc.Encode(rpcMessage{Method: method, Params: params, ID: 0}); err != nil {
		return nil, err
	}
	for {
		var m rpcMessage
		if err := dec.Decode(&m); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, fmt.Errorf("answer to %s: %w", method, err)
		}
		switch {
		case m.Method == "echo": // the server asks whether we still wait
			if err := enc.Encode(map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return nil, err
			}
		case m.Method != "": // a notification nobody asked for
		case m.Error != nil:
			return nil, fmt.Errorf("%s: %v", method, m.Error)
		default:
			return m.Result, nil
		}
	}
}
