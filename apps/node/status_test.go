package node

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// late is a controller that does not know the host for a while.
type late struct {
	Source
	from     time.Time // when it knows it
	accepted time.Time // when it took the first report
}

func (l *late) Report(context.Context, spec.NodeStatus) error {
	if time.Now().Before(l.from) {
		return errors.New("host is not known")
	}
	if l.accepted.IsZero() {
		l.accepted = time.Now()
	}
	return nil
}

func TestWhatCouldNotBeReportedIsReportedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logrus.New()
		log.SetOutput(io.Discard)
		start := time.Now()
		source := &late{from: start.Add(500 * time.Millisecond)}
		r := &Runner{cfg: Config{Source: source, Log: logrus.NewEntry(log), Heartbeat: 5 * time.Second}, report: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.reports(ctx) }()
		time.Sleep(20 * time.Second)
		cancel()
		<-done
		if took := source.accepted.Sub(source.from); source.accepted.IsZero() || took > time.Second {
			t.Errorf("accepted %v after the controller knew the host", took)
		}
	})
}
