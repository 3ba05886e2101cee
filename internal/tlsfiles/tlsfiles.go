// Package tlsfiles makes TLS configurations from certificate files and reads
// the files again when they change, so that certificates are rotated by
// replacing files, without a restart and without closing a connection.
//
// Files are looked at when a handshake begins, never in the background. If new
// files cannot be read, do not parse, or do not belong together (a rotation
// caught half way), the handshake uses the last good ones and the next
// handshake looks again.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files names the PEM files of one end of TLS connections.
type Files struct {
	Cert string // certificate chain, leaf first
	Key  string // private key of the leaf
	CA   string // certificates that peers must chain to

	// Name is the DNS name or IP address that a server's certificate must
	// hold; only clients use it. When it is empty any certificate of CA is
	// accepted, which is how Open vSwitch and its ovs-pki work: the names in
	// their certificates are no host names.
	Name string

	// Failed, if set, is told why changed files could not be used. It is
	// called by the handshake that saw it and must not block.
	Failed func(error)
}

// Server returns a configuration that accepts TLS connections with the given
// certificate. With a clientCA every client must show a certificate of it;
// with an empty one clients show none. It fails if the files are not usable now.
func Server(cert, key, clientCA string) (*tls.Config, error) {
	return Files{Cert: cert, Key: key, CA: clientCA}.Server()
}

// Client returns a configuration that dials TLS servers whose certificate
// chains to ca and shows them the given certificate. Cert and key may both be
// empty: then no certificate is shown. See [Files.Name] for the server's name.
func Client(cert, key, ca string) (*tls.Config, error) {
	return Files{Cert: cert, Key: key, CA: ca}.Client()
}

// Server is the function [Server] with all options.
func (f Files) Server() (*tls.Config, error) {
	if f.Cert == "" {
		return nil, errors.New("TLS server: no certificate file given")
	}
	l := &loader{files: f}
	if err := l.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Some callers look for a certificate source before they serve.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return l.current().cert, nil
		},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return l.current().server, nil
		},
	}, nil
}

// Client is the function [Client] with all options.
func (f Files) Client() (*tls.Config, error) {
	if f.CA == "" {
		return nil, errors.New("TLS client: no CA file given")
	}
	l := &loader{files: f}
	if err := l.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c := l.current().cert; c != nil {
				return c, nil
			}
			return &tls.Certificate{}, nil
		},
		// The roots of a tls.Config cannot change, so the chain is verified
		// below instead, against the roots of now. VerifyConnection runs for
		// resumed connections too.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			opts := x509.VerifyOptions{
				Roots:         l.current().pool,
				DNSName:       f.Name,
				Intermediates: x509.NewCertPool(),
			}
			for _, c := range cs.PeerCertificates[1:] {
				opts.Intermediates.AddCert(c)
			}
			_, err := cs.PeerCertificates[0].Verify(opts)
			return err
		},
	}, nil
}

// state is what the files held when they were last good; it is never changed.
type state struct {
	stamps [3]stamp
	cert   *tls.Certificate // nil without certificate files
	pool   *x509.CertPool   // nil without a CA file
	server *tls.Config
}

// stamp tells whether a file has changed. The size helps where two writes fall
// into one tick of the file system's clock.
type stamp struct {
	modified time.Time
	size     int64
}

type loader struct {
	files Files
	mu    sync.Mutex
	last  *state
	tried [3]stamp // of the last attempt, so that a failure is told once
}

// current returns the newest usable state.
func (l *loader) current() *state {
	l.mu.Lock()
	defer l.mu.Unlock()
	stamps, err := l.stamps()
	if err == nil && stamps == l.last.stamps {
		return l.last
	}
	if err == nil {
		err = l.loadLocked()
	}
	if err != nil && stamps != l.tried && l.files.Failed != nil {
		l.files.Failed(err)
	}
	l.tried = stamps
	return l.last
}

func (l *loader) load() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loadLocked()
}

// loadLocked reads all files and replaces the state if they are good together.
// The stamps are taken before the contents: a file that changes in between is
// seen as changed by the next handshake.
func (l *loader) loadLocked() error {
	stamps, err := l.stamps()
	if err != nil {
		return err
	}
	s := &state{stamps: stamps}
	if l.files.Cert != "" || l.files.Key != "" {
		c, err := tls.LoadX509KeyPair(l.files.Cert, l.files.Key)
		if err != nil {
			return fmt.Errorf("loading certificate %s with key %s: %w", l.files.Cert, l.files.Key, err)
		}
		s.cert = &c
	}
	if l.files.CA != "" {
		pem, err := os.ReadFile(l.files.CA)
		if err != nil {
			return fmt.Errorf("loading CA: %w", err)
		}
		s.pool = x509.NewCertPool()
		if !s.pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("loading CA %s: no certificate in it", l.files.CA)
		}
	}
	if s.cert != nil {
		// No session tickets: a resumed session would not see a changed CA,
		// and control connections are too few and too long for it to matter.
		s.server = &tls.Config{
			MinVersion:             tls.VersionTLS12,
			Certificates:           []tls.Certificate{*s.cert},
			SessionTicketsDisabled: true,
		}
		if s.pool != nil {
			s.server.ClientCAs = s.pool
			s.server.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	l.last = s
	return nil
}

func (l *loader) stamps() (out [3]stamp, err error) {
	for i, name := range []string{l.files.Cert, l.files.Key, l.files.CA} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return out, fmt.Errorf("looking for TLS files: %w", err)
		}
		out[i] = stamp{info.ModTime(), info.Size()}
	}
	return out, nil
}
