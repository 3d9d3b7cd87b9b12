package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
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
	P95     float64 `json:"p95"`
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
	line, err := json.Marshal(figure{name, profile, unit, len(values), round(values[len(values)/2]), round(values[(len(values)*95+99)/100-1]), round(values[0]), round(values[len(values)-1])})
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

// profile shapes the network (see shape) and a page's processor.
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

// throttle slows the page's processor down.
func (p profile) throttle() chromedp.Action { return emulation.SetCPUThrottlingRate(p.cpu) }

// afterFrame makes frame(), fulfilled when the next frame has been drawn.
const afterFrame = `
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const c = new MessageChannel();
    c.port1.onmessage = done;
    c.port2.postMessage(0);
  }));`

// clicking clicks the star of the first conversation, there and back, ten times and gives the times from the click to the frame after it.
const clicking = `(async () => {` + afterFrame + `
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

// switching opens the first conversations by turns and gives the times from the click to the frame after it.
const switching = `(async () => {` + afterFrame + `
  const out = [];
  const links = [...document.querySelectorAll(".conversations .row a")].slice(0, 5);
  for (let i = 0; i < 25; i++) {
    await new Promise((done) => setTimeout(done, 150 + (i * 7) % 17));
    const start = performance.now();
    links[i % links.length].click();
    await frame();
    if (i >= links.length) out.push(performance.now() - start); // the first time each is loaded
  }
  return out;
})()`

// filtering types into the filter and gives how long the page was busy with each key.
const filtering = `(async () => {
  const out = [], filter = document.getElementById("filter");
  for (const text of ["a", "an", "ann", "an", "a", "", "e", "er", "e", ""]) {
    filter.value = text;
    const start = performance.now();
    filter.dispatchEvent(new InputEvent("input", { bubbles: true }));
    out.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 60));
  }
  return out;
})()`

// scrolling goes through the list at 60 pixels a frame and gives the times between the frames.
const scrolling = `(async () => {
  const out = [], list = document.querySelector(".conversations .scroll");
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < 120; i++) {
    list.scrollTop += 60;
    const now = await new Promise(requestAnimationFrame);
    out.push(now - last);
    last = now;
  }
  list.scrollTop = 0;
  return out;
})()`

func benchClicks(b *testing.B, url, email, size string, p profile) {
	ctx := newBrowser(b)
	evaluate := func(script string) (values []float64) {
		if err := chromedp.Run(ctx, chromedp.Evaluate(script, &values, awaited)); err != nil {
			b.Fatal(err)
		}
		return values
	}
	signInAtOnce(b, ctx, email)
	if measureStart(ctx, b, url); b.Failed() {
		return
	}
	if err := chromedp.Run(ctx, p.throttle()); err != nil {
		b.Fatal(err)
	}
	report(b, "star click to paint"+size, p.name, evaluate(clicking))
	report(b, "switching click to paint"+size, p.name, evaluate(switching))
	report(b, "filter keystroke, busy"+size, p.name, evaluate(filtering))
	report(b, "frame while scrolling"+size, p.name, evaluate(scrolling))
}

func BenchmarkClicks(b *testing.B) {
	url := benchServer(b)
	for _, p := range profiles {
		benchClicks(b, url, "alice@example.com", "", p)
	}
}

func BenchmarkTenThousandConversations(b *testing.B) {
	url := benchServer(b, "--users", "500", "--conversations", "10000", "--messages", "2")
	benchVisits(b, url, "user1@example.com", ", 10,000 conversations", 3, profiles[0])
	for _, p := range profiles {
		benchClicks(b, url, "user1@example.com", ", 10,000 conversations", p)
	}
}
