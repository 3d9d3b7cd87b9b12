package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The figures of `make bench`: each is one JSON line on standard output, times in milliseconds. They are for comparing
// versions in one run on one machine; no test asserts them.

type figure struct {
	Figure  string  `json:"figure"`
	Profile string  `json:"profile"`
	Unit    string  `json:"unit"`
	N       int     `json:"n"`
	Median  float64 `json:"median"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
}

func report(b *testing.B, name, profile string, values []float64) {
	b.Helper()
	reportIn(b, "ms", name, profile, values)
}

func reportIn(b *testing.B, unit, name, profile string, values []float64) {
	b.Helper()
	if len(values) == 0 {
		b.Fatalf("%s: nothing was measured", name)
	}
	slices.Sort(values)
	round := func(v float64) float64 { return math.Round(v*10) / 10 }
	line, err := json.Marshal(figure{name, profile, unit, len(values), round(values[len(values)/2]), round(values[0]), round(values[len(values)-1])})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%s\n", line)
}

// benchServer runs the binary on a fresh database that the given command line fills (demo, or seed and then serve).
func benchServer(b *testing.B, seed ...string) (url string) {
	b.Helper()
	bin := os.Getenv("STARLING_BIN")
	if bin == "" {
		b.Fatal("STARLING_BIN does not name the binary: run make bench")
	}
	data := b.TempDir()
	command := "demo"
	if len(seed) > 0 {
		command = "serve"
		if out, err := exec.Command(bin, append([]string{"seed", "--data", data}, seed...)...).CombinedOutput(); err != nil {
			b.Fatalf("seed: %v\n%s", err, out)
		}
	}
	cmd := exec.Command(bin, command, "--addr", "127.0.0.1:0", "--data", data)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			b.Errorf("the server stopped badly: %v", err)
		}
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, after, ok := strings.Cut(lines.Text(), "listening on "); ok {
			go func() {
				for lines.Scan() { // keep the pipe empty
				}
			}()
			return after
		}
	}
	b.Fatal("the server ended before it listened")
	return ""
}

// profile shapes a page's network and processor.
type profile struct {
	name string
	cpu  float64
	rtt  float64 // ms
	rate float64 // bytes a second, negative for no limit
}

var profiles = []profile{
	{"fast", 1, 0, -1},
	{"slow", 4, 150, 1.6e6 / 8},
}

func (p profile) apply() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if err := emulation.SetCPUThrottlingRate(p.cpu).Do(ctx); err != nil {
			return err
		}
		if p.rate < 0 {
			return nil
		}
		return network.EmulateNetworkConditions(false, p.rtt, p.rate, p.rate).Do(ctx)
	})
}

// stopwatch notes in the page when the form stood, when the program took over, and when the first row was in the list.
// With credentials in sessionStorage it submits the form as soon as it stands, as a password manager's user would.
const stopwatch = `(() => {
  const t = (window.benchTimes = {});
  const look = () => {
    if (!t.form && document.getElementById("signin-form")?.offsetParent) t.form = performance.now();
    if (!t.live && window.starling?.submit) t.live = performance.now();
    if (!t.list && document.querySelector("li.row")) t.list = performance.now();
    if (!t.list) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  addEventListener("DOMContentLoaded", () => {
    if (document.documentElement.dataset.phase !== "out") return;
    document.getElementById("email").value = benchEmail;
    document.getElementById("password").value = "starling-demo";
    document.getElementById("signin-form").requestSubmit();
  });
})()`

type times struct{ Form, Live, List float64 }

func measureStart(ctx context.Context, b *testing.B, action chromedp.Action) (t times) {
	b.Helper()
	if err := chromedp.Run(ctx, action, chromedp.Poll(`window.benchTimes?.list > 0`, nil, chromedp.WithPollingTimeout(50*time.Second)),
		chromedp.Evaluate(`window.benchTimes`, &t)); err != nil {
		b.Fatal(err)
	}
	return t
}

// keptList waits until the device keeps the list (its last record) and gives the size of all that it keeps for reading
// without a connection, in bytes; 0 if that takes longer than half a minute.
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
    if (await shelf((s) => s.get("about")).catch(() => null)) {
      return (await shelf((s) => s.getAll())).reduce((n, r) => n + (r.data?.byteLength ?? 0), 0);
    }
    await new Promise((done) => setTimeout(done, 200));
  }
  return 0;
})()`

func benchStart(b *testing.B, url, email, size string, rounds int, p profile) {
	var form, live, list, bytes, warmLive, warmList []float64
	for range rounds {
		ctx := newBrowser(b)
		if err := chromedp.Run(ctx, p.apply(), chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(fmt.Sprintf("const benchEmail=%q;%s", email, stopwatch)).Do(ctx)
			return err
		})); err != nil {
			b.Fatal(err)
		}
		cold := measureStart(ctx, b, chromedp.Navigate(url))
		form, live, list = append(form, cold.Form), append(live, cold.Live), append(list, cold.List)
		// Warm: the worker has its files.
		if err := chromedp.Run(ctx, chromedp.Poll(`navigator.serviceWorker.controller !== null`, nil, chromedp.WithPollingTimeout(50*time.Second))); err != nil {
			b.Fatal(err)
		}
		var kept int
		if err := chromedp.Run(ctx, chromedp.Evaluate(keptList, &kept, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })); err != nil {
			b.Fatal(err)
		}
		bytes = append(bytes, float64(kept))
		warm := measureStart(ctx, b, chromedp.Reload())
		warmLive, warmList = append(warmLive, warm.Live), append(warmList, warm.List)
	}
	report(b, "first visit to sign-in form"+size, p.name, form)
	report(b, "first visit to program"+size, p.name, live)
	report(b, "first visit to list, signing in at once"+size, p.name, list)
	report(b, "reload to program"+size, p.name, warmLive)
	report(b, "reload to list"+size, p.name, warmList)
	reportIn(b, "bytes", "kept on the device"+size, p.name, bytes)
}

func BenchmarkStart(b *testing.B) {
	url := benchServer(b)
	for _, p := range profiles {
		benchStart(b, url, "alice@example.com", "", 5, p)
	}
}

// clicking clicks the star of the first conversation, there and back, ten times and gives the times from the click to the frame after it.
const clicking = `(async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const c = new MessageChannel();
    c.port1.onmessage = done;
    c.port2.postMessage(0);
  }));
  const out = [];
  let star;
  for (let i = 0; i < 20; i++) {
    while (document.querySelector(".row [data-way]")) await frame();
    await new Promise((done) => setTimeout(done, 30 + (i * 7) % 17));
    if (i % 2 === 0) star = document.querySelector(".conversations .row .star"); // there, and back
    const start = performance.now();
    star.click();
    await frame();
    out.push(performance.now() - start);
  }
  return out;
})()`

func benchStar(b *testing.B, url, email, size string, p profile) {
	ctx := newBrowser(b)
	var values []float64
	if err := chromedp.Run(ctx,
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(fmt.Sprintf("const benchEmail=%q;%s", email, stopwatch)).Do(ctx)
			return err
		}),
		chromedp.Navigate(url),
		chromedp.Poll(`window.benchTimes?.list > 0`, nil, chromedp.WithPollingTimeout(50*time.Second)),
		p.apply(),
		chromedp.Evaluate(clicking, &values, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	); err != nil {
		b.Fatal(err)
	}
	report(b, "star click to paint"+size, p.name, values)
}

func BenchmarkStar(b *testing.B) {
	url := benchServer(b)
	for _, p := range profiles {
		benchStar(b, url, "alice@example.com", "", p)
	}
}

func BenchmarkTenThousandConversations(b *testing.B) {
	url := benchServer(b, "--users", "500", "--conversations", "10000", "--messages", "2")
	benchStart(b, url, "user1@example.com", ", 10,000 conversations", 3, profiles[0])
	benchStar(b, url, "user1@example.com", ", 10,000 conversations", profiles[0])
}
