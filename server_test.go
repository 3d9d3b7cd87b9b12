package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/chatserver/relay"
	"starling/web"
)

// answering is an API that says what it got.
var answering = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"OK","path":"`+r.URL.Path+`","x":"`+strings.Repeat("x", 4000)+`"}`)
})

var quiet = slog.New(slog.DiscardHandler)

// theSite is made once: preparing the bundle takes a second.
var theSite = sync.OnceValues(func() (*site, error) { return newSite(siteOptions{Scheme: "sha256", API: answering, Log: quiet}) })

func siteFor(t *testing.T) *site {
	t.Helper()
	s, err := theSite()
	if errors.Is(err, web.ErrNoProgram) {
		t.Fatal("The browser program is not built: run 'go run ./wasm/build' in the top directory, or 'make build'.")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request to a handler; header is pairs of names and values.
func ask(h http.Handler, method, url string, header ...string) *http.Response {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// assetOf finds the address of a file in the page.
func assetOf(t *testing.T, s *site, pattern string) string {
	t.Helper()
	url := regexp.MustCompile(`/assets/` + pattern).FindString(string(s.bundle["/"].Forms[""]))
	if url == "" {
		t.Fatalf("the page names no %s", pattern)
	}
	return url
}

func TestEveryAnswerIsSafeInABrowser(t *testing.T) {
	s := siteFor(t)
	for _, r := range []struct{ method, path string }{
		{"GET", "/"}, {"HEAD", "/"}, {"GET", "/nothing"}, {"POST", "/"}, {"GET", assetOf(t, s, `wasm_exec\.[0-9a-f]+\.js`)}, {"GET", "/sw.js"},
		{"GET", "/healthz"}, {"GET", "/readyz"}, {"POST", apiPath}, {"GET", apiPath}, {"GET", "//double"}, {"GET", "/a/../b"}, {"DELETE", "/healthz"},
	} {
		res := ask(s, r.method, r.path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", r.method, r.path, name, got)
			}
		}
		if policy := res.Header.Get("Content-Security-Policy"); policy == "" && !strings.HasPrefix(r.path, "/assets/") {
			t.Errorf("%s %s has no policy", r.method, r.path)
		}
		if res.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s %s: plain http asks for https", r.method, r.path)
		}
		if res.Header.Get("Content-Type") == "" && res.StatusCode < 300 {
			t.Errorf("%s %s has no type", r.method, r.path)
		}
	}
	if got := ask(s, "GET", "https://chat.example.com/").Header.Get("Strict-Transport-Security"); !strings.HasPrefix(got, "max-age=") {
		t.Errorf("over https, Strict-Transport-Security is %q", got)
	}
	page := ask(s, "GET", "/").Header.Get("Content-Security-Policy")
	if !strings.Contains(page, "script-src 'self'") || strings.Contains(page, "sandbox") {
		t.Errorf("the page's policy is %q", page)
	}
	if other := ask(s, "GET", "/nothing").Header.Get("Content-Security-Policy"); !strings.Contains(other, "sandbox") {
		t.Errorf("of what is no page it is %q", other)
	}
}

func TestABrowserGetsTheSmallestFormThatItTakes(t *testing.T) {
	s := siteFor(t)
	program := assetOf(t, s, `app\.[0-9a-f]+\.wasm`)
	f := s.bundle[program]
	for accept, want := range map[string]string{
		"":                            "",
		"identity":                    "",
		"gzip":                        "gzip",
		"gzip, deflate, br, zstd":     "br",
		"gzip, deflate, zstd":         "zstd",
		"GZIP":                        "gzip",
		"br;q=0, gzip":                "gzip",
		"br;q=0.0,zstd;q=0,gzip;q=0":  "",
		"br; q=0.5 , gzip;q=1.0":      "br",
		"br;q=nonsense, gzip":         "gzip",
		"deflate, compress, x-custom": "",
		",,;;q=":                      "",
		"*;q=0":                       "",
	} {
		res := ask(s, "GET", program, "Accept-Encoding", accept)
		if got := res.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%q gets %q, want %q", accept, got, want)
			continue
		}
		if got := body(t, res); got != string(f.Forms[want]) || res.ContentLength != int64(len(f.Forms[want])) {
			t.Errorf("%q gets %d bytes, said to be %d", accept, len(got), res.ContentLength)
		}
		if res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("Content-Type") != "application/wasm" {
			t.Errorf("%q: header %v", accept, res.Header)
		}
	}
	if res := ask(s, "GET", assetOf(t, s, `icon-192\.[0-9a-f]+\.png`), "Accept-Encoding", "br, gzip"); res.Header.Get("Content-Encoding") != "" {
		t.Error("a picture is compressed once more")
	}
}

func TestWhatABrowserHasIsNotSentAgain(t *testing.T) {
	s := siteFor(t)
	for _, path := range []string{"/", assetOf(t, s, `wasm_exec\.[0-9a-f]+\.js`), "/app.webmanifest"} {
		first := ask(s, "GET", path, "Accept-Encoding", "br")
		etag := first.Header.Get("ETag")
		if !regexp.MustCompile(`^"[0-9a-f]+-br"$`).MatchString(etag) {
			t.Errorf("%s has the ETag %s", path, etag)
		}
		for match, want := range map[string]int{
			etag: 304, "W/" + etag: 304, `"other", ` + etag: 304, `"other"`: 200, strings.Replace(etag, "-br", "", 1): 200, "*": 304,
		} {
			res := ask(s, "GET", path, "Accept-Encoding", "br", "If-None-Match", match)
			if res.StatusCode != want {
				t.Errorf("%s with If-None-Match %s is %d, want %d", path, match, res.StatusCode, want)
			}
			if b := body(t, res); want == 304 && (b != "" || res.Header.Get("ETag") != etag) {
				t.Errorf("%s: a 304 of %d bytes with ETag %s", path, len(b), res.Header.Get("ETag"))
			}
		}
		if res := ask(s, "GET", path, "If-None-Match", etag); res.StatusCode != 200 {
			t.Errorf("%s: the compressed form's mark stands for the plain one", path)
		}
		cache := first.Header.Get("Cache-Control")
		if asset := strings.HasPrefix(path, "/assets/"); asset != (cache == "public, max-age=31536000, immutable") || !asset && cache != "no-cache" {
			t.Errorf("%s is kept: %q", path, cache)
		}
		head := ask(s, "HEAD", path, "Accept-Encoding", "br")
		if b := body(t, head); b != "" || head.Header.Get("Content-Length") != first.Header.Get("Content-Length") || head.Header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d bytes, %v", path, len(b), head.Header)
		}
	}
}

func TestWhatIsNotThereSaysSo(t *testing.T) {
	s := siteFor(t)
	for _, path := range []string{"/nothing", "/assets/", "/assets/app.wasm", "/index.html", "/.git/config", "/ozeki/", apiPath + "/x", listenerPath, `/"><script>alert(1)</script>`} {
		res := ask(s, "GET", strings.ReplaceAll(strings.ReplaceAll(path, "<", "%3C"), `"`, "%22"))
		b := body(t, res)
		if res.StatusCode != 404 || !strings.Contains(b, `<a href="/">`) || !strings.Contains(b, "<title>") || strings.Contains(b, "alert") {
			t.Errorf("%s is %d %q", path, res.StatusCode, b)
		}
	}
	for _, path := range []string{"/", "/sw.js"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			if res := ask(s, method, path); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s is %d, Allow %q", method, path, res.StatusCode, res.Header.Get("Allow"))
			}
		}
	}
	if res := ask(s, "GET", "/?c=8ca16186c36a4e0a1ef2096e6c60b613"); res.StatusCode != 200 {
		t.Errorf("a link to a conversation is %d", res.StatusCode)
	}
}

func TestTheAPIIsCompressedAndUnderThePagesOrigin(t *testing.T) {
	s := siteFor(t)
	res := ask(s, "POST", apiPath+"?srv=chatserver", "Accept-Encoding", "gzip")
	if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	res = ask(s, "POST", apiPath)
	if b := body(t, res); !strings.Contains(b, `"path":"`+apiPath+`"`) {
		t.Errorf("%q", b)
	}
}

func TestHealthAndReadinessAreToldApart(t *testing.T) {
	s := siteFor(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		res := ask(s, "GET", path)
		if b := body(t, res); res.StatusCode != 200 || b != "ok\n" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s is %d %q", path, res.StatusCode, b)
		}
	}
	upstream := httptest.NewServer(answering)
	defer upstream.Close()
	r, err := relay.New(upstream.URL, "", apiPath, listenerPath, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	front, err := newSite(siteOptions{Scheme: "sha256", Relay: r, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if res := ask(front, "GET", "/readyz"); res.StatusCode != 200 {
		t.Errorf("before a server that answers it is %d", res.StatusCode)
	}
	if page := body(t, ask(front, "GET", "/")); !strings.Contains(page, `id="apikey"`) {
		t.Error("the page does not ask for the api key")
	}
	if res := ask(front, "GET", listenerPath, "Origin", "http://example.com"); res.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("the listener is %d", res.StatusCode)
	}
	upstream.Close()
	res := ask(front, "GET", "/readyz")
	if b := body(t, res); res.StatusCode != 503 || !strings.Contains(b, "does not answer") || strings.Contains(b, "127.0.0.1") {
		t.Errorf("before a dead server /readyz is %d %q", res.StatusCode, b)
	}
	if address := strings.TrimPrefix(upstream.URL, "http://"); !strings.Contains(log.String(), address) {
		t.Errorf("the log does not name %s: %s", address, &log)
	}
	if res := ask(front, "GET", "/healthz"); res.StatusCode != 200 {
		t.Errorf("before a dead server /healthz is %d", res.StatusCode)
	}
	if res := ask(front, "POST", apiPath, "Content-Type", "application/json"); res.StatusCode != 502 || !strings.Contains(body(t, res), "cannot be reached") {
		t.Errorf("a call is %d", res.StatusCode)
	}
}

// running starts listenAndServe and gives its address, a stop and the outcome.
func running(t *testing.T, cfg Config, h http.Handler) (url string, stop func(), done <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	said, say := io.Pipe()
	out := make(chan error, 1)
	go func() {
		out <- listenAndServe(ctx, cfg, h, quiet, say)
		say.Close()
	}()
	line := make([]byte, 200)
	n, err := said.Read(line)
	if err != nil {
		t.Fatalf("it said nothing: %v", <-out)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	m := regexp.MustCompile(`^listening on (http://127\.0\.0\.1:([1-9][0-9]*))\n$`).FindStringSubmatch(string(line[:n]))
	if m == nil {
		t.Fatalf("it said %q", line[:n])
	}
	return m[1], cancel, out
}

func TestAStopLetsARequestUnderWayFinish(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	url, stop, done := running(t, Config{Addr: "127.0.0.1:0", StopTimeout: 20 * time.Second}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			return // the stop has not come to the listener yet
		}
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "done")
	}))
	got := make(chan string, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		res, err := client.Get(url)
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		got <- string(b)
	}()
	<-begun
	stop()
	for { // until nobody new is let in
		res, err := client.Get(url + "/late")
		if err != nil {
			break
		}
		res.Body.Close()
	}
	select {
	case err := <-done:
		t.Fatalf("it stopped with a request under way: %v", err)
	default:
	}
	close(finish)
	if b := <-got; b != "done" {
		t.Errorf("the request under way got %q", b)
	}
	if err := <-done; err != nil {
		t.Errorf("the stop gave %v", err)
	}
}

func TestAStopDoesNotWaitForEver(t *testing.T) {
	begun := make(chan struct{})
	url, stop, done := running(t, Config{Addr: "127.0.0.1:0", StopTimeout: 10 * time.Millisecond}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url); err == nil {
			res.Body.Close()
		}
	}()
	<-begun
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "some requests were cut") {
		t.Errorf("the stop gave %v", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the request goes on after the stop")
	}
}
