package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"starling/ozeki/ozekitest"
)

// wasmPackages have a suite that must pass in the browser as it does natively.
var wasmPackages = []string{"./ozeki", "./ozeki/json", "./app/engine/vaulttest"}

const suitePage = `<!doctype html><meta charset="utf-8"><title>running</title><link rel="icon" href="data:,">
<script src="/wasm_exec.js"></script><script src="/run.js"></script>`

// suiteScript runs /suite.wasm. What it prints goes to window.output; the title tells that it has ended.
const suiteScript = `
const decoder = new TextDecoder()
window.output = ""
globalThis.fs.writeSync = (fd, bytes) => { window.output += decoder.decode(bytes, { stream: true }); return bytes.length }
// There are no files, and Go should find out in a regular way: fuzz targets look for more seeds.
globalThis.fs.constants.O_DIRECTORY = 0x10000
globalThis.fs.open = (path, flags, mode, done) => done(Object.assign(new Error("no files here"), { code: "ENOENT" }))
const go = new Go()
go.argv = ["suite.test", "-test.v", "-test.paniconexit0"]
go.exit = code => { window.code = code }
WebAssembly.instantiateStreaming(fetch("/suite.wasm"), go.importObject)
	.then(({ instance }) => go.run(instance))
	.catch(error => { window.output += error; window.code = -1 })
	.finally(() => { document.title = "ended" })
`

// What works natively works in the browser too: WebCrypto and fetch behave as their native twins do.
func TestPlatformSuiteInChromium(t *testing.T) {
	for _, pkg := range wasmPackages {
		t.Run(pkg, func(t *testing.T) {
			wasm := buildSuite(t, pkg)
			server := httptest.NewServer(suiteServer(t, wasm))
			defer server.Close()
			runSuite(t, server.URL)
		})
	}
}

// buildSuite compiles the tests of a package for the browser and returns the program's path.
func buildSuite(t *testing.T, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "suite.wasm")
	build := exec.Command("go", "test", "-c", "-o", out, pkg)
	build.Dir = ".."
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the suite: %v\n%s", err, text)
	}
	if _, err := os.Stat(out); err != nil {
		t.Fatalf("%s has no tests for the browser", pkg)
	}
	return out
}

func suiteServer(t *testing.T, wasm string) http.Handler {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	wasmExec := filepath.Join(string(bytes.TrimSpace(root)), "lib", "wasm", "wasm_exec.js")
	text := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			fmt.Fprint(w, body)
		}
	}
	file := func(kind, path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			http.ServeFile(w, r, path)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", text("text/html; charset=utf-8", suitePage))
	mux.HandleFunc("/run.js", text("text/javascript", suiteScript))
	mux.HandleFunc("/wasm_exec.js", file("text/javascript", wasmExec))
	mux.HandleFunc("/suite.wasm", file("application/wasm", wasm))
	mux.Handle(ozekitest.Path, ozekitest.Handler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As strict as the product's own page.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://127.0.0.1:1; img-src data:")
		mux.ServeHTTP(w, r)
	})
}

var topLevelResult = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\S+)`)

func runSuite(t *testing.T, url string) {
	t.Helper()
	ctx := newBrowser(t)
	// The suite asks for failing answers on purpose; Chromium notes each in the console.
	allowConsole(t, ctx, "Failed to load resource")
	var ended struct {
		Code   int    `json:"code"`
		Output string `json:"output"`
	}
	var state []byte
	err := chromedp.Run(ctx, chromedp.Navigate(url),
		chromedp.Poll(`document.title === "ended"`, nil, chromedp.WithPollingTimeout(testTimeout)))
	if err != nil {
		t.Errorf("the suite did not end: %v", err)
	}
	if err := chromedp.Run(ctx, chromedp.Evaluate(`({code: window.code ?? -1, output: window.output})`, &state)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(state, &ended); err != nil {
		t.Fatal(err)
	}
	results := topLevelResult.FindAllStringSubmatch(ended.Output, -1)
	passed := 0
	for _, r := range results {
		if r[1] == "PASS" {
			passed++
		} else {
			t.Errorf("%s: %s", r[2], r[1])
		}
	}
	if ended.Code != 0 {
		t.Errorf("the suite ended with code %d", ended.Code)
	}
	if passed == 0 {
		t.Error("no test of the suite passed")
	}
	if t.Failed() {
		t.Logf("output of the suite:\n%s", strings.TrimSpace(ended.Output))
	} else {
		t.Logf("%d tests passed in the browser", passed)
	}
}
