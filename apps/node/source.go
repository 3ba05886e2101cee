package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// Source is the controller, as an agent knows it. [HTTP] is one.
type Source interface {
	// Spec waits until the host's spec has another revision than after, or until it has been waited for
	// long enough: then the error is ErrUnchanged. A zero after is no revision.
	Spec(ctx context.Context, after uint64) (spec.Node, error)
	// Report tells how far the host is.
	Report(ctx context.Context, s spec.NodeStatus) error
}

// ErrUnchanged says that a Source has nothing new.
var ErrUnchanged = errors.New("spec is unchanged")

// How long requests to the controller take, and how much they bring.
const (
	pollTime     = 30 * time.Second // a request for a spec is answered after, at the latest
	answerTime   = 15 * time.Second // of any request beyond the time it may wait
	maxSpecBytes = 256 << 20
	maxSaidBytes = 500
)

// HTTP is the controller at a URL.
type HTTP struct {
	host   string
	base   string
	token  string // file
	client *http.Client
}

// NewHTTP returns the controller at server ("https://192.0.2.1:9696"), for the host of a name. The token
// is read from a file with each request; an empty name is no token. Secure is for https, may be nil, and
// is as package tlsfiles makes it.
func NewHTTP(server, host, tokenFile string, secure *tls.Config) (*HTTP, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL such as https://192.0.2.1:9696", server)
	}
	if host == "" || strings.Contains(host, "/") {
		return nil, fmt.Errorf("%q is no name of a host", host)
	}
	return &HTTP{host: host, base: strings.TrimSuffix(server, "/") + "/node/v1/" + url.PathEscape(host), token: tokenFile,
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: answerTime, IdleConnTimeout: 2 * pollTime, MaxIdleConns: 4}}}, nil
}

// Close closes idle connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Spec asks for the host's spec.
func (h *HTTP) Spec(ctx context.Context, after uint64) (spec.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTime+answerTime)
	defer cancel()
	q := url.Values{"after": {strconv.FormatUint(after, 10)}, "wait": {strconv.Itoa(int(pollTime / time.Second))}}
	var n spec.Node
	status, err := h.do(ctx, http.MethodGet, "/spec?"+q.Encode(), nil, &n)
	switch {
	case err != nil:
		return spec.Node{}, fmt.Errorf("get spec of %s: %w", h.host, err)
	case status == http.StatusNoContent:
		return spec.Node{}, ErrUnchanged
	case n.Host != h.host:
		return spec.Node{}, fmt.Errorf("get spec of %s: the answer is about %q", h.host, n.Host)
	}
	return n, nil
}

// Report sends the host's status.
func (h *HTTP) Report(ctx context.Context, s spec.NodeStatus) error { return h.put(ctx, "status", s) }

// ReportLeases sends the leases of the host's DHCP servers.
func (h *HTTP) ReportLeases(ctx context.Context, leases []spec.Lease) error {
	return h.put(ctx, "leases", map[string][]spec.Lease{"leases": leases})
}

func (h *HTTP) put(ctx context.Context, what string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, err := json.Marshal(v)
	if err == nil {
		_, err = h.do(ctx, http.MethodPut, "/"+what, body, nil)
	}
	if err != nil {
		return fmt.Errorf("report %s of %s: %w", what, h.host, err)
	}
	return nil
}

func (h *HTTP) do(ctx context.Context, method, path string, body []byte, answer any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, h.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if h.token != "" {
		token, err := os.ReadFile(h.token)
		if err != nil {
			return 0, fmt.Errorf("read token: %w", err)
		}
		req.Header.Set("X-Auth-Token", strings.TrimSpace(string(token)))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, maxSaidBytes))
		return resp.StatusCode, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(said)))
	}
	if answer == nil || resp.StatusCode == http.StatusNoContent {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxSaidBytes))
		return resp.StatusCode, err
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxSpecBytes)).Decode(answer); err != nil {
		return resp.StatusCode, fmt.Errorf("read answer: %w", err)
	}
	return resp.StatusCode, nil
}
