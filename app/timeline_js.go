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
	roving      ozeki.MessageID // the message that the Tab key goes to, empty for the last one
	pointerX    float64         // where the pointer was last, on the screen
	pointerY    float64
	ticking     bool // the clocks of messages are to be set
	unseen      int  // messages that came while the reader was elsewhere
	drawn       bool // a drawing is on its way
}

// anchor is where the reader is: the first message in view, and how far below the log's upper edge it begins.
type anchor struct {
	id ozeki.MessageID
	y  float64
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
	l.resize = js.Global().Get("ResizeObserver").New(l.funcs.on(l.resized))
	l.resize.Call("observe", l.log)
}

// detach forgets the page; the element is gone.
func (l *timeline) detach() {
	if l.resize.Truthy() {
		l.resize.Call("disconnect")
	}
	l.funcs.release()
	l.root, l.snap = js.Undefined(), nil
	l.headShown, l.footShown = part{}, part{}
}

// reset forgets a conversation.
func (l *timeline) reset() {
	for _, n := range l.nodes {
		l.resize.Call("unobserve", n.article)
	}
	for _, day := range l.days {
		day.Call("remove")
	}
	l.line.Call("remove")
	l.nodes, l.days, l.heights = map[ozeki.MessageID]*messageNode{}, map[string]js.Value{}, map[ozeki.MessageID]float64{}
	l.showTools(nil)
	l.roving = ""
	l.messages, l.entries, l.order, l.start, l.end = nil, nil, nil, 0, 0
	l.anchor, l.stick, l.returning, l.unseen, l.read = anchor{}, true, false, 0, ""
}

// show draws a snapshot, at once.
func (l *timeline) show(snap *state.Snapshot) {
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
	l.follow()
	l.setPart(l.head, &l.headShown, headPart(o, snap.Offline))
	l.setPart(l.foot, &l.footShown, footPart(o))
	changed := l.take(o)
	l.draw()
	if changed {
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
	if start < 0 || start > needStart || end < needEnd || end-start > 150 {
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
	l.start, l.end, l.order = start, end, l.order[:0]
	nextDay := l.above.Get("nextSibling")
	var day, next js.Value
	put := func(parent, e js.Value, next *js.Value) {
		if e.Equal(*next) {
			*next = next.Get("nextSibling")
		} else {
			parent.Call("insertBefore", e, *next)
		}
	}
	for i := start; i < end; i++ {
		e := l.entries[i]
		if i == start || l.entries[i-1].day != e.day {
			var ok bool
			if day, ok = l.days[e.day]; !ok {
				day = element("div", "day-group", elementOf(part{tag: "h2", class: "day", parts: []part{{tag: "span", text: formatDay(e.Created)}}}))
				l.days[e.day] = day
			}
			put(l.log, day, &nextDay)
			next = day.Get("firstChild").Get("nextSibling")
		}
		if e.fresh {
			put(day, l.line, &next)
		}
		n := l.nodes[e.ID]
		if n == nil {
			n = &messageNode{article: element("article", "")}
			n.article.Get("dataset").Set("id", string(e.ID))
			l.nodes[e.ID] = n
			l.resize.Call("observe", n.article)
		}
		l.update(n, e)
		put(day, n.article, &next)
		l.order = append(l.order, n)
	}
	l.rove()
	l.setClocks()
	first := ""
	if start < end {
		first = l.entries[start].day
	}
	l.space(l.above, extent(l.entries, 0, start, l.height, first))
	l.space(l.below, extent(l.entries, end, len(l.entries), l.height, ""))
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
	if len(l.order) > 0 && l.log.Get("scrollTop").Float() != l.top {
		l.note()
	}
}

func (l *timeline) offerJump() {
	if words := jumpWords(l.unseen); l.jump.Get("textContent").String() != words {
		l.jump.Set("textContent", words)
	}
	l.jump.Set("hidden", l.stick || len(l.entries) == 0)
}

// scrolled follows the reader.
func (l *timeline) scrolled() {
	if l.snap == nil || l.conversation == "" {
		return
	}
	l.note()
	l.seen()
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
	case o.Cut && l.end == len(l.entries) && l.log.Get("scrollHeight").Float()-top-l.view < nearEdge:
		l.actions.later(l.conversation)
	}
}

// resized takes the sizes of what changed its size: a phone's keyboard, a narrower window, a picture that has come.
func (l *timeline) resized(args []js.Value) {
	if !l.root.Truthy() {
		return
	}
	if l.conversation != "" {
		l.follow()
	}
	entries := args[0]
	for i := range entries.Length() {
		target := entries.Index(i).Get("target")
		if target.Equal(l.log) {
			l.measure()
			continue
		}
		if h := target.Get("offsetHeight").Float(); h > 0 {
			l.heights[ozeki.MessageID(target.Get("dataset").Get("id").String())] = h
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

func (l *timeline) click(args []js.Value) {
	target := args[0].Get("target").Call("closest", "[data-do]")
	if !target.Truthy() {
		return
	}
	var message ozeki.MessageID
	if article := target.Call("closest", "article"); article.Truthy() {
		message = ozeki.MessageID(article.Get("dataset").Get("id").String())
	}
	switch id := l.conversation; target.Get("dataset").Get("do").String() {
	case "end":
		l.toEnd()
		l.log.Call("focus", map[string]any{"preventScroll": true})
	case "reload":
		l.actions.reload(id)
	case "older":
		l.actions.older(id)
	case "later":
		l.actions.later(id)
	case "reply":
		l.actions.reply(id, message)
	case "menu":
		target.Call("focus", map[string]any{"preventScroll": true})
		l.actions.messageMenu(id, message, point{})
	case "jump":
		l.goTo(ozeki.MessageID(target.Get("dataset").Get("to").String()))
	case "retry":
		l.actions.retry(id, message)
	case "discard":
		l.actions.discard(id, message)
	case "picture":
		l.actions.picture(id, message, ozeki.FileID(target.Get("dataset").Get("file").String()))
	case "download":
		l.actions.download(id, message, ozeki.FileID(target.Get("dataset").Get("file").String()))
	}
}

// nodeOf returns the message that an element of the page is in, nil for none.
func (l *timeline) nodeOf(e js.Value) *messageNode {
	if !e.Truthy() || !e.Get("closest").Truthy() {
		return nil
	}
	article := e.Call("closest", "#log article")
	if !article.Truthy() {
		return nil
	}
	return l.nodes[ozeki.MessageID(article.Get("dataset").Get("id").String())]
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

// pointed shows the buttons of the message that a mouse comes to; not of one that scrolls to where the mouse rests.
func (l *timeline) pointed(e js.Value) {
	x, y := e.Get("screenX").Float(), e.Get("screenY").Float()
	moved := x != l.pointerX || y != l.pointerY
	l.pointerX, l.pointerY = x, y
	if moved && openMenu == nil && e.Get("pointerType").String() != "touch" {
		if n := l.nodeOf(e.Get("target")); n != nil {
			l.showTools(n)
		}
	}
}

// focused shows the buttons of the message that has the focus; a tap gives it to a message, too.
func (l *timeline) focused(e js.Value) {
	if n := l.nodeOf(e.Get("target")); n != nil {
		l.showTools(n)
		if l.roving != n.shown.ID {
			l.roving = n.shown.ID
			l.rove()
		}
	}
}

// left takes the buttons away, unless the focus is on their message, or in the menu that one of them has opened.
func (l *timeline) left(e js.Value) {
	if openMenu != nil {
		return
	}
	if e.Get("type").String() == "focusout" && l.log.Call("contains", e.Get("relatedTarget")).Bool() {
		return
	}
	if e.Get("type").String() == "pointerleave" {
		if n := l.nodeOf(document.Get("activeElement")); n != nil {
			l.showTools(n)
			return
		}
	}
	l.showTools(nil)
}

func (l *timeline) showTools(n *messageNode) {
	var id ozeki.MessageID
	if n != nil {
		id = n.shown.ID
	}
	if id == l.toolsAt {
		return
	}
	l.toolsAt = id
	if n == nil {
		l.tools.Call("remove")
		return
	}
	parts := toolParts(n.shown.Message)
	if len(parts) == 0 {
		l.tools.Call("remove")
		return
	}
	fill(l.tools, parts)
	n.article.Call("append", l.tools)
}

// rove makes one message the one that the Tab key goes to: the one that had the focus last, or the newest.
func (l *timeline) rove() {
	at := len(l.order) - 1
	for i, n := range l.order {
		if n.shown.ID == l.roving {
			at = i
		}
	}
	for i, n := range l.order {
		tab := -1
		if i == at {
			tab = 0
		}
		if !n.tabbed || n.tab != tab {
			n.tabbed, n.tab = true, tab
			n.article.Set("tabIndex", tab)
		}
	}
}

// keydown: the arrows go from message to message, the menu key and Shift+F10 open a message's menu.
func (l *timeline) keydown(e js.Value) {
	n := l.nodeOf(e.Get("target"))
	if n == nil || !n.article.Equal(e.Get("target")) || e.Get("ctrlKey").Bool() || e.Get("altKey").Bool() || e.Get("metaKey").Bool() {
		return
	}
	step := 0
	switch e.Get("key").String() {
	case "ArrowUp":
		step = -1
	case "ArrowDown":
		step = 1
	default:
		return
	}
	e.Call("preventDefault")
	at := indexOf(l.entries, n.shown.ID) + step
	if at < l.start || at >= l.end {
		return
	}
	to := l.order[at-l.start].article
	to.Call("focus", map[string]any{"preventScroll": true})
	to.Call("scrollIntoView", map[string]any{"block": "nearest"})
}

// contextMenu opens a message's menu, for a right click, a long press or the menu key; links and selected text have the
// browser's.
func (l *timeline) contextMenu(e js.Value) {
	n := l.nodeOf(e.Get("target"))
	if n == nil || e.Get("target").Call("closest", "a").Truthy() || window.Call("getSelection").Call("toString").String() != "" {
		return
	}
	e.Call("preventDefault")
	n.article.Call("focus", map[string]any{"preventScroll": true})
	at := point{}
	if e.Get("clientX").Float() != 0 || e.Get("clientY").Float() != 0 {
		at = point{e.Get("clientX").Float(), e.Get("clientY").Float(), true}
	}
	l.actions.messageMenu(l.conversation, n.shown.ID, at)
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
