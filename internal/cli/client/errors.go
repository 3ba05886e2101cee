package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is a request that the server refused.
type Error struct {
	Method, Path string
	Code         int    // status code
	Reason       string // for programs: /v1's reason, or the type of a NeutronError
	Message      string // for people
	Request      string // id of the request, under which the server's log has more
}

// Error returns the message of the server and, if the fault is the server's, what to look for in its log.
func (e *Error) Error() string {
	if e.Code >= http.StatusInternalServerError && e.Request != "" {
		return fmt.Sprintf("%s (%d, request %s)", e.Message, e.Code, e.Request)
	}
	return e.Message
}

// Unreachable is a request without an answer.
type Unreachable struct {
	Server string
	Err    error
}

// Error says which server did not answer, and what to look at.
func (e *Unreachable) Error() string {
	return fmt.Sprintf("server %s cannot be reached: %v: is heddle server running there? --server or HEDDLE_SERVER says where it is", e.Server, e.Err)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// IsNotFound reports whether the server said that there is no such thing, or nothing that the sender may
// know of.
func IsNotFound(err error) bool { return HasCode(err, http.StatusNotFound) }

// HasCode reports whether the server refused with one of these status codes.
func HasCode(err error, codes ...int) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// refusal reads the body of a failure. There are three forms: /v1's and Keystone's {"error": {…}}, and
// Neutron's {"NeutronError": {…}}.
func refusal(method, path string, answer *http.Response, text []byte) *Error {
	e := &Error{Method: method, Path: path, Code: answer.StatusCode, Request: answer.Header.Get("X-Openstack-Request-Id")}
	var body struct {
		Error *struct {
			Reason, Title, Message string
		}
		NeutronError *struct {
			Type, Message, Detail string
		}
	}
	if err := json.Unmarshal(text, &body); err == nil {
		switch {
		case body.Error != nil:
			e.Reason, e.Message = body.Error.Reason, body.Error.Message
		case body.NeutronError != nil:
			e.Reason, e.Message = body.NeutronError.Type, body.NeutronError.Message
		}
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("%s %s: %s: %.200s", method, path, answer.Status, text))
	}
	if e.Code == http.StatusUnauthorized {
		e.Message += " --token-file or HEDDLE_TOKEN give a token."
	}
	return e
}
