package metadata

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// question is who asks, handed to the forwarder with a request's context under askerKey.
type question struct {
	asker *asker
	from  netip.Addr
	log   *logrus.Entry
}

type askerKey struct{}

// passed are the headers of a question that go on to the endpoint. All others stay behind: what an
// instance says about who it is must not reach a service that would believe it, in whatever spelling.
var passed = []string{"Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "User-Agent",
	"X-Aws-Ec2-Metadata-Token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"}

// Headers of Neutron's metadata agent.
const (
	headerForwarded = "X-Forwarded-For"
	headerInstance  = "X-Instance-ID"
	headerTenant    = "X-Tenant-ID"
	headerSignature = "X-Instance-ID-Signature"
)

// signature is what the endpoint knows that an instance's id comes from us by.
func signature(secret, instance string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(instance))
	return hex.EncodeToString(h.Sum(nil))
}

func newForwarder(c Config) http.Handler {
	var failing atomic.Bool // an instance must not be able to fill the log
	return &httputil.ReverseProxy{
		Transport: c.Transport,
		ErrorLog:  silent(),
		Rewrite: func(r *httputil.ProxyRequest) {
			q, _ := r.In.Context().Value(askerKey{}).(*question)
			r.SetURL(c.Endpoint)
			r.Out.Header = http.Header{}
			for _, name := range passed {
				if v := r.In.Header.Values(name); len(v) > 0 {
					r.Out.Header[http.CanonicalHeaderKey(name)] = v
				}
			}
			if _, ok := r.Out.Header["User-Agent"]; !ok {
				r.Out.Header.Set("User-Agent", "") // or net/http would send its own
			}
			r.Out.Header.Set(headerForwarded, q.from.String())
			r.Out.Header.Set(headerInstance, q.asker.id())
			r.Out.Header.Set(headerTenant, q.asker.Project)
			r.Out.Header.Set(headerSignature, signature(c.Secret, q.asker.id()))
		},
		ModifyResponse: func(*http.Response) error {
			if failing.CompareAndSwap(true, false) {
				c.Log.Info("metadata service answers again")
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			q, _ := r.Context().Value(askerKey{}).(*question)
			var tooLarge *http.MaxBytesError
			var timeout net.Error
			unreached := func(status int, text string) {
				if !failing.Swap(true) {
					q.log.WithError(err).Warn("metadata service is out of reach")
				}
				http.Error(w, text, status)
			}
			switch {
			case errors.As(err, &tooLarge):
				http.Error(w, "413 the question is too long", http.StatusRequestEntityTooLarge)
			case errors.Is(err, context.Canceled):
				// The instance hung up.
			case errors.As(err, &timeout) && timeout.Timeout():
				unreached(http.StatusGatewayTimeout, "504 the metadata service does not answer")
			default:
				unreached(http.StatusBadGateway, "502 the metadata service cannot be reached")
			}
		},
	}
}

// newTransport reaches the endpoint from the agent's own namespace.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   16,
		MaxConnsPerHost:       64,
		DisableCompression:    true,
	}
}
