//go:build js

package app

import (
	"math"
	"reflect"
	"strconv"
	"syscall/js"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// timeline fills the log of the open conversation. It is used from the browser's one thread only.
type timeline struct {
	actions timelineActions
	root    js.Value // all of it; it moves into the page as soon as there is a place
	log     js.Value // the part that scrolls
	head    js.Value // above the first message
	above   js.Value // spacer for the messages above those in the page
	below   js.Value // and for those below
	foot    js.Value
	line    js.Value // "New messages"
	jump    js.Value
	resize  js.Value
	funcs   callbacks
	dayOf   func(time.Time) string

	snap         *state.Snapshot
	conversation ozeki.ConversationID
	messages     []state.Message // those that entries were made of
	newFrom      ozeki.MessageID
	cut          bool // they were not the newest
	entries      []entry
	start, end   int // the entries in the page
	nodes        map[ozeki.MessageID]*messageNode
	order        []*messageNode // those of start to end
	days         map[string]js.Value
	heights      map[ozeki.MessageID]float64
	headShown    part
	footShown    part

	view, width float64 // of the log, in pixels
	anchor      anchor
	top         float64         // scroll position as it was left by this program
	stick       bool            // the end is in view and stays there
	returning   bool            // the newest messages are on their way back, to be shown then
	read        ozeki.MessageID // the last message of others that was told to be seen
	tools       js.Value        // the buttons of the message that the pointer or the focus is on
	toolsAt     ozeki.MessageID
	press       *press          // a finger on a message, nil for none
	roving      ozeki.MessageID // the message that the Tab key goes to, empty for the last one
	pointerX    float64         // where the pointer was last, on the screen
	pointerY    float64
	ticking     bool // the clocks of messages are to be set
	unseen      int  // messages that came while the reader was elsewhere
	drawn       bool // a drawing is on its way
}

// messageNode is a message in the page and what it shows.
type messageNode struct {
	article js.Value
	shown   entry
	tab     int // its tabIndex, as set
	tabbed  bool
}

func newTimeline(a timelineActions) *timeline {
	return &timeline{actions: a, dayOf: daysOf(), stick: true}
}

// attach puts the log into the element with the given id, if that is in the page.
func (l *timeline) attach(id string) {
	host := byID(id)
	if !host.Truthy() {
		return
	}
	if !l.root.Truthy() {
		l.build()
	}
	if host.Equal(l.root.Get("parentNode")) {
		return
	}
	host.Call("append", l.root)
	l.measure()
	if l.snap != nil {
		l.show(l.snap)
	}
}

func (l *timeline) build() {
	l.head, l.foot = element("div", ""), element("div", "")
	l.above, l.below = element("div", "spacer"), element("div", "spacer")
	l.line = element("div", "new-line", element("span", ""))
	l.line.Get("firstChild").Set("textContent", "New messages")
	l.line.Call("setAttribute", "role", "separator")
	l.line.Call("setAttribute", "aria-label", "New messages")
	l.log = element("div", "log", l.head, l.above, l.below, l.foot)
	l.log.Set("id", "log")
	l.log.Set("tabIndex", 0)
	// Not live by itself: rows come and go with scrolling. What is new is announced by the live region.
	for name, value := range map[string]string{"role": "log", "aria-label": "Messages", "aria-live": "off"} {
		l.log.Call("setAttribute", name, value)
	}
	l.jump = element("button", "jump")
	l.jump.Set("type", "button")
	l.jump.Set("hidden", true)
	l.jump.Get("dataset").Set("do", "end")
	l.root = element("div", "timeline-body", l.log, l.jump)
	l.reset()

	passive := map[string]any{"passive": true}
	l.log.Call("addEventListener", "scroll", l.funcs.on(func([]js.Value) { l.scrolled() }), passive)
	l.root.Call("addEventListener", "click", l.funcs.on(l.click))
	l.tools = element("div", "tools")
	l.tools.Call("setAttribute", "role", "group")
	l.tools.Call("setAttribute", "aria-label", "Message actions")
	for event, f := range map[string]func(js.Value){"pointerover": l.pointed, "pointerleave": l.left, "focusin": l.focused, "focusout": l.left, "keydown": l.keydown, "contextmenu": l.contextMenu} {
		l.log.Call("addEventListener", event, l.funcs.on(func(args []js.Value) { f(args[0]) }))
	}
	l.listenPress()
	l.resize = starling.Call("sizes", l.funcs.on(l.resized))
	l.resize.Call("observe", l.log)
}

// detach forgets the page; the element is gone.
func (l *timeline) detach() {
	if l.resize.Truthy() {
		l.resize.Call("disconnect")
	}
	l.dropPress()
	l.funcs.release()
	l.root, l.snap = js.Undefined(), nil
	l.headShown, l.footShown = part{}, part{}
}

// reset forgets a conversation.
func (l *timeline) reset() {
	if len(l.nodes) > 0 {
		l.resize.Call("disconnect")
		l.resize.Call("observe", l.log)
	}
	for _, day := range l.days {
		day.Call("remove")
	}
	l.line.Call("remove")
	l.nodes, l.days, l.heights = map[ozeki.MessageID]*messageNode{}, map[string]js.Value{}, map[ozeki.MessageID]float64{}
	l.showTools(nil)
	l.dropPress()
	l.roving = ""
	l.messages, l.entries, l.order, l.start, l.end = nil, nil, nil, 0, 0
	l.anchor, l.stick, l.returning, l.unseen, l.read = anchor{}, true, false, 0, ""
}

// show draws a snapshot, at once.
func (l *timeline) show(snap *state.Snapshot) {
	back := l.snap != nil && l.snap.Offline && !snap.Offline
	l.snap = snap
	if !l.root.Truthy() {
		return
	}
	o := snap.Open
	if o == nil || !o.Known {
		if l.conversation != "" {
			l.conversation = ""
			l.reset()
		}
		return
	}
	if o.Row.ID != l.conversation {
		l.conversation = o.Row.ID
		l.reset()
	}
	l.returning = l.returning && o.Trouble == "" && (o.Later || !snap.Offline)
	l.follow()
	l.setPart(l.head, &l.headShown, headPart(o, snap.Offline))
	l.setPart(l.foot, &l.footShown, footPart(o))
	changed := l.take(o)
	l.draw()
	if changed || back {
		l.reach()
	}
}

func (l *timeline) setPart(place js.Value, shown *part, want part) {
	if reflect.DeepEqual(*shown, want) {
		return
	}
	*shown = want
	fill(place, []part{want})
}

// take takes over the messages, if they are others than before.
func (l *timeline) take(o *state.Open) (changed bool) {
	if len(o.Messages) == len(l.messages) && o.NewFrom == l.newFrom && (len(o.Messages) == 0 || &o.Messages[0] == &l.messages[0]) {
		return false
	}
	before := l.entries
	l.messages, l.newFrom, l.entries = o.Messages, o.NewFrom, entriesOf(o, l.dayOf)
	defer func() { l.cut = o.Cut }()
	if len(l.entries) == 0 {
		return true
	}
	last := l.entries[len(l.entries)-1]
	switch {
	case len(before) == 0: // the conversation was opened, or its messages have come
		if indexOf(l.entries, o.NewFrom) > 0 {
			l.stick, l.anchor = false, anchor{o.NewFrom, l.view / 4}
		}
	case l.returning && !o.Cut:
		l.stick, l.returning = true, false
	case !l.stick:
		if i := indexOf(l.entries, before[len(before)-1].ID); i >= 0 && !l.cut {
			for _, e := range l.entries[i+1:] {
				if !e.Mine {
					l.unseen++
				}
			}
		}
		if last.Mine && last.ID != before[len(before)-1].ID && last.State != state.MessageSent {
			l.stick = true // what one has written oneself is seen
		}
	}
	if indexOf(l.entries, l.anchor.id) < 0 { // it is gone: the next one that is still there takes its place
		for i := max(indexOf(before, l.anchor.id), 0); i < len(before); i++ {
			if indexOf(l.entries, before[i].ID) >= 0 {
				l.anchor.id = before[i].ID
				break
			}
		}
	}
	return true
}

func (l *timeline) height(e entry) float64 {
	if h, ok := l.heights[e.ID]; ok {
		return h
	}
	return estimate(e)
}

// draw brings the page in line with the messages around the reader.
func (l *timeline) draw() {
	if !l.root.Get("isConnected").Bool() {
		return
	}
	n := len(l.entries)
	at := n
	if !l.stick {
		if at = indexOf(l.entries, l.anchor.id); at < 0 {
			at = n
		}
	}
	// What is in the page stays if it reaches far enough.
	needStart, needEnd := around(l.entries, at, rowsBefore+l.view, l.view+rowsBefore, l.height)
	start, end := l.inPage()
	switch {
	case len(l.order) == 0: // what is seen first is there first
		start, end = needStart, needEnd
	case start < 0 || start > needStart || end < needEnd || end-start > 150:
		start, end = around(l.entries, at, rowsBeyond+l.view/2, l.view+rowsBeyond, l.height)
		if at == n {
			start, _ = around(l.entries, at, rowsBeyond+l.view, 0, l.height)
		}
	}
	l.place(start, end)
	l.settle()
	l.note()
	l.seen()
}

// inPage returns the range of the entries in the page as they stand now; -1 if it is no longer one.
func (l *timeline) inPage() (start, end int) {
	if len(l.order) == 0 {
		return -1, -1
	}
	start = indexOf(l.entries, l.order[0].shown.ID)
	end = indexOf(l.entries, l.order[len(l.order)-1].shown.ID) + 1
	if start < 0 || end <= start {
		return -1, -1
	}
	if l.stick { // what comes at the end belongs to it
		end = len(l.entries)
	}
	return start, end
}

// place puts a range of entries into the page.
func (l *timeline) place(start, end int) {
	wanted := make(map[ozeki.MessageID]bool, end-start)
	days := map[string]bool{}
	fresh := false
	for _, e := range l.entries[start:end] {
		wanted[e.ID], days[e.day] = true, true
		fresh = fresh || e.fresh
	}
	focused := document.Get("activeElement")
	for id, n := range l.nodes {
		if !wanted[id] {
			if n.article.Call("contains", focused).Bool() {
				l.log.Call("focus", map[string]any{"preventScroll": true})
			}
			if l.toolsAt == id {
				l.showTools(nil)
			}
			l.resize.Call("unobserve", n.article)
			n.article.Call("remove")
			delete(l.nodes, id)
		}
	}
	for day, d := range l.days {
		if !days[day] {
			d.Call("remove")
			delete(l.days, day)
		}
	}
	if !fresh {
		l.line.Call("remove")
	}
	l.make(l.entries[start:end])
	l.start, l.end, l.order = start, end, l.order[:0]
	nextDay := l.above.Get("nextSibling")
	var day, next js.Value
	var coming []any // what is to stand in front of next, in one call
	come := func() {
		switch {
		case len(coming) == 0:
		case next.Truthy():
			next.Call("before", coming...)
		default:
			day.Call("append", coming...)
		}
		coming = coming[:0]
	}
	put := func(e js.Value) {
		if !e.Equal(next) {
			coming = append(coming, e)
			return
		}
		come()
		next = e.Get("nextSibling")
	}
	for i := start; i < end; i++ {
		e := l.entries[i]
		if i == start || l.entries[i-1].day != e.day {
			come()
			var ok bool
			if day, ok = l.days[e.day]; !ok {
				day = element("div", "day-group")
				fill(day, []part{{tag: "h2", class: "day", parts: []part{{tag: "span", text: formatDay(e.Created)}}}})
				l.days[e.day] = day
			}
			if day.Equal(nextDay) {
				nextDay = nextDay.Get("nextSibling")
			} else {
				l.log.Call("insertBefore", day, nextDay)
			}
			next = day.Get("firstChild").Get("nextSibling")
		}
		if e.fresh {
			put(l.line)
		}
		n := l.nodes[e.ID]
		l.update(n, e)
		put(n.article)
		l.order = append(l.order, n)
	}
	come()
	l.rove()
	l.setClocks()
	first := ""
	if start < end {
		first = l.entries[start].day
	}
	l.space(l.above, extent(l.entries, 0, start, l.height, first))
	l.space(l.below, extent(l.entries, end, len(l.entries), l.height, ""))
}

// make makes those of the entries that are not in the page. All of them are made in one call: see fill.
func (l *timeline) make(entries []entry) {
	var parts []part
	var nodes []*messageNode
	for _, e := range entries {
		if l.nodes[e.ID] != nil {
			continue
		}
		n := &messageNode{shown: e, tab: -1, tabbed: true}
		l.nodes[e.ID] = n
		nodes = append(nodes, n)
		parts = append(parts, part{tag: "article", class: classOf(e), attributes: []string{"data-id", string(e.ID), "tabindex", "-1"}, parts: messageParts(e)})
	}
	if len(nodes) == 0 {
		return
	}
	articles := starling.Call("observed", l.resize, string(appendParts(nil, parts)))
	for i, n := range nodes {
		n.article = articles.Index(i)
	}
}

func (l *timeline) space(spacer js.Value, height float64) {
	spacer.Get("style").Set("height", strconv.FormatFloat(math.Round(height), 'f', -1, 64)+"px")
}

// update brings a message in the page in line with an entry. A focused button keeps the focus if it is still there.
func (l *timeline) update(n *messageNode, e entry) {
	if n.shown == e {
		return
	}
	n.shown = e
	do := ""
	if focused := document.Get("activeElement"); focused.Truthy() && n.article.Call("contains", focused).Bool() {
		if data := focused.Get("dataset"); data.Get("do").Type() == js.TypeString {
			do = "[data-do='" + data.Get("do").String() + "']"
			if file := data.Get("file"); file.Type() == js.TypeString {
				do += "[data-file='" + file.String() + "']"
			}
		}
	}
	n.article.Set("className", classOf(e))
	fill(n.article, messageParts(e))
	if l.toolsAt == e.ID {
		l.toolsAt = ""
		l.showTools(n)
	}
	if do != "" {
		if again := n.article.Call("querySelector", do); again.Truthy() {
			again.Call("focus", map[string]any{"preventScroll": true})
		} else {
			l.log.Call("focus", map[string]any{"preventScroll": true})
		}
	}
}

// setClocks says of the messages in the page how long they last, and goes on as long as there are any.
func (l *timeline) setClocks() {
	next := time.Duration(0)
	for _, n := range l.order {
		if n.shown.Until.IsZero() {
			continue
		}
		words, again := clockWords(n.shown.Until.Sub(l.actions.now()))
		if clock := n.article.Call("querySelector", ".clock"); clock.Truthy() && clock.Get("textContent").String() != words {
			clock.Set("textContent", words)
		}
		if next == 0 || again < next {
			next = again
		}
	}
	if next == 0 || l.ticking {
		return
	}
	l.ticking = true
	var f js.Func
	f = js.FuncOf(func(js.Value, []js.Value) any {
		f.Release()
		l.ticking = false
		if l.root.Truthy() {
			l.setClocks()
		}
		return nil
	})
	window.Call("setTimeout", f, next.Milliseconds())
}
