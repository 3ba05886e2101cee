package httpd

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/internal/tlsfiles"
	"github.com/heddle-sdn/heddle/internal/tlstest"
)

// client returns a client that trusts the CA and opens a connection for each request, with what its
// server's certificate is named.
func client(t *testing.T, ca string) func(url string) (proto, name, body string) {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return func(url string) (string, string, string) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		answer, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Proto, answer.TLS.PeerCertificates[0].Subject.CommonName, string(body)
	}
}

func TestTLSIsServedAndCertificatesAreReloaded(t *testing.T) {
	dir := t.TempDir()
	ca := tlstest.NewCA(t, "ca")
	files := ca.Write(t, dir, "first")
	secure, err := tlsfiles.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := start(t, says("hello"), secure, time.Second)
	get := client(t, files.CA)
	for _, name := range []string{"first", "second"} {
		ca.Write(t, dir, name)
		if proto, got, body := get("https://" + addr); got != name || body != "hello" || proto != "HTTP/2.0" {
			t.Errorf("%s from %q says %q, want HTTP/2.0 from %q", proto, got, body, name)
		}
	}
}

func TestPlainClientOfATLSServerIsTold(t *testing.T) {
	files := tlstest.NewCA(t, "ca").Write(t, t.TempDir(), "server")
	secure, err := tlsfiles.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := start(t, says("hello"), secure, time.Second)
	answer, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("%d, want 400", answer.StatusCode)
	}
}
