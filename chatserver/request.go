package chatserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"starling/chatserver/origin"
	"starling/ozeki"
)

// Limits of a request.
const (
	maxBody   = 1 << 20
	maxDepth  = 16
	maxHeader = 1024 // of one header of the API: a signature with a 4096-bit key has 684 characters
)

// request is a call as it arrived, not yet trusted.
type request struct {
	route     route
	body      []byte       // as signed
	common    ozeki.Common // of the body
	station   ozeki.StationID
	user      ozeki.UserID // who signed it, after admit
	signature string
	origin    string // of this server as the caller addressed it, e.g. "https://chat.example.com"
	remote    string // where failed sign-ins are counted
	now       time.Time
	// committed is set by a handler that has more to do when its change is made. A repeat that is answered from memory does
	// not come to the handler.
	committed func(context.Context)
}

// parse checks the form of a request and finds its route. It trusts nothing that is said.
func (s *Server) parse(w http.ResponseWriter, r *http.Request) (*request, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, errMethod
	}
	req := &request{
		station: ozeki.StationID(r.Header.Get(ozeki.HeaderStation)), user: ozeki.UserID(r.Header.Get(ozeki.HeaderUser)),
		signature: r.Header.Get(ozeki.HeaderSignature),
		origin:    origin.Of(r), remote: remoteOf(r), now: s.clock(),
	}
	if origin.Foreign(r) {
		return nil, errOrigin
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, errType
	}
	var err error
	if req.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, errSize
		}
		return nil, errInvalid.saying("The request was cut off on its way. Send it again.")
	}
	if len(req.signature) > maxHeader {
		return nil, errInvalid
	}
	if err := parseBody(req.body, &req.common); err != nil {
		return nil, err
	}
	query := r.URL.Query()
	key := routeKey{query.Get("srv"), query.Get("api"), req.common.Action}
	found := false
	if req.route, found = s.routes[key]; !found {
		return nil, errInvalid.saying("The server does not know this call. Check srv and api in the address and action in the body.")
	}
	return req, nil
}

// parseBody checks that a body is one JSON object in valid UTF-8, not too deep, and reads its common fields.
func parseBody(body []byte, common *ozeki.Common) error {
	if !utf8.Valid(body) {
		return errInvalid.saying("The request is not valid UTF-8. Send JSON in UTF-8.")
	}
	if depth(body) > maxDepth {
		return errInvalid.saying("The request is nested too deeply. Send a flatter one.")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errInvalid.saying("The request is not a JSON object. Send one.")
	}
	if err := json.Unmarshal(body, common); err != nil {
		return errInvalid
	}
	if id := common.RequestID; id != "" && (len(id) != 36 || uuid.Validate(id) != nil) {
		return errInvalid.saying("The requestid is not a UUID. Send one of 36 characters.")
	}
	return nil
}

// depth returns how deeply brackets are nested outside of strings.
func depth(b []byte) int {
	n, deepest, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			n++
			deepest = max(deepest, n)
		case c == '}' || c == ']':
			n--
		}
	}
	return deepest
}

// remoteOf returns the address to which failed sign-ins are counted: the peer's, or behind a proxy on this machine the one
// that the proxy names. A whole IPv6 network of 64 bits counts as one.
func remoteOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if addr.IsLoopback() {
		// The proxy's word is the last, whether it appended to a line or added one; those before are the client's.
		named := ""
		if lines := r.Header.Values("X-Forwarded-For"); len(lines) > 0 {
			named = lines[len(lines)-1]
		}
		if i := strings.LastIndexByte(named, ','); i >= 0 {
			named = named[i+1:]
		}
		if a, err := netip.ParseAddr(strings.TrimSpace(named)); err == nil {
			addr = a
		}
	}
	if addr = addr.Unmap(); addr.Is6() {
		if net, err := addr.WithZone("").Prefix(64); err == nil {
			return net.String()
		}
	}
	return addr.String()
}
