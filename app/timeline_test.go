//go:build !js

package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// words gives the text of parts, with that of attributes left out.
func words(parts ...part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
		b.WriteString(words(p.parts...))
		if p.tag == "p" || p.tag == "div" {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// named gives the texts of the elements of a tag.
func named(tag string, parts ...part) (texts []string) {
	for _, p := range parts {
		if p.tag == tag {
			texts = append(texts, strings.TrimSpace(p.text+words(p.parts...)))
		}
		texts = append(texts, named(tag, p.parts...)...)
	}
	return texts
}

// saying is a message by Anna, so many minutes after noon.
func saying(n, minute int, change ...func(*state.Message)) state.Message {
	m := state.Message{ID: ozeki.MessageID(fmt.Sprint("m", n)), Text: fmt.Sprint("text ", n), From: "anna", Sender: "Anna", Created: noon.Add(time.Duration(minute) * time.Minute)}
	for _, f := range change {
		f(&m)
	}
	return m
}

func mine(m *state.Message) { m.Mine, m.From, m.Sender = true, meID, "Me" }

func entriesFor(newFrom ozeki.MessageID, messages ...state.Message) []entry {
	return entriesOf(&state.Open{Messages: messages, NewFrom: newFrom}, daysOf())
}

func TestMessagesAreGroupedByDayAndSender(t *testing.T) {
	event := func(m *state.Message) { m.Kind = state.KindEvent }
	es := entriesFor("m5", saying(1, 0), saying(2, 4), saying(3, 10), saying(4, 11, mine), saying(5, 12, mine), saying(6, 12, mine, event), saying(7, 13, mine),
		saying(8, 24*60), saying(9, 24*60+1))
	var got []string
	for _, e := range es {
		got = append(got, fmt.Sprint(e.ID, " ", e.day, " ", e.first, " ", e.fresh))
	}
	want := []string{
		"m1 2026-03-10 true false", "m2 2026-03-10 false false", "m3 2026-03-10 true false", "m4 2026-03-10 true false", "m5 2026-03-10 true true",
		"m6 2026-03-10 false false", "m7 2026-03-10 true false", "m8 2026-03-11 true false", "m9 2026-03-11 false false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the groups are %q", got)
	}
}

// A message that comes after those of a later day stays behind them: its day comes once more, as a group of its own.
func TestAMessageOfAnEarlierDayKeepsItsPlace(t *testing.T) {
	var got []string
	for _, e := range entriesFor("", saying(1, 0), saying(2, 24*60), saying(3, 1), saying(4, 2), saying(5, 24*60+1), saying(6, 3)) {
		got = append(got, fmt.Sprint(e.ID, " ", e.day, " ", e.first))
	}
	want := []string{
		"m1 2026-03-10 true", "m2 2026-03-11 true", "m3 2026-03-10 2 true", "m4 2026-03-10 2 false", "m5 2026-03-11 2 true", "m6 2026-03-10 3 true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the groups are %q", got)
	}
}

func TestAMessageSaysHowFarItIs(t *testing.T) {
	row := func(s state.MessageState, r state.Receipt) []part {
		return messageParts(entry{Message: saying(1, 0, mine, func(m *state.Message) { m.State, m.Receipt, m.Why = s, r, "Too long." })})
	}
	for _, c := range []struct {
		state   state.MessageState
		receipt state.Receipt
		says    string
		buttons []string
	}{
		{state.MessageSent, state.ReceiptNone, "12:00", nil},
		{state.MessageSent, state.ReceiptDelivered, "12:00", nil},
		{state.MessageSent, state.ReceiptViewed, "12:00", nil},
		{state.MessageSending, state.ReceiptNone, "Sending…", nil},
		{state.MessageQueued, state.ReceiptNone, "Waiting for the connection", []string{"Delete"}},
		{state.MessagePaused, state.ReceiptNone, "Waiting to try again", []string{"Try now", "Delete"}},
		{state.MessageFailed, state.ReceiptNone, "Not sent. Too long.", []string{"Try again", "Delete"}},
	} {
		parts := row(c.state, c.receipt)
		text := strings.ReplaceAll(words(parts...), "\n", "")
		if !strings.Contains(text, c.says) || !slices.Equal(named("button", parts...), c.buttons) || !strings.HasPrefix(text, "You: text 1") {
			t.Errorf("state %d, receipt %d: %q with %q", c.state, c.receipt, text, named("button", parts...))
		}
	}
	if theirs := messageParts(entry{Message: saying(1, 0), first: true}); words(theirs[0]) != "Anna\n" || len(named("span", theirs...)) != 0 {
		t.Errorf("somebody else's: %+v", theirs)
	}
	event := entry{Message: saying(1, 0, func(m *state.Message) { m.Kind, m.Text = state.KindEvent, "added Carol" })}
	if classOf(event) != "message event" || !strings.HasPrefix(words(messageParts(event)...), "Anna added Carol") {
		t.Errorf("an event: %+v", messageParts(event))
	}
}

func TestTheLogSaysHowItsLoadingStandsWithAWayOut(t *testing.T) {
	some := []state.Message{saying(1, 0)}
	for _, c := range []struct {
		open    state.Open
		offline bool
		head    string
		foot    string
		buttons int
	}{
		{state.Open{}, false, "Loading messages…", "", 0},
		{state.Open{}, true, "when the connection is back", "", 0},
		{state.Open{Loaded: true}, false, "No messages yet", "", 0},
		{state.Open{Loaded: true, Messages: some}, false, "begins here", "", 0},
		{state.Open{Loaded: true, Messages: some, More: true}, false, "Load older messages", "", 1},
		{state.Open{Loaded: true, Messages: some, More: true, Older: true}, false, "Loading older messages…", "", 0},
		{state.Open{Loaded: true, Messages: some, Cut: true}, false, "", "Load newer messages", 1},
		{state.Open{Loaded: true, Messages: some, Cut: true, Later: true}, false, "", "Loading newer messages…", 0},
		{state.Open{Loaded: true, Messages: some, Cut: true, Trouble: "It failed."}, false, "The messages could not be loaded. It failed.", "It failed.", 2},
		{state.Open{Trouble: "It failed."}, false, "The messages could not be loaded. It failed.", "", 1},
	} {
		head, foot := headPart(&c.open, c.offline), footPart(&c.open)
		if !strings.Contains(words(head), c.head) || !strings.Contains(words(foot), c.foot) || len(named("button", head, foot)) != c.buttons {
			t.Errorf("%+v: %q and %q", c.open, words(head), words(foot))
		}
	}
}

func TestOnlyTheMessagesAroundTheReaderAreInThePage(t *testing.T) {
	var ms []state.Message
	for i := range 600 {
		ms = append(ms, saying(i, i*10))
	}
	es := entriesFor("m300", ms...)
	height := func(entry) float64 { return 50 }
	start, end := around(es, 300, 1000, 2000, height)
	if start != 280 || end != 340 {
		t.Errorf("in the page are %d to %d", start, end)
	}
	if start, end = around(es, 600, 1000, 2000, height); start != 580 || end != 600 {
		t.Errorf("at the end: %d to %d", start, end)
	}
	if start, end = around(es, 0, 1000, 2000, height); start != 0 || end != 40 {
		t.Errorf("at the beginning: %d to %d", start, end)
	}
	// Spacers and what is in the page come to the same height, wherever the cut is made: the heading of the day that is
	// cut stands in the page.
	whole := extent(es, 0, 600, height, "")
	for _, cut := range []int{0, 1, 72, 73, 300, 301, 599} {
		above := extent(es, 0, cut, height, es[cut].day)
		below := extent(es, cut, 600, height, "")
		if cut > 0 && es[cut-1].day == es[cut].day {
			below += dayHeight
		}
		if above+below != whole {
			t.Errorf("cut at %d: %v above and %v below, of %v", cut, above, below, whole)
		}
	}
	if h := estimate(entry{Message: saying(1, 0)}); h < 40 || h > 80 {
		t.Errorf("a line is thought to be %v pixels high", h)
	}
}

func TestTheButtonToTheNewestCountsWhatIsNewThere(t *testing.T) {
	for n, want := range map[int]string{0: "Jump to newest", 1: "Jump to newest, 1 new message", 7: "Jump to newest, 7 new messages"} {
		if got := jumpWords(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
