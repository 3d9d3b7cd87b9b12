// Package origin knows under which origin a page sees this server.
package origin

import (
	"net/http"
	"strings"
)

// Of returns the origin under which the caller reached this server, as far as it or the proxy in front knows, e.g.
// "https://chat.example.com".
func Of(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",") // the first is what the browser used
	switch proto = strings.ToLower(strings.TrimSpace(proto)); proto {
	case "http", "https":
		scheme = proto
	}
	return scheme + "://" + r.Host
}

// Foreign reports whether a page of another origin sent the request. What is not sent by a page names no origin.
func Foreign(r *http.Request) bool {
	named := r.Header.Values("Origin")
	return len(named) > 1 || len(named) == 1 && !strings.EqualFold(named[0], Of(r))
}
