package ovstest

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a daemon in the foreground that dies with us.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process is gone
	err  error         // how it ended; valid once done is closed
}

// start starts cmd with a parent-death signal. The kernel sends that when the thread that started the process ends, so
// the goroutine that starts it keeps its thread until the process is gone.
func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{name: cmd.Path, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// stop kills the process and waits until it is gone.
func (p *process) stop() {
	_ = p.cmd.Process.Kill() // fails only for a process that is gone
	<-p.done
}
