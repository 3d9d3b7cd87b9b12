package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/chromedp/chromedp"
	"github.com/klauspost/compress/zstd"
)

// A browser that has a former version of the program gets the new one as a difference to it and runs it. Where it asks
// again, it is told in next to nothing that it has it.
func TestANewVersionComesAsADifference(t *testing.T) {
	t.Parallel()
	first := startDemo(t)
	_, page := get(t, first.URL+"/")
	name := regexp.MustCompile(`/assets/app\.[0-9a-f]+\.wasm`).FindString(string(page))
	_, packed := get(t, first.URL+name, "Accept-Encoding", "br")
	program, err := io.ReadAll(brotli.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	first.Stop()

	// The former version is this one and a section that says nothing. The server has had it.
	former := append(bytes.Clone(program), 0, 4, 3, 'o', 'l', 'd')
	sum := sha256.Sum256(former)
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(first.Data, "programs", hex.EncodeToString(sum[:])+".wasm.zst")
	if err := os.WriteFile(kept, w.EncodeAll(former, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	second := startIn(t, first.Data)
	available := ":" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	p := newPerson(t, "")
	p.eventually("the difference is made", func() error {
		res, body := get(t, second.URL+name, "Accept-Encoding", "br, dcz", "Available-Dictionary", available)
		if res.Header.Get("Content-Encoding") != "dcz" || len(body) > 200_000 {
			return fmt.Errorf("%d bytes in %q", len(body), res.Header.Get("Content-Encoding"))
		}
		return nil
	})

	// Between the browser and the server: the first page, with the former version of the program, and a record.
	target, err := url.Parse(second.URL)
	if err != nil {
		t.Fatal(err)
	}
	const old = "/assets/app.000000000000.wasm"
	var mu sync.Mutex
	var asked []string // "coding dictionary" of each request for the program
	var took int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(res *http.Response) error {
		if res.Request.URL.Path == name {
			mu.Lock()
			defer mu.Unlock()
			took += res.ContentLength
			asked = append(asked, strings.TrimSpace(res.Header.Get("Content-Encoding")+" "+res.Request.Header.Get("Available-Dictionary")))
		}
		return nil
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/former":
			fmt.Fprint(w, `<!doctype html><html lang="en"><title>Former</title><link rel="icon" href="data:,">`)
		case old:
			w.Header().Set("Content-Type", "application/wasm")
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			w.Header().Set("Use-As-Dictionary", `match="/assets/app.*.wasm"`)
			_, _ = w.Write(former)
		default:
			r.Host = target.Host
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)

	p.url = front.URL
	p.run(chromedp.Navigate(front.URL + "/former"))
	p.eventually("the former version is there", func() error {
		return p.holds(fmt.Sprintf(`fetch(%q).then((r) => r.arrayBuffer()).then((b) => b.byteLength === %d)`, old, len(former)))
	})
	p.Visit("/")
	p.SeeSignIn()
	p.eventually("the program is there once more, for the worker", func() error {
		return p.holds(fmt.Sprintf(`caches.open("again").then((c) => c.add(%q).then(() => c.match(%q))).then((r) => r.arrayBuffer()).then((b) => b.byteLength === %d)`, name, name, len(program)))
	})
	mu.Lock()
	defer mu.Unlock()
	if len(asked) == 0 || asked[0] != "dcz "+available || took < 0 || took > 200_000 {
		t.Errorf("the program was asked for as %q in %d bytes, want first as a difference to %s", asked, took, available)
	}
	for _, a := range asked {
		if !strings.HasPrefix(a, "dcz ") {
			t.Errorf("all of the program was sent again: %q", a)
		}
	}
}
