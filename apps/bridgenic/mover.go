package bridgenic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// Host is the machine that the NIC is of.
type Host interface {
	// Read returns how NIC and bridge are now. It is an error if one of them is not there, or if the NIC
	// belongs to something else.
	Read(ctx context.Context, nic, bridge string) (State, error)
	// Do makes one change.
	Do(ctx context.Context, s Step) error
	// Boot identifies the time since the machine was started.
	Boot() (string, error)
}

// Mover moves NICs.
type Mover struct {
	Host Host
	Dir  string // of the journals
	Log  *logrus.Entry

	// Confirm returns nil once the host is reached again. It is asked before the move, once, and after it
	// until Timeout.
	Confirm func(ctx context.Context, s State) error
	Timeout time.Duration
}

// The ways a move can end.
var (
	// ErrUnconfirmed says that nobody was reached after the move, so that it was rolled back.
	ErrUnconfirmed = errors.New("not confirmed in time")
	// ErrNotConfirmable says that nobody was reached before it, so that nothing was done.
	ErrNotConfirmable = errors.New("nothing was changed, as what is to confirm the move is out of reach already")
)

// rounds bounds how often the host is read and changed until it is as wanted: a lease may be renewed
// meanwhile.
const rounds = 4

// restTime bounds rolling back, which does not end with the caller's context.
const restTime = time.Minute

// retryGap is how long a step that failed is left alone when a move is rolled back.
const retryGap = 300 * time.Millisecond

// confirmGap is the time between two questions whether the host is reached.
const confirmGap = 200 * time.Millisecond

// Steps returns what [Mover.Move] would do, or with undo [Mover.Undo].
func (m *Mover) Steps(ctx context.Context, nic, bridge string, undo bool) ([]Step, error) {
	j, err := m.journal(nic).load()
	if err != nil {
		return nil, err
	}
	if j != nil && j.Phase == moving {
		return nil, fmt.Errorf("a move of %s was interrupted: --recover rolls it back", nic)
	}
	have, err := m.Host.Read(ctx, nic, bridge)
	if err != nil {
		return nil, err
	}
	return Plan(have, target(have, j, undo)), nil
}

// target is where a move leads.
func target(have State, j *journal, undo bool) State {
	if !undo {
		return Moved(have)
	}
	return Back(have, j.original(have))
}

// Move gives the bridge what the NIC has. It returns the steps that it took: none if all is so already. If
// it fails, the host is as it was before, or the error says what is left to do.
func (m *Mover) Move(ctx context.Context, nic, bridge string) ([]Step, error) {
	return m.transact(ctx, nic, bridge, false)
}

// Undo gives the NIC what the bridge has, but for what the bridge had before it was moved.
func (m *Mover) Undo(ctx context.Context, nic, bridge string) ([]Step, error) {
	return m.transact(ctx, nic, bridge, true)
}

func (m *Mover) transact(ctx context.Context, nic, bridge string, undo bool) ([]Step, error) {
	unlock, err := lock(m.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	file := m.journal(nic)
	last, err := file.load()
	if err != nil {
		return nil, err
	}
	if last != nil && last.Phase == moving {
		if err := m.restore(ctx, file, last); err != nil {
			return nil, err
		}
		if last, err = file.load(); err != nil {
			return nil, err
		}
	}
	if last != nil && last.Before.Bridge != bridge {
		return nil, fmt.Errorf("%s was moved to bridge %s; undo that first", nic, last.Before.Bridge)
	}
	have, err := m.Host.Read(ctx, nic, bridge)
	if err != nil {
		return nil, err
	}
	if last != nil && !have.Plugged {
		last = nil // somebody else has taken it off
	}
	want := target(have, last, undo)
	if len(Plan(have, want)) == 0 {
		if undo {
			return nil, file.remove()
		}
		return nil, nil
	}
	if err := m.Confirm(ctx, have); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConfirmable, err)
	}
	now := &journal{Phase: moving, Before: have, Original: last.original(have), Moved: last != nil}
	if now.Boot, err = m.Host.Boot(); err != nil {
		return nil, err
	}
	if err := file.save(now); err != nil {
		return nil, err
	}
	taken, err := m.reach(ctx, want)
	if err == nil {
		err = m.await(ctx, want)
	}
	if err != nil {
		return taken, errors.Join(err, m.restore(ctx, file, now))
	}
	if undo {
		return taken, file.remove()
	}
	now.Phase = moved
	return taken, file.save(now)
}

// reach changes the host until it is as wanted, or a step fails.
func (m *Mover) reach(ctx context.Context, want State) (taken []Step, err error) {
	for range rounds {
		have, err := m.Host.Read(ctx, want.NIC, want.Bridge)
		if err != nil {
			return taken, err
		}
		steps := Plan(have, want)
		if len(steps) == 0 {
			return taken, nil
		}
		for _, s := range steps {
			if err := ctx.Err(); err != nil {
				return taken, err
			}
			m.Log.WithField("step", s.String()).Debug("moving")
			if err := m.Host.Do(ctx, s); err != nil {
				return taken, fmt.Errorf("step %q: %w", s, err)
			}
			taken = append(taken, s)
		}
	}
	return taken, fmt.Errorf("%s and %s do not stay as they are made: something else changes them", want.NIC, want.Bridge)
}

// await waits until somebody is reached.
func (m *Mover) await(ctx context.Context, s State) error {
	ctx, cancel := context.WithTimeoutCause(ctx, m.Timeout, ErrUnconfirmed)
	defer cancel()
	tick := time.NewTicker(confirmGap)
	defer tick.Stop()
	for {
		err := m.Confirm(ctx, s)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Recover rolls back the moves that were interrupted, unless one is under way. It returns the NICs. It may be
// called at any time.
func (m *Mover) Recover(ctx context.Context) ([]string, error) {
	// Unless there is something to do, the lock is left to who wants to move something.
	if found, err := m.interrupted(); len(found) == 0 {
		return nil, err
	}
	unlock, err := lock(m.Dir)
	if errors.Is(err, errBusy) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	found, err := m.interrupted()
	var nics []string
	for f, j := range found {
		err = errors.Join(err, m.restore(ctx, f, j))
		nics = append(nics, j.Before.NIC)
	}
	slices.Sort(nics)
	return nics, err
}

// interrupted returns the journals of moves that are under way, or were when their process ended.
func (m *Mover) interrupted() (map[journalFile]*journal, error) {
	files, err := m.journals()
	found := map[journalFile]*journal{}
	for _, f := range files {
		j, failed := f.load()
		if failed == nil && j != nil && j.Phase == moving {
			found[f] = j
		}
		err = errors.Join(err, failed)
	}
	return found, err
}

// restore rolls a move back. It stops at a step that fails and begins anew after a while: the host is reached
// after each step, but not if one is left out.
func (m *Mover) restore(ctx context.Context, file journalFile, j *journal) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restTime)
	defer cancel()
	boot, err := m.Host.Boot()
	if err != nil {
		return err
	}
	log := m.Log.WithFields(logrus.Fields{"nic": j.Before.NIC, "bridge": j.Before.Bridge})
	var left []Step
	var failed error
	for round := range rounds {
		if round > 0 && failed != nil {
			time.Sleep(retryGap)
		}
		have, err := m.Host.Read(ctx, j.Before.NIC, j.Before.Bridge)
		if err != nil {
			return fmt.Errorf("roll back: %w", err)
		}
		want := j.Before
		if boot != j.Boot {
			// The addresses of before are gone, and those that the host was started with count.
			want = Back(have, j.Original)
		}
		if left, failed = Plan(have, want), nil; len(left) == 0 {
			break
		}
		for _, s := range left {
			log.WithField("step", s.String()).Debug("rolling back")
			if err := m.Host.Do(ctx, s); err != nil {
				failed = fmt.Errorf("step %q: %w", s, err)
				break
			}
		}
	}
	if failed != nil {
		return fmt.Errorf("roll back failed, and is tried again by --recover; left to do:\n%s\n%w", Text(left), failed)
	}
	log.Warn("the move was rolled back")
	if j.Moved && boot == j.Boot {
		j.Phase = moved
		return file.save(j)
	}
	return file.remove()
}

// Text is steps as lines.
func Text(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}
