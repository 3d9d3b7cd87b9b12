package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// refusing stands before the server of url and answers 503 for what refuse says.
func refusing(t *testing.T, address string, refuse func(*http.Request) bool) *httptest.Server {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { cut(w, nil, nil) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse(r) {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front
}

// No signature is made on the page's own thread, where it would hold up a frame.
func TestPrivateKeysAreUsedAwayFromThePage(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	p.js(`(() => {
		window.signedHere = 0;
		const sign = crypto.subtle.sign;
		crypto.subtle.sign = function (...args) { signedHere++; return sign.apply(this, args) };
	})()`, nil)
	p.eventually("the keys' worker is there", func() error {
		return p.holds(`(async () => {
			const before = signedHere;
			const key = await crypto.subtle.importKey("raw", new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
			const mac = await starling.withKey("sign", "HMAC", key, new Uint8Array(1));
			return mac.byteLength === 32 && signedHere === before;
		})()`)
	})
	p.js(`void (signedHere = 0)`, nil)
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Signed elsewhere")
	p.eventually("nothing waits to be sent", func() error { return p.queueIs(0) })
	if err := p.holds(`signedHere === 0`); err != nil {
		t.Error(err)
	}
	// What the worker refuses is refused as the page would refuse it.
	if err := p.holds(`starling.withKey("sign", "HMAC", await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]), new Uint8Array(1))
		.then(() => false, (err) => err.name === "InvalidAccessError")`); err != nil {
		t.Error(err)
	}
	p.Star("Grace Okafor")
	p.SeeSettled("Grace Okafor")
}

// A page whose worker for keys cannot be had uses them itself.
func TestWithoutTheWorkerForKeysThePageUsesThem(t *testing.T) {
	t.Parallel()
	var refused atomic.Bool
	front := refusing(t, startDemo(t).URL, func(r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/assets/keys.") {
			return false
		}
		refused.Store(true)
		return true
	})
	p := newPerson(t, front.URL)
	allowConsole(t, p.ctx, "503")
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	p.eventually("the worker was asked for", func() error {
		if !refused.Load() {
			return errNotYet
		}
		return nil
	})
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Signed by the page")
	p.SeeMessage("Signed by the page")
	p.eventually("nothing waits to be sent", func() error { return p.queueIs(0) })
}
