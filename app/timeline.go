package app

import (
	"fmt"
	"strings"
	"time"

	"starling/app/state"
	"starling/app/text"
	"starling/ozeki"
)

// The messages of the open conversation are an island, like the sidebar's lists: rows keyed by message, drawn in the same
// frame as the snapshot that they show. Of a long conversation only the rows around the view are in the page; the others
// are stood in for by two spacers of their heights, measured where they were once shown and estimated where not. What the
// reader looks at stays where it is, whatever happens around it: each drawing notes the first message in view and puts it
// back to its place.

const (
	sameSender = 5 * time.Minute // messages of one sender that are closer bear his name once
	nearEdge   = 600             // pixels from the end of what is at hand, where more is loaded
	rowsBefore = 400             // pixels kept in the page above the view at least
	rowsBeyond = 1200            // and how many are drawn beyond it on each side when it is drawn anew
)

// entry is a message with what depends on its neighbours.
type entry struct {
	state.Message
	first bool   // it bears the sender's name
	day   string // names its day; one that comes again after another has another name
	fresh bool   // the line "New messages" stands above it
}

// entriesOf gives the messages of the log, grouped by day and sender. Their order is the server's: what was written without
// a connection, or by a wrong clock, may stand behind messages of a later day.
func entriesOf(o *state.Open, dayOf func(time.Time) string) []entry {
	entries := make([]entry, len(o.Messages))
	var before entry
	today, times := "", map[string]int{}
	for i, m := range o.Messages {
		e := entry{Message: m, day: before.day, fresh: m.ID == o.NewFrom}
		if day := dayOf(m.Created); day != today || i == 0 {
			today, e.day = day, day
			if times[day]++; times[day] > 1 {
				e.day = fmt.Sprint(day, " ", times[day])
			}
		}
		e.first = e.fresh || m.From != before.From || e.day != before.day || before.Kind == state.KindEvent || m.Created.Sub(before.Created) > sameSender
		entries[i], before = e, e
	}
	return entries
}

// daysOf returns localDay with a memory: a time zone's days begin on a quarter of an hour.
func daysOf() func(time.Time) string { return remembering(15*time.Minute, localDay) }

// timeOf is formatTime with a memory.
var timeOf = remembering(time.Minute, formatTime)

// remembering returns a function that says a moment as another one does, which says all of such a stretch of time the same, is
// slow in a browser, and is asked once.
func remembering(stretch time.Duration, say func(time.Time) string) func(time.Time) string {
	known := map[int64]string{}
	return func(t time.Time) string {
		n := t.Unix() / int64(stretch.Seconds())
		text, ok := known[n]
		if !ok {
			if len(known) > 4096 {
				clear(known)
			}
			text = say(t)
			known[n] = text
		}
		return text
	}
}

// headPart stands above the first message: how far the loading is, what went wrong, and the way to older ones.
func headPart(o *state.Open, offline bool) part {
	note := func(text string) part { return part{tag: "p", class: "state", text: text} }
	switch {
	case o.Trouble != "":
		return part{tag: "div", class: "state", attributes: []string{"role", "alert"}, parts: []part{
			{tag: "p", text: "The messages could not be loaded. " + o.Trouble},
			buttonPart("secondary", "reload", "Try again"),
		}}
	case !o.Loaded && offline:
		return note("The messages are loaded when the connection is back.")
	case !o.Loaded:
		return note("Loading messages…")
	case len(o.Messages) == 0:
		return note("No messages yet. Say hello.")
	case o.Older:
		return note("Loading older messages…")
	case o.More:
		return part{tag: "div", class: "state", parts: []part{buttonPart("secondary", "older", "Load older messages")}}
	}
	// As high as what stood here before: at the very top there is nothing to scroll by when it goes.
	return note("The conversation begins here.")
}

// footPart stands below the last message where that is not the newest.
func footPart(o *state.Open) part {
	switch {
	case o.Later:
		return part{tag: "p", class: "state", text: "Loading newer messages…"}
	case o.Cut:
		p := part{tag: "div", class: "state", parts: []part{buttonPart("secondary", "later", "Load newer messages")}}
		if o.Trouble != "" {
			p.parts = append([]part{{tag: "p", text: "The messages could not be loaded. " + o.Trouble}}, p.parts...)
		}
		return p
	}
	return part{tag: "div"}
}

// classOf is the class of a message's element.
func classOf(e entry) string {
	if e.Kind == state.KindEvent {
		return "message event"
	}
	class := "message"
	for _, c := range []struct {
		is   bool
		name string
	}{
		{e.first, "first"}, {e.Mine, "own"}, {e.Trouble, "trouble"}, {e.Kind == state.KindDeleted, "deleted"},
		{e.State == state.MessageSending || e.State == state.MessageQueued || e.State == state.MessagePaused, "waiting"}, {e.State == state.MessageFailed, "failed"},
	} {
		if c.is {
			class += " " + c.name
		}
	}
	return class
}

// messageParts draw a message. Its text is only ever text.
func messageParts(e entry) []part {
	if e.Kind == state.KindEvent {
		return []part{{tag: "p", class: "body", attributes: []string{"dir", "auto"}, text: eventWords(e)}, {tag: "div", class: "meta", parts: []part{timePart(e)}}}
	}
	sender := part{tag: "p", class: "from", attributes: []string{"dir", "auto"}, text: e.Sender}
	switch {
	case e.Mine:
		sender = part{tag: "span", class: "visually-hidden", text: "You: "}
	case !e.first:
		sender = part{tag: "span", class: "visually-hidden", text: e.Sender + ": "}
	}
	if e.Kind == state.KindDeleted {
		return []part{sender, {tag: "div", class: "body", text: "This message was deleted."}, {tag: "div", class: "foot", parts: []part{metaPart(e)}}}
	}
	parts := []part{sender}
	if r := e.Reply(); r != nil {
		who := e.ReplySender
		if r.From == e.From {
			who = e.Sender
		}
		parts = append(parts, part{tag: "button", class: "quote", attributes: []string{
			"type", "button", "data-do", "jump", "data-to", string(r.ID), "aria-label", "Go to the message by " + who + ": " + r.Text,
		}, parts: []part{{tag: "b", attributes: []string{"dir", "auto"}, text: who}, {tag: "span", attributes: []string{"dir", "auto"}, text: r.Text}}})
	}
	body := part{tag: "div", class: "body", attributes: []string{"dir", "auto"}, text: e.Text}
	if !e.Trouble {
		body.text, body.parts = "", bodyParts(text.Parse(e.Text))
	}
	if e.Text != "" || e.Files == nil {
		parts = append(parts, body)
	}
	parts = append(parts, fileParts(e)...)
	foot := append([]part{metaPart(e)}, receiptParts(e)...)
	if e.Edited {
		foot = append(foot, part{tag: "span", class: "edited", text: "edited"})
	}
	if !e.Until.IsZero() {
		foot = append(foot, part{tag: "span", class: "lasting", icon: hourglass, parts: []part{{tag: "span", class: "clock"}}}) // its words change by the second: see clockWords
	}
	return append(parts, part{tag: "div", class: "foot", parts: foot})
}

// clockWords say how long a message lasts, and how soon they are to be said anew.
func clockWords(left time.Duration) (words string, again time.Duration) {
	count := func(unit time.Duration, one, many string) string {
		return "Gone in " + countWords(int((left+unit-1)/unit), one, many)
	}
	switch {
	case left <= 0:
		return "Gone", time.Minute
	case left <= 2*time.Minute:
		return count(time.Second, "second", "seconds"), time.Second
	case left <= 2*time.Hour:
		return count(time.Minute, "minute", "minutes"), 5 * time.Second
	case left <= 48*time.Hour:
		return count(time.Hour, "hour", "hours"), time.Minute
	}
	return count(24*time.Hour, "day", "days"), time.Minute
}

// toolParts are the buttons beside a message that the pointer or the focus is on.
func toolParts(m state.Message) []part {
	var parts []part
	if canReply(m) {
		parts = append(parts, part{tag: "button", class: "icon", attributes: []string{"type", "button", "data-do", "reply", "aria-label", "Reply", "title", "Reply"}, icon: replyArrow})
	}
	if (m.Text != "" || m.Files != nil) && m.Kind == state.KindText {
		parts = append(parts, part{tag: "button", class: "icon", attributes: []string{
			"type", "button", "data-do", "menu", "aria-label", "Message actions", "aria-haspopup", "menu", "title", "Message actions"}, icon: dots})
	}
	return parts
}

// eventWords is an event as a sentence about who did it.
func eventWords(e entry) string {
	if e.Mine {
		return "You " + e.Text
	}
	return e.Sender + " " + e.Text
}

func timePart(e entry) part {
	return part{tag: "time", attributes: []string{"datetime", e.Created.UTC().Format("2006-01-02T15:04:05Z")}, text: timeOf(e.Created)}
}

// metaPart says when a message was written and, of one that is not sent, how far it is and what can be done.
func metaPart(e entry) part {
	meta := part{tag: "div", class: "meta", parts: []part{timePart(e)}}
	add := func(p ...part) { meta.parts = append(meta.parts, p...) }
	switch e.State {
	case state.MessageSending:
		add(part{tag: "span", text: "Sending…"})
		if stoppable(e) {
			add(buttonPart("secondary", "discard", "Delete"))
		}
	case state.MessageQueued:
		add(part{tag: "span", text: "Waiting for the connection"}, buttonPart("secondary", "discard", "Delete"))
	case state.MessagePaused:
		add(part{tag: "span", text: "Waiting to try again"}, buttonPart("secondary", "retry", "Try now"), buttonPart("secondary", "discard", "Delete"))
	case state.MessageFailed:
		add(part{tag: "span", class: "error", text: "Not sent. " + e.Why}, buttonPart("secondary", "retry", "Try again"), buttonPart("secondary", "discard", "Delete"))
	}
	return meta
}

// receiptParts are the mark of a message of the user's own: sent, delivered, viewed. In a group it is the last one that
// holds for everybody; its words tell how far it is with the others.
func receiptParts(e entry) []part {
	if !e.Mine || e.State != state.MessageSent || e.Trouble {
		return nil
	}
	class, words, icon := "receipt", "Sent", tick
	switch {
	case e.Receipt == state.ReceiptViewed:
		class, words, icon = "receipt viewed", "Viewed", eye
	case e.Receipt == state.ReceiptDelivered:
		words, icon = "Delivered", ticks
	case e.DeliveredTo > e.ViewedBy:
		words = fmt.Sprintf("Delivered to %d of %d", e.DeliveredTo, e.Others)
	}
	if e.Receipt != state.ReceiptViewed && e.ViewedBy > 0 {
		words += fmt.Sprintf(", viewed by %d of %d", e.ViewedBy, e.Others)
	}
	return []part{{tag: "span", class: class, attributes: []string{"role", "img", "aria-label", words, "title", words}, icon: icon}}
}

// estimate guesses the height of a message that was not shown yet, in pixels.
func estimate(e entry) float64 {
	lines := 1 + strings.Count(e.Text, "\n") + len(e.Text)/70
	h := 40 + 20*float64(lines) + filesHeight(e)
	if e.first && !e.Mine {
		h += 30
	}
	return h
}

// dayHeight is about the height of a day's heading with its surroundings, lineHeight that of the line "New messages".
const dayHeight, lineHeight = 44, 36

// extent is the height of what stands between two entries, the first included and the second not. With day, the heading
// of that day is not counted: it stands elsewhere.
func extent(entries []entry, from, to int, height func(entry) float64, day string) (sum float64) {
	for i := from; i < to; i++ {
		e := entries[i]
		if (i == 0 || entries[i-1].day != e.day) && e.day != day {
			sum += dayHeight
		}
		if e.fresh {
			sum += lineHeight
		}
		sum += height(e)
	}
	return sum
}

// around returns the range of entries to keep in the page: those from before pixels above the entry at to beyond pixels
// below it.
func around(entries []entry, at int, before, beyond float64, height func(entry) float64) (start, end int) {
	start, end = at, at
	for h := 0.0; start > 0 && h < before; start-- {
		h += height(entries[start-1])
	}
	for h := 0.0; end < len(entries) && h < beyond; end++ {
		h += height(entries[end])
	}
	return start, end
}

// indexOf finds a message, -1 if it is not there.
func indexOf(entries []entry, id ozeki.MessageID) int {
	for i := range entries {
		if entries[i].ID == id {
			return i
		}
	}
	return -1
}

// jumpWords name the button that goes to the newest message; below is the number of new ones that lie there.
func jumpWords(below int) string {
	if below == 0 {
		return "Jump to newest"
	}
	return "Jump to newest, " + countWords(below, "new message", "new messages")
}

// timelineActions is what the messages ask for.
type timelineActions interface {
	reload(id ozeki.ConversationID)
	older(id ozeki.ConversationID)
	later(id ozeki.ConversationID)
	newest(id ozeki.ConversationID)
	atEnd(id ozeki.ConversationID, is bool)
	viewed(id ozeki.ConversationID, m ozeki.MessageID)
	reply(id ozeki.ConversationID, m ozeki.MessageID)
	messageMenu(id ozeki.ConversationID, m ozeki.MessageID, at point)
	seek(id ozeki.ConversationID, m ozeki.MessageID)
	now() time.Time
	retry(id ozeki.ConversationID, m ozeki.MessageID)
	discard(id ozeki.ConversationID, m ozeki.MessageID)
	picture(id ozeki.ConversationID, m ozeki.MessageID, file ozeki.FileID)
	download(id ozeki.ConversationID, m ozeki.MessageID, file ozeki.FileID)
}
