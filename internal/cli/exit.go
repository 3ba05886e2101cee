package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/heddle-sdn/heddle/internal/cli/client"
)

// The exit codes of commands. docs/cli.md lists them.
const (
	exitNo          = 1   // done, and the answer is no: differences, dropped, a check failed, a condition not met
	exitUsage       = 2   // the command line, or a file it names, makes no sense
	exitRefused     = 3   // the server refused, because of what was asked
	exitNotFound    = 4   // there is no such thing
	exitForbidden   = 5   // no valid token, or not allowed
	exitUnreachable = 6   // the server did not answer, or failed
	exitUnknown     = 7   // it cannot be told
	exitInterrupted = 130 // stopped by the user, as shells have it
)

// exitCodes says what each code means, for docs/cli.md.
var exitCodes = []struct {
	code int
	says string
}{
	{0, "done, and the answer is yes: delivered, no differences, all checks good, condition met"},
	{exitNo, "done, and the answer is no: dropped, differences, a check failed, condition not met in time. Of `server`, `agent`, `restore` and `lab`: failed"},
	{exitUsage, "the command line, or a file that it names, makes no sense"},
	{exitRefused, "the server refused what was asked: a conflict, no address left, a plan whose state moved on"},
	{exitNotFound, "there is no such thing, or it is another project's"},
	{exitForbidden, "there is no valid token, or it may not do this"},
	{exitUnreachable, "the server did not answer, or failed"},
	{exitUnknown, "it cannot be told: a packet's way leads to what is not known"},
	{exitInterrupted, "interrupted"},
}

// failure is an error with an exit code. Without a cause nothing is to be said: the output said it.
type failure struct {
	code int
	err  error
}

// Error returns what there is to say, which may be nothing.
func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// no is the answer no, which the output has told.
var no = &failure{code: exitNo}

// Usage marks an error as one of the command line.
func Usage(err error) error { return &failure{exitUsage, err} }

func usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

func notFoundf(format string, args ...any) error {
	return &failure{exitNotFound, fmt.Errorf(format, args...)}
}

// ExitCode returns the code that a program ends with after an error of a command, and what it has to say:
// nothing if the command has said it.
func ExitCode(err error) (code int, says string) {
	var f *failure
	var gone *client.Unreachable
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &f):
		return f.code, err.Error()
	case errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	case errors.As(err, &gone), client.HasCode(err, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout):
		return exitUnreachable, err.Error()
	case client.HasCode(err, http.StatusUnauthorized, http.StatusForbidden):
		return exitForbidden, err.Error()
	case client.IsNotFound(err):
		return exitNotFound, err.Error()
	}
	var refused *client.Error
	if errors.As(err, &refused) {
		return exitRefused, err.Error()
	}
	return exitNo, err.Error()
}
