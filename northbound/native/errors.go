package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// apiError is the body of every failure, under "error".
type apiError struct {
	Code   int    `json:"code"`    // the status code
	Reason string `json:"reason"`  // for programs
	Msg    string `json:"message"` // for people
}

// Error returns the message for people.
func (e *apiError) Error() string { return e.Msg }

// badRequest refuses a request that makes no sense by itself.
func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &apiError{http.StatusNotFound, "NotFound", fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &apiError{http.StatusConflict, "Conflict", fmt.Sprintf(format, args...)}
}

var (
	errInternal    = &apiError{http.StatusInternalServerError, "Internal", "internal error; the log has more under this request's id"}
	errUnavailable = &apiError{http.StatusServiceUnavailable, "Unavailable", "the request was given up before it was done; nothing was changed"}
	errClosed      = &apiError{http.StatusServiceUnavailable, "Unavailable", "the server is shutting down; nothing was changed"}
	errNotAdmin    = &apiError{http.StatusForbidden, "Forbidden",
		"this shows more than one project, so it takes the admin role; /v1/objects/{kind} and /v1/topology show your project's"}
	errTooLarge = &apiError{http.StatusRequestEntityTooLarge, "TooLarge", fmt.Sprintf("the body is longer than %d bytes", maxBody)}
)

// statusOf gives the status code and name of each reason that a model operation can fail for.
var statusOf = map[model.Reason]struct {
	code   int
	reason string
}{
	model.Invalid:      {http.StatusBadRequest, "BadRequest"},
	model.NotFound:     {http.StatusNotFound, "NotFound"},
	model.Conflict:     {http.StatusConflict, "Conflict"},
	model.InUse:        {http.StatusConflict, "InUse"},
	model.Exhausted:    {http.StatusConflict, "Exhausted"},
	model.Forbidden:    {http.StatusForbidden, "Forbidden"},
	model.Precondition: {http.StatusPreconditionFailed, "Precondition"},
}

// describe turns any error into an answer. Errors that were not made for the user are answered with
// 500 and nothing of what they say; ours reports those.
func describe(err error) (answer *apiError, ours bool) {
	var refused *model.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge, false
	case errors.As(err, &answer):
		return answer, answer.Code >= http.StatusInternalServerError
	case errors.As(err, &refused):
		if s, ok := statusOf[refused.Reason]; ok {
			return &apiError{s.code, s.reason, refused.Msg}, false
		}
	case errors.Is(err, store.ErrClosed):
		return errClosed, false
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errUnavailable, false
	}
	return errInternal, true
}

func writeError(w http.ResponseWriter, e *apiError) {
	b, err := json.Marshal(map[string]*apiError{"error": e})
	if err != nil {
		panic(err) // two strings and a number always encode
	}
	jsonHeader(w)
	w.WriteHeader(e.Code)
	_, _ = w.Write(append(b, '\n')) // a client that has gone away needs no answer
}
