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

// keysWatched is a script that counts the signatures that a page makes on its own thread and keeps hold of its workers for keys.
const keysWatched = `(() => {
	window.signedHere = 0
	window.keysWorkers = []
	const sign = SubtleCrypto.prototype.sign, Real = Worker
	SubtleCrypto.prototype.sign = function (...args) { signedHere++; return sign.apply(this, args) }
	window.Worker = function (url) {
		const w = new Real(url)
		if (/\/keys\./.test(url)) keysWorkers.push(w)
		return w
	}
	window.mac = async () => crypto.subtle.importKey("raw", new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
})()`

// No signature is made on the page's own thread, where it would hold up a frame.
func TestPrivateKeysAreUsedAwayFromThePage(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.before(keysWatched)
	newAlice(p)
	away := func() error {
		return p.holds(`(async () => {
			const before = signedHere
			const mac = await starling.withKey("sign", "HMAC", await window.mac(), new Uint8Array(1))
			return mac.byteLength === 32 && signedHere === before
		})()`)
	}
	p.eventually("the keys' worker is there", away)
	p.js(`void (signedHere = 0)`, nil)
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Signed elsewhere")
	p.eventually("nothing waits to be sent", func() error { return p.queueIs(0) })
	if err := p.holds(`signedHere === 0`); err != nil {
		t.Error(err)
	}
	// What the worker refuses is refused as the page would refuse it, and nothing else is.
	if err := p.holds(`starling.withKey("sign", "HMAC", await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]), new Uint8Array(1))
		.then(() => false, (err) => err instanceof DOMException && err.name === "InvalidAccessError")`); err != nil {
		t.Error(err)
	}
	p.Star("Grace Okafor")
	p.SeeSettled("Grace Okafor")

	// With the user his keys leave the worker, which is another one then.
	p.SignOut()
	p.eventually("there is another worker", func() error { return p.holds(`keysWorkers.length === 2`) })
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	p.eventually("it is there", away)

	// One that breaks takes nothing along: what it was asked, here and by the program meanwhile, is done by the page.
	if err := p.holds(`(async () => {
		const key = await window.mac(), before = signedHere
		const asked = starling.withKey("sign", "HMAC", key, new Uint8Array(1))
		keysWorkers.at(-1).dispatchEvent(new ErrorEvent("error", { message: "broken" }))
		return (await asked).byteLength === 32 && signedHere > before
	})()`); err != nil {
		t.Error(err)
	}
	p.Unstar("Grace Okafor")
	p.SeeSettled("Grace Okafor")
	p.SeeNoFavorite("Grace Okafor")
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
