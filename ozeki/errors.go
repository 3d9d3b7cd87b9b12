package ozeki

import (
	"errors"
	"fmt"
)

// The ways a call fails. Test for them with errors.Is; a *RefusedError carries the server's words.
var (
	// ErrRefused: the server answered with a status other than OK. The error is a *RefusedError.
	ErrRefused = errors.New("refused by the server")
	// ErrSignature: the server did not accept the signature, the station or the user of a signed request. Also an ErrRefused.
	ErrSignature = errors.New("signature refused")
	// ErrClock: the server found the request's timestamp too far from its own clock. Also an ErrRefused.
	ErrClock = errors.New("clock differs too much from the server's")
	// ErrReplayed: the server has seen this request id before, with other content or on a reading call: sign anew. Also an ErrRefused.
	ErrReplayed = errors.New("request was sent before")
	// ErrLogin: the server does not know the api key. Also an ErrRefused.
	ErrLogin = errors.New("sign-in refused")
	// ErrExists: what should be made is there already (a taken e-mail address). Also an ErrRefused.
	ErrExists = errors.New("exists already")
	// ErrNotFound: what the call names is not there, or not for this user. Also an ErrRefused.
	ErrNotFound = errors.New("not found")
	// ErrConflict: what the request was made from has changed meanwhile: load it again and make the request anew. Also an ErrRefused.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnreachable: no answer came (no network, connection cut, time out).
	ErrUnreachable = errors.New("server not reachable")
	// ErrUnavailable: the server, or what stands in front of it, answered that it cannot serve now (HTTP 429, 502, 503, 504).
	ErrUnavailable = errors.New("server not available")
	// ErrNotJSON: the answer is not JSON of the API, e.g. the HTML page of a proxy.
	ErrNotJSON = errors.New("answer is not JSON")
	// ErrPassword: the password does not open the key, or the key was altered, which cannot always be told apart.
	ErrPassword = errors.New("wrong password")
	// ErrUndecryptable: a sealed text or a wrapped key does not open (another key, damaged).
	ErrUndecryptable = errors.New("cannot be decrypted")
)

// errDamagedKey: what should be imported is no key, or its numbers do not belong together.
var errDamagedKey = errors.New("the key is damaged")

// Error codes that the embedded server sends beside errormessage in the field errorcode, an extension of this project.
// A server that sends none is still understood: every status but OK is an ErrRefused.
const (
	CodeSignature = "signature"
	CodeClock     = "clock"
	CodeReplayed  = "replayed"
	CodeLogin     = "login"
	CodeExists    = "exists"
	CodeNotFound  = "notfound"
	CodeConflict  = "conflict"
	CodeInvalid   = "invalid"
	CodeForbidden = "forbidden"
	CodeLimit     = "limit"
	CodeInternal  = "internal"
	CodeFull      = "full" // no room for a file
)

var codeErrors = map[string]error{
	CodeSignature: ErrSignature,
	CodeClock:     ErrClock,
	CodeReplayed:  ErrReplayed,
	CodeLogin:     ErrLogin,
	CodeExists:    ErrExists,
	CodeNotFound:  ErrNotFound,
	CodeConflict:  ErrConflict,
	CodeLimit:     ErrUnavailable,
	CodeInternal:  ErrUnavailable,
}

// RefusedError is a server's refusal: an answer with a status other than OK.
type RefusedError struct {
	Call    string // the call's name, e.g. "unfavorite"
	Status  string // the answer's status
	Message string // its errormessage, the server's own words
	Code    string // its errorcode, empty where the server sends none
}

func (e *RefusedError) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("%s refused: %s", e.Call, e.Message)
	}
	return fmt.Sprintf("%s refused with status %q", e.Call, e.Status)
}

// Is makes a RefusedError an ErrRefused and, by its code, the more precise sentinel.
func (e *RefusedError) Is(target error) bool {
	return target == ErrRefused || (e.Code != "" && codeErrors[e.Code] == target)
}
