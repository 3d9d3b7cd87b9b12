package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"starling/ozeki"
	"starling/ozeki/json"
)

// writer is somebody who writes from a program, into the conversations that he has with the measured person.
type writer struct {
	*ozeki.Client
	b    *testing.B
	all  []ozeki.Conversation
	keys [][]byte
}

func newBenchWriter(b *testing.B, url, email string) *writer {
	b.Helper()
	ctx := b.Context()
	w := &writer{Client: ozeki.NewClient(ozeki.Options{Base: url + "/ozeki/index.php"}), b: b}
	cred, err := w.Scheme().Credentials(ctx, email, demoPassword)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.SignIn(ctx, ozeki.NewStationID(), cred.APIKey, cred.EncryptionPassword); err != nil {
		b.Fatal(err)
	}
	if w.all, err = w.Conversations(ctx); err != nil {
		b.Fatal(err)
	}
	for _, c := range w.all {
		key, err := w.Scheme().UnwrapKey(ctx, w.Session().Key, c.Secret)
		if err != nil {
			b.Fatal(err)
		}
		w.keys = append(w.keys, key)
	}
	return w
}

// write writes a message into the n-th of his conversations.
func (w *writer) write(n int, text string) error {
	n %= len(w.all)
	m := ozeki.Message{ID: ozeki.NewMessageID(), Type: ozeki.TypeMessage, Created: ozeki.TimeOf(w.Now())}
	content, err := json.Marshal(ozeki.Content{Version: 1, Text: text, From: w.Session().UserID})
	if err != nil {
		return err
	}
	if m.Data, err = w.Scheme().Seal(w.b.Context(), w.keys[n], ozeki.MessageAD(w.all[n].ID, m.ID), content); err != nil {
		return err
	}
	_, err = w.Add(w.b.Context(), w.all[n].ID, w.all[n].Instance, m)
	return err
}

// burst writes so many messages, eight at a time, and then a last one.
func (w *writer) burst(messages int, last string) {
	w.b.Helper()
	work := make(chan int)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for n := range work {
				if err := w.write(n, fmt.Sprint("Of the burst, ", n)); err != nil {
					w.b.Error(err)
				}
			}
		})
	}
	for n := range messages {
		work <- n
	}
	close(work)
	wait.Wait()
	if err := w.write(0, last); err != nil {
		w.b.Error(err)
	}
}

// tasks begins to count the tasks that hold the page up.
const tasks = `(() => {
	window.longTasks = []
	new PerformanceObserver((list) => { for (const e of list.getEntries()) longTasks.push(e.duration) }).observe({entryTypes: ["longtask"]})
	return true
})()`

// A thousand messages that come while the page is open: how long is the longest task, and how long is the page blocked in all.
func BenchmarkBurst(b *testing.B) {
	const messages, rounds = 1000, 5
	url := benchServer(b, "--users", "3", "--conversations", "100", "--messages", "5")
	w := newBenchWriter(b, url, "user2@example.com")
	for _, p := range profiles {
		var longest, blocked []float64
		for round := range rounds {
			ctx := newBrowser(b)
			signInAtOnce(b, ctx, "user1@example.com")
			measureStart(ctx, b, url)
			var kept int
			if err := chromedp.Run(ctx, chromedp.Evaluate(keptList, &kept, awaited), p.throttle(), chromedp.Evaluate(tasks, nil)); err != nil {
				b.Fatal(err)
			}
			last := fmt.Sprint("The end of ", p.name, " ", round)
			w.burst(messages, last)
			var long []float64
			if err := chromedp.Run(ctx, chromedp.Poll(fmt.Sprintf(`document.querySelector(".sidebar").innerText.includes(%q)`, last), nil, chromedp.WithPollingTimeout(testTimeout)),
				chromedp.Evaluate(`new Promise((done) => setTimeout(() => done([0, ...longTasks]), 1000))`, &long, awaited)); err != nil {
				b.Fatal(err)
			}
			most, sum := 0.0, 0.0
			for _, d := range long {
				most, sum = max(most, d), sum+max(d-50, 0)
			}
			longest, blocked = append(longest, most), append(blocked, sum)
			if err := chromedp.Cancel(ctx); err != nil {
				b.Fatal(err)
			}
		}
		report(b, "burst of 1,000 messages, longest task", p.name, longest)
		report(b, "burst of 1,000 messages, blocked", p.name, blocked)
	}
}

// opening opens a conversation for the first time and gives the time from the click to the frame that shows its end.
const opening = `(async () => {
	const start = performance.now()
	document.querySelector(".sidebar .row a").click()
	await new Promise((done) => {
		const look = () => document.querySelector("[role=log] article") ? requestAnimationFrame(() => setTimeout(done)) : requestAnimationFrame(look)
		look()
	})
	return performance.now() - start
})()`

// Opening a conversation of very many messages, beside one of few.
func BenchmarkOpening(b *testing.B) {
	for _, messages := range []int{100, 100_000} {
		url := benchServer(b, "--users", "2", "--conversations", "1", "--messages", fmt.Sprint(messages))
		for _, p := range profiles {
			var took []float64
			for range 5 {
				ctx := newBrowser(b)
				signInAtOnce(b, ctx, "user1@example.com")
				measureStart(ctx, b, url)
				var ms float64
				if err := chromedp.Run(ctx, p.throttle(), chromedp.Evaluate(opening, &ms, awaited)); err != nil {
					b.Fatal(err)
				}
				took = append(took, ms)
				if err := chromedp.Cancel(ctx); err != nil {
					b.Fatal(err)
				}
			}
			report(b, fmt.Sprintf("opening a conversation of %d messages", messages), p.name, took)
		}
	}
}
