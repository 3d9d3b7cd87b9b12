// Package e2e proves the product in a real Chromium, one user story per test.
package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// testTimeout bounds one device or tab, so that no test hangs.
const testTimeout = 2 * time.Minute

// newBrowser opens a page on a fresh device: its own cookies, storage, caches and workers, apart from every other call's.
// All devices live in one Chromium process. The page is closed and the device forgotten when the test ends; the test
// then fails if the page had reported an error that was not allowed with allowConsole.
func newBrowser(t testing.TB) context.Context {
	t.Helper()
	root := startChromium(t)
	ctx, cancel := context.WithTimeout(cdp.WithExecutor(root, chromedp.FromContext(root).Browser), testTimeout)
	defer cancel()
	device, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
	if err != nil {
		t.Fatalf("make a device in Chromium: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(cdp.WithExecutor(root, chromedp.FromContext(root).Browser), testTimeout)
		defer cancel()
		if err := target.DisposeBrowserContext(device).Do(ctx); err != nil {
			t.Errorf("forget a device in Chromium: %v", err)
		}
	})
	return openTab(t, root, device)
}

// newTab opens one more page on the device of ctx, which newBrowser or newTab gave, and watches it in the same way. The
// page of ctx may be closed (chromedp.Cancel) meanwhile: the device and its storage stay until the test ends.
func newTab(t testing.TB, ctx context.Context) context.Context {
	t.Helper()
	return openTab(t, startChromium(t), watchOf(t, ctx).device)
}

// allowConsole excuses the page of ctx for errors whose text contains the substring, also for those reported before.
func allowConsole(t testing.TB, ctx context.Context, substring string) {
	t.Helper()
	w := watchOf(t, ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed = append(w.allowed, substring)
}

// console returns what the page of ctx has written to its console so far, errors included, one entry per line.
func console(t testing.TB, ctx context.Context) string {
	t.Helper()
	w := watchOf(t, ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// watch collects what a page reports.
type watch struct {
	device cdp.BrowserContextID
	base   context.Context // the page, without the test's time-out

	mu       sync.Mutex
	lines    []string // all of the console
	problems []string // console errors, uncaught exceptions, CSP violations, crashes
	allowed  []string
}

type watchKey struct{}

func watchOf(t testing.TB, ctx context.Context) *watch {
	t.Helper()
	w, ok := ctx.Value(watchKey{}).(*watch)
	if !ok {
		t.Fatal("this context is none of newBrowser or newTab")
	}
	return w
}

func openTab(t testing.TB, root context.Context, device cdp.BrowserContextID) context.Context {
	t.Helper()
	// Every page has a window of its own: Chromium makes no tab in a device without windows, and none is hidden by another.
	ctx, cancel := context.WithTimeout(cdp.WithExecutor(root, chromedp.FromContext(root).Browser), testTimeout)
	defer cancel()
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(device).WithNewWindow(true).Do(ctx)
	if err != nil {
		t.Fatalf("open a page in Chromium: %v", err)
	}
	base, closeTab := chromedp.NewContext(root, chromedp.WithTargetID(id))
	w := &watch{device: device, base: base}
	chromedp.ListenTarget(base, w.event)
	// A deadline on the first Run's own context would later end the page's event loop.
	late := time.AfterFunc(testTimeout, closeTab)
	if err := chromedp.Run(base); err != nil {
		closeTab()
		t.Fatalf("open a page in Chromium: %v", err)
	}
	late.Stop()
	ctx, cancelTest := context.WithTimeout(context.WithValue(base, watchKey{}, w), testTimeout)
	t.Cleanup(func() {
		cancelTest()
		w.flush()
		closeTab()
		w.judge(t)
	})
	return ctx
}

// flush makes a round trip to the page, so that what it reported before has arrived.
func (w *watch) flush() {
	ctx, cancel := context.WithTimeout(w.base, 2*time.Second)
	defer cancel()
	_ = chromedp.Run(ctx, chromedp.Evaluate("0", nil)) // the test may have closed or crashed the page
}

func (w *watch) judge(t testing.TB) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.problems {
		if !slices.ContainsFunc(w.allowed, func(s string) bool { return strings.Contains(p, s) }) {
			t.Errorf("the page reported: %s", p)
		}
	}
	if t.Failed() && len(w.lines) > 0 {
		t.Logf("console of the page:\n%s", strings.Join(w.lines, "\n"))
	}
}

func (w *watch) event(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		text := wordsOf(ev.Args)
		// "exit code:" is how wasm_exec.js tells that a Go program ended with a panic.
		bad := ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeAssert || strings.HasPrefix(text, "exit code:")
		w.note(bad, "console."+string(ev.Type), text)
	case *runtime.EventExceptionThrown:
		w.note(true, "uncaught exception", ev.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		e := ev.Entry
		bad := e.Level == log.LevelError || strings.Contains(e.Text, "Content Security Policy")
		w.note(bad, string(e.Source)+" "+string(e.Level), strings.TrimSpace(e.Text+" "+e.URL))
	case *inspector.EventTargetCrashed:
		w.note(true, "crash", "the page's process ended")
	case *page.EventJavascriptDialogOpening:
		w.note(true, "dialog", string(ev.Type)+": "+ev.Message)
		go func() { _ = chromedp.Run(w.base, page.HandleJavaScriptDialog(true)) }()
	}
}

func (w *watch) note(bad bool, kind, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := kind + ": " + text
	w.lines = append(w.lines, line)
	if bad {
		w.problems = append(w.problems, line)
	}
}

// wordsOf returns the arguments of a console call as text.
func wordsOf(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		switch {
		case a.Type == runtime.TypeString:
			words = append(words, strings.Trim(string(a.Value), `"`))
		case a.Description != "":
			words = append(words, a.Description)
		default:
			words = append(words, string(a.Value))
		}
	}
	return strings.Join(words, " ")
}

var chromium struct {
	mu   sync.Mutex
	ctx  context.Context // the browser
	err  error           // why it does not start
	stop func()
}

// startChromium starts the one Chromium process of this test binary if it does not run yet.
func startChromium(t testing.TB) context.Context {
	t.Helper()
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	if chromium.ctx == nil && chromium.err == nil {
		chromium.ctx, chromium.stop, chromium.err = launch("")
	}
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	return chromium.ctx
}

// launch starts Chromium on a profile that is there already, or on one of its own that goes with it.
func launch(profile string) (ctx context.Context, stop func(), err error) {
	path, err := chromiumPath()
	if err != nil {
		return nil, nil, err
	}
	forget := func() {}
	if profile == "" {
		if profile, err = os.MkdirTemp("", "starling-e2e-"); err != nil {
			return nil, nil, err
		}
		forget = func() { _ = os.RemoveAll(profile) }
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.WSURLReadTimeout(testTimeout),
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("no-sandbox", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		// Containers have a small /dev/shm.
		chromedp.Flag("disable-dev-shm-usage", true),
		// Pages of several devices work at once, each as if it were in front.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
	)
	// A newer Chromium sends values that this cdproto does not know; chromedp would print each.
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	stop = func() {
		gently, cancelGently := context.WithTimeout(ctx, 10*time.Second)
		_ = chromedp.Cancel(gently)
		cancelGently()
		cancel()
		stopAlloc()
		forget()
	}
	if err := chromedp.Run(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, stop, nil
}

// chromiumPath finds Chromium: $CHROMIUM, Debian's place, or the PATH.
func chromiumPath() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"/usr/bin/chromium", "chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("Chromium is needed: apt-get install chromium, or name another one in $CHROMIUM")
}

// atEnd registers what TestMain does after the last test.
func atEnd(f func()) { ending = append(ending, f) }

var ending []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range slices.Backward(ending) {
		f()
	}
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

// A page's errors must not pass unseen in any story, and two devices must not see each other's storage: everything else
// in this package relies on both.
func TestPageErrorsFailAStoryAndDevicesAreApart(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'self'")
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><script>inline()</script><script src="/errors.js"></script>`)
		case "/errors.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `localStorage.visits = Number(localStorage.visits ?? 0) + 1
				console.log("all is well")
				console.error("a console error")
				setTimeout(() => { throw new Error("an exception") })
				fetch("/missing").then(() => { document.title = "done" })`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()

	visit := func(ctx context.Context) (visits string) {
		t.Helper()
		allowConsole(t, ctx, "")
		err := chromedp.Run(ctx, chromedp.Navigate(server.URL),
			chromedp.Poll(`document.title === "done"`, nil), chromedp.Evaluate(`localStorage.visits`, &visits))
		if err != nil {
			t.Fatal(err)
		}
		return visits
	}
	first := newBrowser(t)
	second := newTab(t, first)
	other := newBrowser(t)
	if a, b, c := visit(first), visit(second), visit(other); a != "1" || b != "2" || c != "1" {
		t.Errorf("visits counted on a device, in its second tab and on another device: %s, %s, %s; want 1, 2, 1", a, b, c)
	}

	w := watchOf(t, first)
	w.flush()
	if got := console(t, first); !strings.Contains(got, "console.log: all is well") {
		t.Errorf("the console shows %q", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, want := range []string{"Content Security Policy", "a console error", "an exception", "404"} {
		if !slices.ContainsFunc(w.problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("nothing about %q was noticed in %q", want, w.problems)
		}
	}
	if len(w.problems) != 4 {
		t.Errorf("noticed %q, want four problems", w.problems)
	}
}
