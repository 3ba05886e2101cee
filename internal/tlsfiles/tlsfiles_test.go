package tlsfiles_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/internal/tlsfiles"
	"github.com/heddle-sdn/heddle/internal/tlstest"
)

// handshake connects client to server once and returns the serial number the
// client saw, or the error of either end.
func handshake(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	b, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	_ = a.SetDeadline(deadline)
	_ = b.SetDeadline(deadline)
	s, c := tls.Server(a, server), tls.Client(b, client)
	serverErr := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte{1})
		}
		_ = a.Close()
		serverErr <- err
	}()
	err = c.Handshake()
	if err == nil {
		// In TLS 1.3 the client learns only here that its certificate was refused.
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	_ = b.Close()
	if err = errors.Join(err, <-serverErr); err != nil {
		return "", err
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestHandshakeUsesFilesOfNow(t *testing.T) {
	ours, theirs := tlstest.NewCA(t, "ours"), tlstest.NewCA(t, "theirs")
	sdir, cdir := t.TempDir(), t.TempDir()
	sfiles, cfiles := ours.Write(t, sdir, "server-1"), ours.Write(t, cdir, "client-1")
	var failed []error
	f := tlsfiles.Files{Cert: sfiles.Cert, Key: sfiles.Key, CA: sfiles.CA, Failed: func(err error) { failed = append(failed, err) }}
	server, err := f.Server()
	if err != nil {
		t.Fatal(err)
	}
	client, err := tlsfiles.Client(cfiles.Cert, cfiles.Key, cfiles.CA)
	if err != nil {
		t.Fatal(err)
	}

	expect := func(what, want string) {
		t.Helper()
		got, err := handshake(t, server, client)
		if want == "" && err == nil {
			t.Fatalf("%s: handshake passed, want a refusal", what)
		}
		if want != "" && (err != nil || got != want) {
			t.Fatalf("%s: got %q, %v; want %q", what, got, err, want)
		}
	}
	expect("first files", "server-1")
	ours.Write(t, sdir, "server-2")
	expect("server certificate replaced", "server-2")
	theirs.Write(t, cdir, "client-2")
	expect("client moved to another CA, server did not", "")
	theirs.Write(t, sdir, "server-3")
	expect("server followed", "server-3")

	if err := os.WriteFile(sfiles.Key, []byte("half a ke"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("key caught half written", "server-3")
	expect("and again", "server-3")
	if len(failed) != 1 {
		t.Errorf("one broken change told %d times: %v", len(failed), failed)
	}
	theirs.Write(t, sdir, "server-4")
	expect("rotation finished", "server-4")
	if err := os.Remove(sfiles.CA); err != nil {
		t.Fatal(err)
	}
	expect("CA file gone", "server-4")
}

func TestClientWithoutCertificateIsRefusedWhenServerHasCA(t *testing.T) {
	ca := tlstest.NewCA(t, "ca")
	f := ca.Write(t, t.TempDir(), "server")
	server, err := tlsfiles.Server(f.Cert, f.Key, f.CA)
	if err != nil {
		t.Fatal(err)
	}
	open, err := tlsfiles.Server(f.Cert, f.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := tlsfiles.Client("", "", f.CA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server, client); err == nil {
		t.Error("server with a client CA accepted a client without certificate")
	}
	if _, err := handshake(t, open, client); err != nil {
		t.Errorf("server without a client CA: %v", err)
	}
}

func TestClientChecksNameOnlyWhenAsked(t *testing.T) {
	ca := tlstest.NewCA(t, "ca")
	f := ca.Write(t, t.TempDir(), "server") // holds 127.0.0.1 and localhost
	server, err := tlsfiles.Server(f.Cert, f.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{"": true, "localhost": true, "127.0.0.1": true, "10.0.0.1": false, "example.com": false} {
		client, err := tlsfiles.Files{CA: f.CA, Name: name}.Client()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handshake(t, server, client); (err == nil) != ok {
			t.Errorf("name %q: %v, want ok=%v", name, err, ok)
		}
	}
}

func TestUnusableFilesAreRefusedAtStart(t *testing.T) {
	dir := t.TempDir()
	f := tlstest.NewCA(t, "ca").Write(t, dir, "server")
	junk := filepath.Join(dir, "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]tlsfiles.Files{
		"missing certificate": {Cert: filepath.Join(dir, "none"), Key: f.Key, CA: f.CA},
		"key is junk":         {Cert: f.Cert, Key: junk, CA: f.CA},
		"CA is junk":          {Cert: f.Cert, Key: f.Key, CA: junk},
		"no certificate":      {CA: junk},
	} {
		if _, err := files.Server(); err == nil {
			t.Errorf("%s: server accepted", name)
		}
		if _, err := files.Client(); err == nil {
			t.Errorf("%s: client accepted", name)
		}
	}
	if _, err := tlsfiles.Client(f.Cert, f.Key, ""); err == nil {
		t.Error("client without CA accepted")
	}
}
