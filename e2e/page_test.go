package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The page can be installed as an app.
func TestPageIsInstallable(t *testing.T) {
	t.Parallel()
	// In the browser's lasting profile: a device of newBrowser counts as incognito, where nothing can be installed.
	p := &person{t, openTab(t, startChromium(t), ""), startServer(t).URL}
	p.Visit("/")
	p.js(`navigator.serviceWorker.ready.then(() => 1)`, nil)
	p.eventually("nothing speaks against installing", func() error {
		var found []*page.InstallabilityError
		err := chromedp.Run(p.ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
			found, err = page.GetInstallabilityErrors().Do(ctx)
			return err
		}))
		if err == nil && len(found) > 0 {
			text, _ := json.Marshal(found)
			return errors.New(string(text))
		}
		return err
	})
}

// The page is served so that nothing foreign can run in it or around it.
func TestPageIsServedGuarded(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	res, body := get(t, server.URL+"/")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s %s", res.Status, res.Header.Get("Content-Type"))
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"X-Frame-Options":              "DENY",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-cache",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	policy := map[string]string{}
	for _, part := range strings.Split(res.Header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		policy[name] = value
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
		"connect-src": "'self'", "require-trusted-types-for": "'script'",
	} {
		if policy[name] != want {
			t.Errorf("Content-Security-Policy: %s %s, want %s", name, policy[name], want)
		}
	}
	if !regexp.MustCompile(`^'self' 'sha256-[\w+/=]+'$`).MatchString(policy["style-src"]) {
		t.Errorf("Content-Security-Policy: style-src %s, want 'self' and one hash", policy["style-src"])
	}
	for _, banned := range []string{"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "data:"} {
		for _, v := range strings.Fields(policy["script-src"]) {
			if v == banned {
				t.Errorf("Content-Security-Policy: script-src has %s", banned)
			}
		}
	}
	if strings.Contains(string(body), " style=") || strings.Contains(string(body), " onclick=") {
		t.Error("the page has inline styles or handlers, which its policy forbids")
	}
	if len(res.Cookies()) > 0 {
		t.Errorf("cookies: %v", res.Cookies())
	}

	res, _ = get(t, server.URL+"/no/such/thing")
	if res.StatusCode != http.StatusNotFound || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("what is not there: %s, %v", res.Status, res.Header)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if res, body := get(t, server.URL+path); res.StatusCode != http.StatusOK || string(body) != "ok\n" {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
	}
}

// The program comes small, and from the browser's own store at the next visit.
func TestProgramIsCompressedAndKept(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	_, body := get(t, server.URL+"/")
	name := regexp.MustCompile(`/assets/app\.[0-9a-f]+\.wasm`).FindString(string(body))
	if name == "" {
		t.Fatal("the page names no program")
	}
	res, packed := get(t, server.URL+name, "Accept-Encoding", "gzip, deflate, br, zstd")
	if c := res.Header.Get("Content-Encoding"); c != "br" {
		t.Errorf("Content-Encoding: %q", c)
	}
	if c := res.Header.Get("Content-Type"); c != "application/wasm" {
		t.Errorf("Content-Type: %q", c)
	}
	if c := res.Header.Get("Cache-Control"); !strings.Contains(c, "immutable") || !strings.Contains(c, "max-age=31536000") {
		t.Errorf("Cache-Control: %q", c)
	}
	if c := res.Header.Get("Vary"); c != "Accept-Encoding" {
		t.Errorf("Vary: %q", c)
	}
	plain, err := io.ReadAll(brotli.NewReader(strings.NewReader(string(packed))))
	if err != nil || !strings.HasPrefix(string(plain), "\x00asm") {
		t.Errorf("it is no program in brotli: %v", err)
	}
	again, _ := get(t, server.URL+name, "Accept-Encoding", "br", "If-None-Match", res.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again with its ETag: %s", again.Status)
	}
	res, whole := get(t, server.URL+name, "Accept-Encoding", "identity")
	if res.Header.Get("Content-Encoding") != "" || string(whole) != string(plain) {
		t.Errorf("without compression: %q, %d bytes, want %d", res.Header.Get("Content-Encoding"), len(whole), len(plain))
	}
}

// A page of another site cannot use the API, not even with a signed request in hand.
func TestOtherSitesCannotCallTheAPI(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	post := func(contentType, origin string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/ozeki/index.php?srv=chatserver&api=chatlogin", strings.NewReader(`{"action":"login","apikey":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Ozeki-Station", "801c91e6466a1ab34945d73ae4f762c6")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if v := res.Header.Get("Access-Control-Allow-Origin"); v != "" {
			t.Errorf("Access-Control-Allow-Origin: %q", v)
		}
		return res
	}
	if res := post("application/json", "https://evil.example"); res.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %s", res.Status)
	}
	if res := post("text/plain", ""); res.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("as a form would send it: %s", res.Status)
	}
	if res := post("application/json", server.URL); res.StatusCode != http.StatusOK {
		t.Errorf("from its own page: %s", res.Status)
	}
	if res, _ := get(t, server.URL+"/ozeki/index.php?srv=chatserver&api=chatlogin"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("by GET: %s", res.Status)
	}
}
