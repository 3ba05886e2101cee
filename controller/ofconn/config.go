package ofconn

import (
	"crypto/tls"
	"io"
	"time"

	"github.com/sirupsen/logrus"
)

// Config is what all sessions of a [Listener] or a [Dialer] have in common.
// The zero value of every field is usable; durations and limits that are zero
// get the default named at the field.
type Config struct {
	// Log receives one line when a session begins and ends, and one for each
	// thing a switch does wrong. Nothing is logged if it is nil.
	Log *logrus.Entry
	// TLS, if set, is used on every connection: as server on accepted ones and
	// as client on dialled ones. See package tlsfiles for reloading files.
	TLS *tls.Config
	// Handler receives the events of all sessions. May be nil.
	Handler Handler
	// Metrics is told what happens on connections. May be nil.
	Metrics Metrics

	// EchoInterval is how long a connection may be quiet before we ask with an
	// ECHO_REQUEST whether the switch is there. Default 5 s.
	EchoInterval time.Duration
	// DeadAfter is how long a connection may be quiet before it is closed.
	// Anything received counts, and so does a switch that keeps taking a
	// large change off our hands. Default 15 s.
	DeadAfter time.Duration
	// AnswerTimeout is how long a switch that is alive may leave a request
	// without an answer, or without the next part of it, before the session is
	// closed: whatever keeps it, a new connection is worth a try. Default 60 s.
	AnswerTimeout time.Duration
	// HandshakeTimeout limits the time from S0 to S5. Default 10 s.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long one write of at most 64 KiB may block before
	// the connection is closed. Default 15 s.
	WriteTimeout time.Duration
	// MaxConns limits the connections a Listener holds at a time; more are
	// closed at once. Default 10000.
	MaxConns int
	// MaxReply limits the bytes of one multipart reply, all parts together; a
	// switch that sends more loses its session. Default 256 MiB, which is about
	// two million flows.
	MaxReply int
	// MissSendLen is how many bytes of a packet the switch sends us in a
	// PACKET_IN for a table miss (OpenFlow 1.3.5 §7.3.2). Default 0xffff, all.
	MissSendLen uint16
}

// Metrics is told what happens on connections. Its methods are called often
// and from many goroutines; they must be quick.
type Metrics interface {
	// Received counts one message of n bytes from a switch.
	Received(n int)
	// Sent counts n bytes written to a switch.
	Sent(n int)
	// Opened and Closed count sessions that reached S5 and ended.
	Opened()
	Closed()
	// Rejected counts connections that ended before S5.
	Rejected()
}

// withDefaults returns a copy with every zero replaced.
func (c Config) withDefaults() Config {
	if c.Log == nil {
		l := logrus.New()
		l.SetOutput(io.Discard)
		c.Log = logrus.NewEntry(l)
	}
	if c.Handler == nil {
		c.Handler = noEvents{}
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	orDuration(&c.EchoInterval, 5*time.Second)
	orDuration(&c.DeadAfter, 15*time.Second)
	orDuration(&c.AnswerTimeout, time.Minute)
	orDuration(&c.HandshakeTimeout, 10*time.Second)
	orDuration(&c.WriteTimeout, 15*time.Second)
	if c.MaxConns <= 0 {
		c.MaxConns = 10000
	}
	if c.MaxReply <= 0 {
		c.MaxReply = 256 << 20
	}
	if c.MissSendLen == 0 {
		c.MissSendLen = 0xffff
	}
	return c
}

func orDuration(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

type noMetrics struct{}

func (noMetrics) Received(int) {}
func (noMetrics) Sent(int)     {}
func (noMetrics) Opened()      {}
func (noMetrics) Closed()      {}
func (noMetrics) Rejected()    {}
