package netns

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// enter runs fn on a thread of its own inside the network namespace that the open file ns stands for.
// The thread ends with fn. Sockets that fn opens belong to the namespace for good and may be used from
// anywhere; goroutines that fn starts run outside.
func enter(ns int, fn func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// onOwnThread runs fn on a thread that nothing else has run on since it was locked, and that ends when
// fn returns: fn may leave it in any namespace.
func onOwnThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread of a process never ends, and /proc/self shows its namespace as that of the
			// process. While this goroutine holds it, the next one gets another.
			defer runtime.UnlockOSThread()
			done <- onOwnThread(fn)
			return
		}
		// Not unlocked: the runtime ends the thread of a goroutine that ends locked.
		done <- fn()
	}()
	return <-done
}
