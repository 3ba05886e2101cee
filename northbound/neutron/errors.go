package neutron

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// httpError is a request refused by the API itself, before or without the model.
type httpError struct {
	code int
	kind string // NeutronError.type
	msg  string
}

// Error returns the message for people.
func (e *httpError) Error() string { return e.msg }

// badRequest refuses a request that cannot be understood.
func badRequest(format string, args ...any) error {
	return &httpError{http.StatusBadRequest, "HTTPBadRequest", fmt.Sprintf(format, args...)}
}

// invalidInput is what a converter answers for a value it cannot read; the attribute is not named,
// as in the reference.
func invalidInput(format string, args ...any) error {
	return model.Errorf(model.Invalid, "InvalidInput", "Invalid input for operation: "+format+".", args...)
}

// forbidden refuses a request by policy; action names what was tried: "create_network:shared".
func forbidden(action string) error {
	return model.Errorf(model.Forbidden, "PolicyNotAuthorized", "rule:%s is disallowed by policy", action)
}

var (
	errNotFound = &httpError{http.StatusNotFound, "HTTPNotFound", "The resource could not be found."}
	errMethod   = &httpError{http.StatusMethodNotAllowed, "HTTPMethodNotAllowed",
		"The server could not comply with the request since it is either malformed or otherwise incorrect."}
	errTooLarge = &httpError{http.StatusRequestEntityTooLarge, "HTTPRequestEntityTooLarge",
		"The body of your request was too large for this server."}
	errInternal = &httpError{http.StatusInternalServerError, "HTTPInternalServerError",
		"Request Failed: internal server error while processing your request."}
	errUnavailable = &httpError{http.StatusServiceUnavailable, "ServiceUnavailable",
		"The service is unavailable. Please try again later."}
)

// statusOf gives the status code of each reason that a model operation can fail for.
var statusOf = map[model.Reason]int{
	model.Invalid:      http.StatusBadRequest,
	model.NotFound:     http.StatusNotFound,
	model.Conflict:     http.StatusConflict,
	model.InUse:        http.StatusConflict,
	model.Exhausted:    http.StatusConflict,
	model.Forbidden:    http.StatusForbidden,
	model.Precondition: http.StatusPreconditionFailed,
}

// serverSide names the exhaustions that are nobody's fault but the operator's: the reference answers
// them with 503.
var serverSide = map[string]bool{"NoNetworkAvailable": true, "NetworkMacAddressGenerationFailure": true}

// neutronError is the body of every failure.
type neutronError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Detail  string `json:"detail"`
}

// describe turns any error into a status code and a body. Errors that were not made for the user are
// answered with 500 and nothing of what they say; internal reports those.
func describe(err error) (code int, body neutronError, internal bool) {
	var h *httpError
	var m *model.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		h = errTooLarge
	case errors.As(err, &h):
	case errors.As(err, &m):
		code = statusOf[m.Reason]
		if m.Reason == model.Exhausted && serverSide[m.Kind] {
			code = http.StatusServiceUnavailable
		}
		if code != 0 {
			return code, neutronError{m.Kind, m.Msg, blockers(m)}, false
		}
		h, internal = errInternal, true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, store.ErrClosed):
		h = errUnavailable
	case errors.Is(err, store.ErrUncertain):
		h, internal = errUnavailable, true
	default:
		h, internal = errInternal, true
	}
	return h.code, neutronError{h.kind, h.msg, ""}, internal
}

// blockers is the detail of an error: what stands in the way, as JSON for programs.
func blockers(e *model.Error) string {
	if len(e.Blockers) == 0 {
		return ""
	}
	b, err := json.Marshal(map[string][]string{"blockers": e.Blockers})
	if err != nil {
		return "" // strings always encode
	}
	return string(b)
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, code int, body neutronError) {
	b, err := json.Marshal(map[string]neutronError{"NeutronError": body})
	if err != nil {
		panic(err) // three strings always encode
	}
	writeJSON(w, code, b)
}

// Refuse answers a request that is not let through to its handler.
func Refuse(w http.ResponseWriter, code int, reason, message string) {
	writeError(w, code, neutronError{Type: reason, Message: message})
}

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that has gone away needs no answer
}
