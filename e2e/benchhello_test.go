package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"starling/web"
)

// Milliseconds of different machines do not compare. So three pages that do nothing are measured beside Starling, in the same run
// and in the same way: what Starling takes can be told as a multiple of what they take.

// hello is a page that shows #hello and counts in #press.
type hello struct {
	name, url string
	worker    bool // which keeps the program
}

const staticHello = `<!doctype html><html lang="en"><title>Hello</title><body><p id="hello">Hello</p><button id="press" onclick="this.textContent++">0</button></body></html>`

const bareHello = `<!doctype html><html lang="en"><title>Hello</title><body><script src="/wasm_exec.js"></script><script>
const go = new Go();
WebAssembly.instantiateStreaming(fetch("/bare.wasm"), go.importObject).then(({ instance }) => go.run(instance));
</script></body></html>`

// hellos builds the pages and serves each.
func hellos(b *testing.B) []hello {
	b.Helper()
	dir := b.TempDir()
	run := func(env []string, name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out))
	}
	program := func(name string) []byte {
		path := filepath.Join(dir, name+".wasm")
		run([]string{"GOOS=js", "GOARCH=wasm"}, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./hello/"+name)
		raw, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		packed, err := web.Best["br"](raw)
		if err != nil {
			b.Fatal(err)
		}
		return packed
	}
	serve := func(page string, files map[string][]byte) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = w.Write([]byte(page)) // the browser may have gone
				return
			}
			data, ok := files[r.URL.Path]
			if !ok {
				http.NotFound(w, r)
				return
			}
			kind := "text/javascript"
			if strings.HasSuffix(r.URL.Path, ".wasm") {
				kind = "application/wasm"
				w.Header().Set("Content-Encoding", "br")
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(data)
		}))
		b.Cleanup(server.Close)
		return server.URL
	}
	glue, err := os.ReadFile(filepath.Join(run(nil, "go", "env", "GOROOT"), "lib/wasm/wasm_exec.js"))
	if err != nil {
		b.Fatal(err)
	}
	goapp := filepath.Join(dir, "goapp.br")
	if err := os.WriteFile(goapp, program("goapp"), 0o600); err != nil {
		b.Fatal(err)
	}
	run(nil, "go", "build", "-o", filepath.Join(dir, "goapp"), "./hello/goapp")
	server := exec.Command(filepath.Join(dir, "goapp"), goapp)
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	var url string
	if _, err := fmt.Fscanln(out, &url); err != nil {
		b.Fatalf("the server of go-app's page: %v", err)
	}
	return []hello{
		{"static page", serve(staticHello, nil), false},
		{"bare Go", serve(bareHello, map[string][]byte{"/wasm_exec.js": glue, "/bare.wasm": program("bare")}), false},
		{"go-app as published", url, true},
	}
}

// greeted notes when a page shows #hello.
const greeted = `(() => {
  const look = () => {
    if (document.getElementById("hello")) window.helloAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()`

// pressing presses the page's button and gives the times from the click to the frame that shows the next number.
const pressing = `(async () => {` + afterFrame + `
  const out = [], button = document.getElementById("press");
  for (let i = 0; i < 20; i++) {
    await new Promise((done) => setTimeout(done, 30 + (i * 7) % 17));
    const start = performance.now();
    button.click();
    do await frame(); while (button.textContent !== String(i + 1));
    out.push(performance.now() - start);
  }
  return out;
})()`

// BenchmarkHello measures returns to the pages that do nothing, and clicks in them.
func BenchmarkHello(b *testing.B) {
	pages := hellos(b)
	for _, p := range profiles {
		for _, h := range pages {
			url, dir := p.shape(b, h.url), b.TempDir()
			var warm, click []float64
			p.visit(b, dir, func(ctx context.Context) { h.greets(ctx, b, url) })
			for range 5 {
				p.visit(b, dir, func(ctx context.Context) {
					warm = append(warm, h.greets(ctx, b, url))
					var times []float64
					if err := chromedp.Run(ctx, chromedp.Evaluate(pressing, &times, awaited)); err != nil {
						b.Fatal(err)
					}
					click = append(click, times...)
				})
			}
			report(b, h.name+": return", p.name, warm)
			report(b, h.name+": click to paint", p.name, click)
		}
	}
}

// greets goes to the page, gives when it showed its text, and lets its worker keep what it keeps.
func (h hello) greets(ctx context.Context, b *testing.B, url string) (at float64) {
	b.Helper()
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(greeted).Do(ctx)
		return err
	})); err != nil {
		b.Fatal(err)
	}
	open(ctx, b, url, "window.helloAt")
	if err := chromedp.Run(ctx, chromedp.Evaluate("window.helloAt", &at)); err != nil {
		b.Fatal(err)
	}
	if h.worker {
		await(ctx, b, "navigator.serviceWorker.ready")
	}
	return at
}
