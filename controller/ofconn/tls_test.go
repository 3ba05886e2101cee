package ofconn_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/internal/ovstest"
	"github.com/heddle-sdn/heddle/internal/tlsfiles"
	"github.com/heddle-sdn/heddle/internal/tlstest"
)

// OVS dials us over ssl: with certificates of one CA; then ours is replaced by
// files under the same names, and the CA on both sides too.
func TestOVSDialsOverTLSAndFilesAreReloaded(t *testing.T) {
	o := ovstest.Start(t)
	o.AddBridge("br0")
	first, second := tlstest.NewCA(t, "first"), tlstest.NewCA(t, "second")
	ourDir, theirDir := t.TempDir(), t.TempDir()
	ours, theirs := first.Write(t, ourDir, "heddle"), first.Write(t, theirDir, "br0")
	config, err := tlsfiles.Server(ours.Cert, ours.Key, ours.CA)
	if err != nil {
		t.Fatal(err)
	}
	log, lines := testLog(t)
	addr, sessions := listen(t, ofconn.Config{Log: log, TLS: config})
	o.VSCtl("set-ssl", theirs.Key, theirs.Cert, theirs.CA)
	o.VSCtl("set-controller", "br0", "ssl:"+addr, "--", "set", "controller", "br0", "max_backoff=1000")
	s := receive(t, "session over TLS", sessions)
	if err := s.Commit(testContext(t), ofconn.Change{Add: packed(t, 2000)}); err != nil {
		t.Fatal(err)
	}
	// Only we trust the second CA: the switch is refused, and says so in its log.
	second.Write(t, ourDir, "heddle")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expectLog(t, lines, "switch rejected")
	second.Write(t, theirDir, "br0")
	// OVS reads changed files every few seconds.
	s = receive(t, "session with new certificates", sessions)
	if flows, err := s.Flows(testContext(t), of.TableAll, 0, 0); err != nil || len(flows) != 2000 {
		t.Errorf("%d flows, %v", len(flows), err)
	}
}

// We dial a bridge that listens on pssl:, and both sides check.
func TestWeDialOverTLS(t *testing.T) {
	o := ovstest.Start(t)
	o.AddBridge("br0")
	ca, stranger := tlstest.NewCA(t, "ca"), tlstest.NewCA(t, "stranger")
	theirs := ca.Write(t, t.TempDir(), "br0")
	o.VSCtl("set-ssl", theirs.Key, theirs.Cert, theirs.CA)
	port := freePort(t)
	o.VSCtl("set-controller", "br0", fmt.Sprintf("pssl:%d:127.0.0.1", port))
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for name, c := range map[string]struct {
		files tlstest.Files
		ok    bool
	}{
		"certificate_of_the_ca":     {ca.Write(t, t.TempDir(), "heddle"), true},
		"certificate_of_another_ca": {stranger.Write(t, t.TempDir(), "heddle"), false},
		"bridge_of_an_unknown_ca":   {tlstest.Files{CA: stranger.Write(t, t.TempDir(), "x").CA}, false},
		"no_certificate":            {tlstest.Files{CA: theirs.CA}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := tlsfiles.Client(c.files.Cert, c.files.Key, c.files.CA)
			if err != nil {
				t.Fatal(err)
			}
			log, lines := testLog(t)
			sessions := dial(t, ofconn.Dialer{Addr: addr, Config: ofconn.Config{Log: log, TLS: config}})
			if !c.ok {
				expectLog(t, lines, "switch cannot be reached")
				return
			}
			s := receive(t, "session over TLS", sessions)
			if err := s.Barrier(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Plain text at a TLS listener, and the other way round, is an error in the log.
func TestPlainTextAtTLSListenerIsRejected(t *testing.T) {
	files := tlstest.NewCA(t, "ca").Write(t, t.TempDir(), "heddle")
	config, err := tlsfiles.Server(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	log, lines := testLog(t)
	addr, _ := listen(t, ofconn.Config{Log: log, TLS: config})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte{4, 0, 0, 8, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	expectLog(t, lines, "TLS")
}
