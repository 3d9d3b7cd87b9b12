package app

import (
	"math"
	"strconv"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// The sidebar's lists are an island: an element that the framework leaves alone, filled by rows_js.go. Rows are keyed by
// conversation, so that a row that moves from one section to the other is the same element with the same focused star,
// in the same frame as the click; the framework matches by position and draws a frame later. Only the rows in view, and a
// few around them, are in the page.

const (
	overscan  = 12  // rows kept above and below the view
	windowMin = 120 // lists up to this long are in the page whole
	pictured  = 40  // rows of a list that are kept for the next start, as in first.js
)

// viewOf returns the range of rows to keep in the page for a list of total rows of the given height, scrolled to top in a
// view of height pixels.
func viewOf(total int, rowHeight, top, height float64) (start, end int) {
	if total <= windowMin || rowHeight <= 0 {
		return 0, total
	}
	start = min(max(int(top/rowHeight)-overscan, 0), total)
	end = min(int((top+height)/rowHeight)+1+overscan, total)
	return start, max(start, end)
}

// inView returns the range of rows that are seen of such a list.
func inView(total int, rowHeight, top, height float64) (start, end int) {
	if rowHeight <= 0 {
		return 0, 0
	}
	start = min(max(int(top/rowHeight), 0), total)
	return start, max(start, min(int((top+height)/rowHeight)+1, total))
}

// unreadOf says how much is unread in a row: for the eye, and as a part of the link's name.
func unreadOf(r state.Row) (badge, words string) {
	switch {
	case r.Unread == 0:
		return "", ""
	case r.Unread > 99:
		return "99+", ", more than 99 unread"
	}
	badge = strconv.Itoa(r.Unread)
	return badge, ", " + badge + " unread"
}

// placeOf returns the place in a list of total rows of a row whose top was moved to a height: where it covers most.
func placeOf(top, rowHeight float64, total int) int {
	if rowHeight <= 0 {
		return 0
	}
	return min(max(int(math.Floor(top/rowHeight+0.5)), 0), total-1)
}

// whensOf returns how a row says when it was active last: by the time of the day of now, or by another day. It has a memory.
func whensOf() func(t, now time.Time) string {
	dayOf, short := daysOf(), remembering(15*time.Minute, formatShort)
	return func(t, now time.Time) string {
		switch {
		case t.IsZero():
			return ""
		case dayOf(t) == dayOf(now):
			return timeOf(t)
		}
		return short(t)
	}
}

// marksOf is the short text at a row's end, which ends with when it was active.
func marksOf(r state.Row, when string) string {
	text := when
	if r.Draft {
		text = joinMarks("Draft", text)
	}
	if r.Muted {
		text = joinMarks("Muted", text)
	}
	if r.Trouble {
		text = joinMarks("Locked", text)
	}
	if r.Saving == state.FlagQueued {
		text = joinMarks("Not saved yet", text)
	}
	return text
}

func joinMarks(a, b string) string {
	if b == "" {
		return a
	}
	return a + " · " + b
}

// wayOf is how far a star is, for looks and for assistive technology.
func wayOf(p state.FlagPhase) (attribute, words string) {
	switch p {
	case state.FlagPending:
		return "pending", "Saving"
	case state.FlagQueued:
		return "queued", "Saved on this device, sent when the connection is back"
	}
	return "", ""
}

// islandActions is what the rows ask for.
type islandActions interface {
	star(id ozeki.ConversationID, on bool)
	redrawn() // the lists look different in a way that the state does not know of
	menu(id ozeki.ConversationID, at point)
	place(id ozeki.ConversationID, to int) // a favorite
	seen(ids []ozeki.ConversationID)       // rows in the page whose names are not opened yet
	overview(ids []ozeki.ConversationID)   // rows in view of which it is not known what was written last
}
