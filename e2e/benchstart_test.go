package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/css"
	"github.com/chromedp/cdproto/dom"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// The figures of a first visit and of a return: a browser of its own for each, the second on the profile of the first.

// wire is one direction of a shaped link: all connections share its rate.
type wire struct {
	mu   sync.Mutex
	free time.Time
	rate float64 // bytes a second
}

// take gives the moment in which n bytes have passed.
func (w *wire) take(n int) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); w.free.Before(now) {
		w.free = now
	}
	w.free = w.free.Add(time.Duration(float64(n) / w.rate * float64(time.Second)))
	return w.free
}

// shape puts a link with the profile's rate and round trip in front of a server and gives its address there. It works on the
// connections, so that it shapes the service worker and sockets too. A connection costs a round trip to open.
func (p profile) shape(b *testing.B, url string) string {
	b.Helper()
	if p.rate < 0 {
		return url
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	rtt := time.Duration(p.rtt * float64(time.Millisecond))
	up, down := &wire{rate: p.rate}, &wire{rate: p.rate}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				time.Sleep(rtt)
				out, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
				if err != nil {
					_ = in.Close()
					return
				}
				go up.carry(out, in, rtt/2)
				down.carry(in, out, rtt/2)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// carry copies what comes from one connection to the other, late and at the wire's rate.
func (w *wire) carry(to, from net.Conn, late time.Duration) {
	type packet struct {
		at   time.Time
		data []byte
	}
	under := make(chan packet, 64)
	go func() {
		defer close(under)
		for {
			data := make([]byte, 1400)
			n, err := from.Read(data)
			if n > 0 {
				passed := w.take(n)
				under <- packet{passed.Add(late), data[:n]}
				time.Sleep(time.Until(passed))
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range under {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
	for range under { // let the reader go
	}
}

// stopwatch notes in the page when the form stood, when a list was painted, when the program took over, and when its own list
// stood, and for how long the page was blocked until then. Where nobody is signed in it submits the form as soon as it
// stands, as a password manager's user would.
const stopwatch = `(() => {
  const t = (window.benchTimes = { blocked: 0 });
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (!t.list || e.startTime < t.list) t.blocked += Math.max(0, e.duration - 50);
  }).observe({ type: "longtask", buffered: true });
  const look = (now) => {
    if (!t.form && document.getElementById("signin-form")?.offsetParent) t.form = performance.now();
    if (!t.sidebar && document.querySelector("li.row")) t.sidebar = performance.now();
    if (!t.live && window.starling?.submit) t.live = performance.now();
    if (!t.list && document.querySelector("#app li.row") && !document.documentElement.hasAttribute("data-pictured")) t.list = performance.now();
    if (!t.list) requestAnimationFrame(look);
    else setTimeout(() => (t.done = true), 300); // long tasks are told late
  };
  requestAnimationFrame(look);
  addEventListener("DOMContentLoaded", () => {
    if (document.documentElement.dataset.phase !== "out") return;
    document.getElementById("email").value = benchEmail;
    document.getElementById("password").value = "starling-demo";
    document.getElementById("signin-form").requestSubmit();
  });
})()`

type times struct{ Form, Sidebar, Live, List, Blocked float64 }

// signInAtOnce has the stopwatch run in all later pages.
func signInAtOnce(b *testing.B, ctx context.Context, email string) {
	b.Helper()
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(fmt.Sprintf("const benchEmail=%q;%s", email, stopwatch)).Do(ctx)
		return err
	})); err != nil {
		b.Fatal(err)
	}
}

func measureStart(ctx context.Context, b *testing.B, url string) (t times) {
	b.Helper()
	open(ctx, b, url, "window.benchTimes?.done")
	if err := chromedp.Run(ctx, chromedp.Evaluate("window.benchTimes", &t)); err != nil {
		b.Fatal(err)
	}
	return t
}

// keptList waits until the device keeps the list (its last record) and the sidebar, and gives the size of all that it keeps for
// reading without a connection, in bytes; 0 if that takes longer than half a minute.
const keptList = `(async () => {
  const shelf = (call) => new Promise((good, bad) => {
    const r = indexedDB.open("starling-shelf");
    r.onerror = bad;
    r.onupgradeneeded = () => r.transaction.abort();
    r.onsuccess = () => {
      const q = call(r.result.transaction("shelf").objectStore("shelf"));
      q.onsuccess = () => { r.result.close(); good(q.result); };
    };
  });
  for (let i = 0; i < 150; i++) {
    const there = await Promise.all(["about", "sidebar"].map((name) => shelf((s) => s.get(name)).catch(() => null)));
    if (there.every(Boolean)) return (await shelf((s) => s.getAll())).reduce((n, r) => n + (r.data?.byteLength ?? 0), 0);
    await new Promise((done) => setTimeout(done, 200));
  }
  return 0;
})()`

// settle waits until a browser that was just started has nothing more to do for that: until its processes take less than a
// tenth of a processor, twice in a row. Otherwise its start would be counted as the page's.
func settle(ctx context.Context, b *testing.B) {
	b.Helper()
	browser := cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)
	const pause = 200 * time.Millisecond
	before, calm := math.Inf(1), 0
	for start := time.Now(); calm < 2 && time.Since(start) < 15*time.Second; time.Sleep(pause) {
		processes, err := systeminfo.GetProcessInfo().Do(browser)
		if err != nil {
			b.Fatal(err)
		}
		used := 0.0
		for _, process := range processes {
			used += process.CPUTime
		}
		if calm++; used-before > pause.Seconds()/10 || math.IsInf(before, 1) {
			calm = 0
		}
		before = used
	}
}

// barePage serves the page of url without its scripts and links: the sign-in form as markup and styles alone.
func barePage(b *testing.B, url string) string {
	b.Helper()
	res, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	page := regexp.MustCompile(`(?s)<script.*?</script>|<link.*?>`).ReplaceAllString(string(body), "")
	page = strings.Replace(page, "<html ", `<html data-phase="out" `, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page) // the browser may have gone
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// painted goes to a page that does nothing, and gives when it was painted first.
func painted(ctx context.Context, b *testing.B, url string) (at float64) {
	b.Helper()
	first := `performance.getEntriesByType("paint")[0]?.startTime`
	open(ctx, b, url, first)
	if err := chromedp.Run(ctx, chromedp.Evaluate(first, &at)); err != nil {
		b.Fatal(err)
	}
	return at
}

// memory gives what the largest page of a browser has for itself, in MB.
func memory(ctx context.Context, b *testing.B) float64 {
	b.Helper()
	browser := cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)
	processes, err := systeminfo.GetProcessInfo().Do(browser)
	if err != nil {
		b.Fatal(err)
	}
	most := 0
	for _, process := range processes {
		if process.Type != "renderer" {
			continue
		}
		smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", process.ID))
		if err != nil {
			continue // it has gone
		}
		own := 0
		for line := range strings.Lines(string(smaps)) {
			if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[0], "Private_") {
				kB, err := strconv.Atoi(f[1])
				if err != nil {
					b.Fatal(err)
				}
				own += kB
			}
		}
		most = max(most, own)
	}
	return float64(most) / 1024
}

// visit starts a browser on the profile in dir, waits until it is calm, and ends it when then has returned.
func (p profile) visit(b *testing.B, dir string, then func(ctx context.Context)) {
	b.Helper()
	root, stop, err := launch(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithTimeout(root, testTimeout)
	defer cancel()
	if err := chromedp.Run(ctx, p.throttle()); err != nil {
		b.Fatal(err)
	}
	unwatched(ctx, b)
	settle(ctx, b)
	then(ctx)
}

// unwatched has the browser tell chromedp no more of the page than it is asked for. All that chromedp listens to otherwise (requests, the
// document, its styles, workers) is work that no user's browser has, on the same two processors. Waiting for what a page shows
// does not go by chromedp's means then (see await).
func unwatched(ctx context.Context, b *testing.B) {
	b.Helper()
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		for _, do := range []func(context.Context) error{
			network.Disable().Do, css.Disable().Do, dom.Disable().Do, cdplog.Disable().Do, page.SetLifecycleEventsEnabled(false).Do,
			target.SetAutoAttach(false, false).WithFlatten(true).Do, target.SetDiscoverTargets(false).Do,
		} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	})); err != nil {
		b.Fatal(err)
	}
}

// open goes to an address and waits for the expression to be true there, in a page that is unwatched or not.
func open(ctx context.Context, b *testing.B, url, expression string) {
	b.Helper()
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, failed, _, err := page.Navigate(url).Do(ctx)
		if failed != "" {
			return errors.New(failed)
		}
		return err
	})); err != nil {
		b.Fatalf("go to %s: %v", url, err)
	}
	await(ctx, b, expression)
}

// await waits for the expression to be true, or a promise of what is. It asks seldom, since that too is work.
func await(ctx context.Context, b *testing.B, expression string) {
	b.Helper()
	for there := false; !there; {
		if err := chromedp.Run(ctx, chromedp.Sleep(300*time.Millisecond), chromedp.Evaluate("(async () => !!(await ("+expression+")))()", &there, awaited)); err != nil {
			b.Fatalf("wait for %s: %v", expression, err)
		}
	}
}

func benchVisits(b *testing.B, url, email, size string, rounds int, p profile) {
	b.Helper()
	bare := p.shape(b, barePage(b, url))
	url = p.shape(b, url)
	var cold, warm []times
	var bytes, floor, grown, line, form []float64
	for range rounds {
		p.visit(b, b.TempDir(), func(ctx context.Context) { line = append(line, painted(ctx, b, url+"/healthz")) })
		p.visit(b, b.TempDir(), func(ctx context.Context) { form = append(form, painted(ctx, b, bare)) })
		dir := b.TempDir()
		p.visit(b, dir, func(ctx context.Context) {
			open(ctx, b, url+"/healthz", "true")
			floor = append(floor, memory(ctx, b))
			signInAtOnce(b, ctx, email)
			cold = append(cold, measureStart(ctx, b, url))
			var kept int
			await(ctx, b, "navigator.serviceWorker.controller")
			if err := chromedp.Run(ctx, chromedp.Evaluate(keptList, &kept, awaited)); err != nil {
				b.Fatal(err)
			}
			bytes = append(bytes, float64(kept))
		})
		p.visit(b, dir, func(ctx context.Context) {
			signInAtOnce(b, ctx, email)
			warm = append(warm, measureStart(ctx, b, url))
			grown = append(grown, memory(ctx, b)-floor[len(floor)-1])
		})
	}
	of := func(visits []times, f func(times) float64) (values []float64) {
		for _, t := range visits {
			values = append(values, f(t))
		}
		return values
	}
	report(b, "floor: first paint of a line of text"+size, p.name, line)
	report(b, "floor: first paint of the page without its scripts"+size, p.name, form)
	report(b, "first visit to sign-in form"+size, p.name, of(cold, func(t times) float64 { return t.Form }))
	report(b, "first visit to program"+size, p.name, of(cold, func(t times) float64 { return t.Live }))
	report(b, "first visit to list, signing in at once"+size, p.name, of(cold, func(t times) float64 { return t.List }))
	report(b, "first visit, blocked until the list"+size, p.name, of(cold, func(t times) float64 { return t.Blocked }))
	report(b, "return to a readable sidebar"+size, p.name, of(warm, func(t times) float64 { return t.Sidebar }))
	report(b, "return to program"+size, p.name, of(warm, func(t times) float64 { return t.Live }))
	report(b, "return to live list"+size, p.name, of(warm, func(t times) float64 { return t.List }))
	report(b, "return, blocked until the list"+size, p.name, of(warm, func(t times) float64 { return t.Blocked }))
	reportIn(b, "MB", "static page, memory"+size, p.name, floor)
	reportIn(b, "MB", "return, memory above the static page"+size, p.name, grown)
	reportIn(b, "bytes", "kept on the device"+size, p.name, bytes)
}

func BenchmarkStart(b *testing.B) {
	url := benchServer(b)
	for _, p := range profiles {
		benchVisits(b, url, "alice@example.com", "", 5, p)
	}
}
