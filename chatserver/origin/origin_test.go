package origin

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
)

func request(secure bool, proto ...string) *http.Request {
	r := httptest.NewRequest("POST", "http://chat.example.com:81/", nil)
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	for _, v := range proto {
		r.Header.Add("X-Forwarded-Proto", v)
	}
	return r
}

func TestTheOriginIsAsTheProxySays(t *testing.T) {
	for _, c := range []struct {
		secure bool
		proto  []string
		scheme string
	}{
		{false, nil, "http"},
		{true, nil, "https"},
		{false, []string{""}, "http"},
		{true, []string{""}, "https"},
		{false, []string{"https"}, "https"},
		{false, []string{"HTTPS"}, "https"},
		{false, []string{" Https ,http"}, "https"},
		{false, []string{"HTTPS, http"}, "https"},
		{false, []string{"https", "http"}, "https"},
		{false, []string{"http, https"}, "http"},
		{true, []string{"http"}, "http"},
		{false, []string{"javascript"}, "http"},
		{true, []string{"wss, https"}, "https"},
	} {
		if got, want := Of(request(c.secure, c.proto...)), c.scheme+"://chat.example.com:81"; got != want {
			t.Errorf("TLS %t, X-Forwarded-Proto %q: %s", c.secure, c.proto, got)
		}
	}
}

func TestPagesOfOtherOriginsAreForeign(t *testing.T) {
	const own = "https://chat.example.com:81"
	for _, c := range []struct {
		origins []string
		foreign bool
	}{
		{nil, false},
		{[]string{own}, false},
		{[]string{"HTTPS://Chat.Example.com:81"}, false},
		{[]string{own, own}, true},
		{[]string{""}, true},
		{[]string{"null"}, true},
		{[]string{"http://chat.example.com:81"}, true},
		{[]string{"https://chat.example.com"}, true},
		{[]string{"https://chat.example.com:81.evil.example"}, true},
		{[]string{own + "/"}, true},
	} {
		r := request(false, "https")
		for _, o := range c.origins {
			r.Header.Add("Origin", o)
		}
		if got := Foreign(r); got != c.foreign {
			t.Errorf("%q is foreign: %t", c.origins, got)
		}
	}
}
