// Package client speaks with the REST APIs of a Heddle server, /v2.0 and /v1, and with any other server of
// the Networking API as far as it has them.
package client

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
	"strings"
	"time"
)

// Config says where a server is and who asks.
type Config struct {
	// Server is the URL of the server; a path /v2.0 at its end, as OpenStack's variables have it, is left out.
	Server string
	// Token is sent as X-Auth-Token unless it is empty.
	Token string
	// TLS is how an https server is trusted; nil is as the system has it.
	TLS *tls.Config
	// Timeout bounds every request but streams; default 30 s.
	Timeout time.Duration
	// Agent is the User-Agent.
	Agent string
}

// Client sends requests to one server. Its methods may be called from any goroutine.
type Client struct {
	config Config
	base   *url.URL
	http   *http.Client
}

// New returns a client, or what is wrong with the address of the server.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.Server)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", c.Server, err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("server %q is not a URL such as http://127.0.0.1:9696", c.Server)
	}
	base.Path = strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(base.Path, "/"), "/v2.0"), "/")
	base.RawQuery, base.Fragment = "", ""
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	transport := &http.Transport{TLSClientConfig: c.TLS, Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 8, ForceAttemptHTTP2: true}
	return &Client{config: c, base: base, http: &http.Client{Transport: transport}}, nil
}

// Server is the address requests are sent to.
func (c *Client) Server() string { return c.base.String() }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get reads a resource into a value; nil asks only whether it is there. The path is escaped already.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	return c.Do(ctx, http.MethodGet, path, query, nil, into)
}

// Do sends a request with a JSON body, unless that is nil, and reads the answer into a value, unless that is
// nil. Numbers that are read into an interface are [json.Number]. Its error is a [*Error] if the server
// refused, and an [*Unreachable] if there was no answer.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := c.send(ctx, method, path, query, body, "application/json")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return c.unreachable(ctx, fmt.Errorf("read the answer: %w", err))
	}
	if into == nil || len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return &Error{Method: method, Path: path, Code: answer.StatusCode, Reason: "NotJSON",
			Message: fmt.Sprintf("the answer of %s is not what Heddle answers: %v", c.base.JoinPath(path), err)}
	}
	return nil
}

// Text reads a resource that is not JSON: metrics, or the checks of /readyz. It returns what the server
// says whatever the status code is.
func (c *Client) Text(ctx context.Context, path string, query url.Values) (text []byte, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := c.roundTrip(ctx, http.MethodGet, path, query, nil, "*/*")
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil {
		return nil, 0, c.unreachable(ctx, fmt.Errorf("read the answer: %w", err))
	}
	return text, answer.StatusCode, nil
}

// send is roundTrip that takes a refusal as an error.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any, accept string) (*http.Response, error) {
	answer, err := c.roundTrip(ctx, method, path, query, body, accept)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what was read of an error is better than nothing
	return nil, refusal(method, path, answer, text)
}

func (c *Client) roundTrip(ctx context.Context, method, path string, query url.Values, body any, accept string) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		in = bytes.NewReader(b)
	}
	u := *c.base
	u.RawPath = u.EscapedPath() + path
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	u.Path += plain
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), in)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Header.Set("Accept", accept)
	if c.config.Agent != "" {
		r.Header.Set("User-Agent", c.config.Agent)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.config.Token != "" {
		r.Header.Set("X-Auth-Token", c.config.Token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return answer, nil
}

// unreachable says that there was no answer. That the user gave up is not the server's doing.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // its text repeats method and address
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", c.config.Timeout)
	}
	return &Unreachable{Server: c.Server(), Err: err}
}

// Time asks a server for its time, in whole seconds; zero if it does not say.
func (c *Client) Time(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := c.roundTrip(ctx, http.MethodGet, "/livez", nil, nil, "*/*")
	if err != nil {
		return time.Time{}, err
	}
	defer answer.Body.Close()
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil
	}
	return at, nil
}

// Token is what is shown to the server, empty for nothing.
func (c *Client) Token() string { return c.config.Token }
