package ovsdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

func TestConnectionsThatAreNoHostsAreClosedAlone(t *testing.T) {
	h := newHost(t)
	target, sessions := listen(t, &Listener{Options: Options{Setup: 300 * time.Millisecond, MaxMessage: 1 << 20}, MaxSetups: 2})
	for name, bytes := range map[string]string{
		"silence":      "",
		"http":         "GET / HTTP/1.1\r\n\r\n",
		"binary":       "\x16\x03\x01\x02\x00\x01\x00",
		"broken_json":  `{"id":1,"result":]}`,
		"no_end":       `{"id":1,"result":"` + strings.Repeat("x", 2<<20),
		"deep":         `{"id":` + strings.Repeat("[", 100),
		"no_such_call": `{"id":77,"result":[],"error":null}`,
		"wrong_types":  `{"id":1,"result":{"a":[]},"error":null}`,
		"half":         `{"id":1,"result":["Open_vS`,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", target)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte(bytes)) // may fail half-way: the other end is right to close
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			for buf := make([]byte, 1024); ; {
				if _, err := c.Read(buf); err != nil {
					var ne net.Error
					if errors.As(err, &ne) && ne.Timeout() {
						t.Error("connection stays open")
					}
					return
				}
			}
		})
	}
	h.vsctl("set-manager", "tcp:"+target)
	receive(t, sessions)
}

func TestMoreThanMaxSessionsAreClosed(t *testing.T) {
	h := newHost(t)
	target, sessions := listen(t, &Listener{MaxSessions: 3})
	h.vsctl("set-manager", "tcp:"+target)
	s := receive(t, sessions)
	var conns []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	open := 0
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		buf := make([]byte, 100) // Heddle speaks first: list_dbs
		if n, _ := c.Read(buf); n > 0 {
			open++
		}
	}
	if open != 2 {
		t.Errorf("%d of 50 connections stay beside one session, want 2", open)
	}
	if s.Err() != nil {
		t.Errorf("the session suffered: %v", s.Err())
	}
}

// scarce is a listener whose first accepts fail as when file descriptors ran out.
type scarce struct {
	net.Listener
	left int
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.left > 0 {
		s.left--
		return nil, fmt.Errorf("accept: too many open files")
	}
	return s.Listener.Accept()
}

func TestHostsWaitForTheirTurnToBeSetUp(t *testing.T) {
	h := newHost(t)
	target, sessions := listen(t, &Listener{MaxSetups: 1, Options: Options{Setup: 200 * time.Millisecond}})
	for range 3 { // each takes the only place for 200 ms
		c, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	h.vsctl("set-manager", "tcp:"+target)
	receive(t, sessions)
}

func TestHostThatKeepsFailingIsComplainedOfOnce(t *testing.T) {
	log, hook := test.NewNullLogger()
	h := newHost(t)
	target, sessions := listen(t, &Listener{Log: logrus.NewEntry(log)})
	for range 5 {
		c, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("GET / HTTP/1.1"))
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		io.Copy(io.Discard, c) // until it is closed
		c.Close()
	}
	h.vsctl("set-manager", "tcp:"+target)
	receive(t, sessions)
	var got []string
	for _, e := range hook.AllEntries() {
		got = append(got, e.Message)
	}
	if want := []string{"connection did not become a session", "connection became a session"}; !slices.Equal(got, want) {
		t.Errorf("log %q", got)
	}
}

func TestServeFailsWhenItsListenerIsClosed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := (&Listener{Listener: ln, Log: quiet()}).Serve(t.Context(), nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestAcceptGoesOnAfterErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &Listener{Listener: &scarce{ln, 5}, Log: quiet()}
	done := make(chan error)
	go func() { done <- l.Serve(ctx, func(context.Context, *Session) {}) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 10)); err != nil {
		t.Errorf("not served: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
