//go:build js

package app

import (
	"math"
	"strconv"
	"strings"
	"syscall/js"

	"starling/ozeki"
)

// Where the reader is: what keeps his place, what he has seen, and when more messages are asked for.

// anchor is where the reader is: the first message in view, and how far below the log's upper edge it begins.
type anchor struct {
	id ozeki.MessageID
	y  float64
}

// seen tells up to which message of others the reader has seen the conversation, while the page is visible: the last one
// whose end is in view.
func (l *timeline) seen() {
	if l.conversation == "" || len(l.order) == 0 || !isVisible() || !l.root.Get("isConnected").Bool() {
		return
	}
	const tolerance = 4 // pixels
	bottom := l.log.Get("scrollTop").Float() + l.view + tolerance
	last, beyond := -1, len(l.order) // those in the page are in order
	for beyond-last > 1 {
		mid := (last + beyond) / 2
		if a := l.order[mid].article; a.Get("offsetTop").Float()+a.Get("offsetHeight").Float() <= bottom {
			last = mid
		} else {
			beyond = mid
		}
	}
	for ; last >= 0 && l.order[last].shown.Mine; last-- {
	}
	if last < 0 || l.order[last].shown.ID == l.read {
		return
	}
	l.read = l.order[last].shown.ID
	l.actions.viewed(l.conversation, l.read)
}

func topOf(e js.Value) float64 { return e.Call("getBoundingClientRect").Get("top").Float() }

// settle puts what the reader looks at back to its place.
func (l *timeline) settle() {
	defer func() { l.top = l.log.Get("scrollTop").Float() }()
	top := l.log.Get("scrollTop").Float()
	if l.stick {
		if end := l.log.Get("scrollHeight").Float() - l.log.Get("clientHeight").Float(); end-top > 0.5 {
			l.log.Set("scrollTop", end)
		}
		return
	}
	if n := l.nodes[l.anchor.id]; n != nil {
		if by := topOf(n.article) - topOf(l.log) - l.anchor.y; math.Abs(by) > 0.5 {
			l.log.Set("scrollTop", top+by)
		}
	}
}

// note takes down where the reader is.
func (l *timeline) note() {
	top := l.log.Get("scrollTop").Float()
	l.top = top
	o := l.snap.Open
	if o == nil {
		return
	}
	stick := l.end == len(l.entries) && !o.Cut && l.log.Get("scrollHeight").Float()-top-l.log.Get("clientHeight").Float() < 48
	if stick {
		l.unseen = 0
	}
	if stick != l.stick {
		l.stick = stick
		l.actions.atEnd(l.conversation, stick)
	}
	l.offerJump()
	if len(l.order) == 0 {
		return
	}
	// The first message that ends below the upper edge; those in the page are in order.
	lo, hi := 0, len(l.order)-1
	for lo < hi {
		mid := (lo + hi) / 2
		a := l.order[mid].article
		if a.Get("offsetTop").Float()+a.Get("offsetHeight").Float() > top {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	article := l.order[lo].article
	y := topOf(article) - topOf(l.log)
	i := l.start + lo
	// Far from what is in the page (the scroll bar was dragged) it is found by the heights that the spacers have.
	if lo == 0 && y > l.view {
		for i > 0 && y > 0 {
			i--
			y -= extent(l.entries, i, i+1, l.height, l.order[0].shown.day)
		}
	}
	if bottom := y + article.Get("offsetHeight").Float(); lo == len(l.order)-1 && bottom < 0 {
		for y = bottom; i+1 < len(l.entries) && y+l.height(l.entries[i+1]) < 0; {
			i++
			y += extent(l.entries, i, i+1, l.height, "")
		}
	}
	l.anchor = anchor{l.entries[i].ID, y}
}

// follow is note for a reader who has scrolled, where the page has not said so yet.
func (l *timeline) follow() {
	if len(l.order) > 0 && l.log.Get("scrollTop").Float() != l.top && !l.isResized() {
		l.note()
	}
}

// isResized reports whether the log has another size than it had when the reader's place was noted: where it is scrolled to
// then is the browser's doing, and resized puts it right.
func (l *timeline) isResized() bool {
	return l.log.Get("clientWidth").Float() != l.width || l.log.Get("clientHeight").Float() != l.view
}

func (l *timeline) offerJump() {
	if words := jumpWords(l.unseen); l.jump.Get("textContent").String() != words {
		l.jump.Set("textContent", words)
	}
	l.jump.Set("hidden", l.stick || len(l.entries) == 0)
}

// scrolled follows the reader.
func (l *timeline) scrolled() {
	if l.snap == nil || l.conversation == "" || l.isResized() {
		return
	}
	if l.log.Get("scrollTop").Float() != l.top { // otherwise this program has scrolled, and noted it
		l.note()
		l.seen()
	}
	start, end := around(l.entries, max(indexOf(l.entries, l.anchor.id), 0), rowsBefore+max(l.anchor.y, 0), l.view+rowsBefore, l.height)
	if start < l.start || end > l.end {
		l.draw()
	}
	l.reach()
}

// reach asks for more messages where the reader comes near to the end of those at hand.
func (l *timeline) reach() {
	o := l.snap.Open
	if o == nil || !o.Loaded || o.Older || o.Later || l.snap.Offline || !l.root.Get("isConnected").Bool() {
		return
	}
	top := l.log.Get("scrollTop").Float()
	switch {
	case o.More && l.start == 0 && top < nearEdge:
		l.actions.older(l.conversation)
	case o.Cut && !l.returning && l.end == len(l.entries) && l.log.Get("scrollHeight").Float()-top-l.view < nearEdge:
		l.actions.later(l.conversation)
	}
}

// resized takes the sizes of what changed its size (a phone's keyboard, a narrower window, a picture that has come): of each
// message a line of its height in pixels and its id, an empty one of the log.
func (l *timeline) resized(args []js.Value) {
	if !l.root.Truthy() {
		return
	}
	if l.conversation != "" {
		l.follow()
	}
	for line := range strings.SplitSeq(args[0].String(), "\n") {
		size, id, ok := strings.Cut(line, " ")
		if !ok {
			l.measure()
		} else if h, err := strconv.Atoi(size); err == nil && h > 0 {
			l.heights[ozeki.MessageID(id)] = float64(h)
		}
	}
	l.settle()
	l.drawSoon() // not now: rows that come in while sizes are told would be told of too late
}

func (l *timeline) measure() {
	l.view = l.log.Get("clientHeight").Float()
	if w := l.log.Get("clientWidth").Float(); w != l.width {
		l.width = w
		clear(l.heights)
		for _, n := range l.nodes {
			l.heights[n.shown.ID] = n.article.Get("offsetHeight").Float()
		}
	}
}

func (l *timeline) drawSoon() {
	if l.drawn {
		return
	}
	l.drawn = true
	var f js.Func
	f = js.FuncOf(func(js.Value, []js.Value) any {
		f.Release()
		l.drawn = false
		if l.root.Truthy() && l.conversation != "" {
			l.follow()
			l.draw()
		}
		return nil
	})
	window.Call("requestAnimationFrame", f)
}

// toEnd shows the newest message.
func (l *timeline) toEnd() {
	if l.snap == nil || l.snap.Open == nil || l.conversation == "" {
		return
	}
	if l.snap.Open.Cut {
		l.returning = true
		l.actions.newest(l.conversation)
		return
	}
	if !l.stick {
		l.stick = true
		l.actions.atEnd(l.conversation, true)
	}
	l.draw()
}

// goTo leads the reader to a message, which is loaded first if it is not at hand.
func (l *timeline) goTo(id ozeki.MessageID) {
	if indexOf(l.entries, id) < 0 {
		l.actions.seek(l.conversation, id)
		return
	}
	l.stick, l.anchor = false, anchor{id, l.view / 3}
	l.draw()
	if n := l.nodes[id]; n != nil {
		n.article.Call("focus", map[string]any{"preventScroll": true})
		// Led there again, it is shown again: the class goes with the animation.
		list := n.article.Get("classList")
		list.Call("remove", "found")
		_ = n.article.Get("offsetWidth").Int()
		list.Call("add", "found")
	}
}
