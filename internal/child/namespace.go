package child

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// InNamespace calls fn on a thread that is in the network namespace at path, and returns its error. The
// thread is not used for anything else: it ends with the call, so no other goroutine ever runs in the
// namespace. Processes and sockets that fn makes stay there. What fn starts must not be bound to the
// life of its thread (Pdeathsig).
func InNamespace(path string, fn func() error) error {
	ns, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer ns.Close()
	done := make(chan error, 1)
	go enter(ns, fn, done)
	return <-done
}

func enter(ns *os.File, fn func() error, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread does not end with its goroutine, and /proc/self is what it is: it must not
		// enter. While it is held here, the next goroutine runs on another thread.
		inner := make(chan error, 1)
		go enter(ns, fn, inner)
		err := <-inner
		runtime.UnlockOSThread()
		done <- err
		return
	}
	// Not unlocked: the runtime ends a locked thread together with its goroutine.
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		done <- fmt.Errorf("enter network namespace %s: %w", ns.Name(), err)
		return
	}
	done <- fn()
}
