package chatserver

import (
	"errors"
	"net/http"

	"starling/chatserver/store"
	"starling/ozeki"
)

// refusal is an answer other than OK. code is for programs, words are for people and say what to do. A refusal of the API
// comes with HTTP status 200, as published; one that concerns the transport has its own status.
type refusal struct {
	code  string
	http  int
	words string
}

func (r *refusal) Error() string { return r.code + ": " + r.words }

// Is makes a refusal with its own words (see saying) the same sentinel.
func (r *refusal) Is(target error) bool {
	t, ok := target.(*refusal)
	return ok && t.code == r.code && t.http == r.http
}

// saying returns the refusal with other words.
func (r *refusal) saying(words string) *refusal { return &refusal{r.code, r.http, words} }

// The refusals of this server, with their words where a handler has no better ones.
var (
	errSignature = &refusal{ozeki.CodeSignature, http.StatusOK, "The request is not signed by the user of this installation. Sign in again."}
	errClock     = &refusal{ozeki.CodeClock, http.StatusOK, "The request's time differs too much from the server's. Set this device's clock and try again."}
	errReplayed  = &refusal{ozeki.CodeReplayed, http.StatusOK, "The request was sent before. Make a new request and sign it anew."}
	errLogin     = &refusal{ozeki.CodeLogin, http.StatusOK, "The email address or the password is not right. Check both, or create an account."}
	errExists    = &refusal{ozeki.CodeExists, http.StatusOK, "It exists already with other content. Choose another id."}
	errNotFound  = &refusal{ozeki.CodeNotFound, http.StatusOK, "It is not there, or you are not a member of it. Load the list again."}
	errConflict  = &refusal{ozeki.CodeConflict, http.StatusOK, "What you want to change has changed meanwhile. Load it again and try once more."}
	errInvalid   = &refusal{ozeki.CodeInvalid, http.StatusOK, "The request is not of the form that the API describes. Correct it and try again."}
	errForbidden = &refusal{ozeki.CodeForbidden, http.StatusOK, "This is not allowed to you. Ask the owner of what you want to change."}
	errBound     = &refusal{ozeki.CodeForbidden, http.StatusOK, "Another account is signed in on this installation. Sign it out first, or clear this site's data."}

	errOrigin   = &refusal{ozeki.CodeForbidden, http.StatusForbidden, "The request comes from a page of another site. Open the chat at its own address; a proxy in front passes the headers Host and X-Forwarded-Proto."}
	errMethod   = &refusal{ozeki.CodeInvalid, http.StatusMethodNotAllowed, "Calls of the API are sent by POST."}
	errType     = &refusal{ozeki.CodeInvalid, http.StatusUnsupportedMediaType, "Calls of the API are sent as application/json."}
	errSize     = &refusal{ozeki.CodeInvalid, http.StatusRequestEntityTooLarge, "The request is larger than 1 MiB. Send less at once."}
	errLimit    = &refusal{ozeki.CodeLimit, http.StatusTooManyRequests, "Too many attempts failed from this address. Wait a minute and try again."}
	errAccounts = &refusal{ozeki.CodeLimit, http.StatusTooManyRequests, "Many accounts were made from this address. Wait some minutes and try again."}

	errUnavailable = &refusal{ozeki.CodeInternal, http.StatusServiceUnavailable, "The server cannot do this at the moment. Try again in a minute."}
	errInternal    = &refusal{ozeki.CodeInternal, http.StatusInternalServerError, "The server has failed to do this. Try again; if it stays so, tell its operator."}
)

// refusalOf says how an error leaves the server. known is false for a fault, which is logged and answered in neutral words.
func refusalOf(err error) (r *refusal, known bool) {
	if errors.As(err, &r) {
		return r, true
	}
	for _, e := range []struct {
		sentinel error
		refusal  *refusal
		known    bool
	}{
		{store.ErrNotFound, errNotFound, true},
		{store.ErrExists, errExists, true},
		{store.ErrBound, errBound, true},
		{store.ErrUnavailable, errUnavailable, false},
	} {
		if errors.Is(err, e.sentinel) {
			return e.refusal, e.known
		}
	}
	return errInternal, false
}

// answer is the common part of a refusal's body.
func (r *refusal) answer() ozeki.Answer {
	return ozeki.Answer{Status: "ERROR", ErrorMessage: r.words, ErrorCode: r.code}
}

// ok is the common part of a success's body.
var ok = ozeki.Answer{Status: ozeki.StatusOK}
