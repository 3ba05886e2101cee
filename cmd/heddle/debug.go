package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"
)

// serveDebug serves Go's profiles on a unix socket, which only the server's user may open, until ctx
// ends:
//
//	curl --unix-socket PATH -o cpu.pprof 'http://heddle/debug/pprof/profile?seconds=10'
func serveDebug(ctx context.Context, path string) error {
	// A server that was killed leaves its socket behind.
	if f, err := os.Lstat(path); err == nil && f.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("--debug-socket: %w", err)
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("--debug-socket: %w", err)
	}
	defer ln.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("--debug-socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); err != nil && ctx.Err() == nil {
		return fmt.Errorf("--debug-socket: %w", err)
	}
	return ctx.Err()
}
