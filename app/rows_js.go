//go:build js

package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"syscall/js"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// sectionNames are the headings of the lists.
var sectionNames = [3]string{"Favorites", "Conversations", "Hidden"}

// sectionOpen reports whether a list is open: as the user left it, and the hidden ones closed at first.
func sectionOpen(name string) bool {
	if collapsed := pref("collapsed." + name); collapsed != "" {
		return collapsed == "false"
	}
	return name != "Hidden"
}

// maxSpare is how many rows that are not in the page are kept for the moment when they are again, as a filter brings it.
const maxSpare = 200

// island fills the sidebar's lists. It is used from the browser's one thread only.
type island struct {
	actions  islandActions
	host     js.Value
	sections [3]*section // favorites, the others, the hidden
	rows     map[ozeki.ConversationID]*rowNode
	spare    map[ozeki.ConversationID]*rowNode // those that were in the page and may come back
	model    js.Value                          // a row without content, to clone
	height   float64                           // of a row in pixels
	snap     *state.Snapshot
	drawn    bool                          // a redraw after scrolling is on its way
	scrolled time.Time                     // when a list was, last
	asked    map[ozeki.ConversationID]bool // whose names were asked for
	took     bool                          // the list has taken the place of the page's picture of it
	owes     bool                          // a picture of the list could not be made
	hurry    bool                          // nothing of it was seen yet: what is not needed for that waits
	when     func(t, now time.Time) string // see whensOf
	drag     *drag                         // a press on a row, nil for none
	resize   js.Value
	funcs    callbacks
}

// section is one list with its heading.
type section struct {
	root, button, scroll, list, empty js.Value
	name                              string
	rows                              []*state.Row
	inPage                            []*rowNode // in the order of the page
	top, view                         float64    // scroll position and visible height in pixels
	scrolled                          bool       // top is to be read again
	open                              bool
	total                             int // as set on the list
}

// rowNode is a row in the page and what it shows.
type rowNode struct {
	li, a, more, star                  js.Value
	name, words, marks, preview, badge js.Value
	presence                           js.Value
	row                                state.Row
	in                                 *section
	at                                 int // index in its list
	set                                int // length of the list as told to assistive technology, 0 where all rows are in the page
	current, best                      bool
	fresh                              bool
	dated                              bool // its time is of now, and not from the page's picture
}

// rowPart is what of a row can have the focus.
type rowPart int

const (
	partLink rowPart = iota
	partMore
	partStar
)

func (n *rowNode) part(p rowPart) js.Value {
	switch p {
	case partMore:
		return n.more
	case partStar:
		return n.star
	}
	return n.a
}

func newIsland(a islandActions) *island {
	return &island{actions: a, rows: map[ozeki.ConversationID]*rowNode{}, hurry: true, when: whensOf()}
}

func element(tag, class string, children ...js.Value) js.Value {
	e := document.Call("createElement", tag)
	if class != "" {
		e.Set("className", class)
	}
	for _, c := range children {
		e.Call("append", c)
	}
	return e
}

func icon(path string) js.Value {
	const ns = "http://www.w3.org/2000/svg"
	svg := document.Call("createElementNS", ns, "svg")
	svg.Call("setAttribute", "viewBox", "0 0 24 24")
	svg.Call("setAttribute", "aria-hidden", "true")
	p := document.Call("createElementNS", ns, "path")
	p.Call("setAttribute", "d", path)
	svg.Call("append", p)
	return svg
}

// attach builds the sections into the element with the given id.
func (l *island) attach(id string) {
	l.host = byID(id)
	l.rows, l.spare = map[ozeki.ConversationID]*rowNode{}, map[ozeki.ConversationID]*rowNode{}
	star, more := element("button", "star", icon(starPath)), element("button", "more", icon(dots))
	star.Set("type", "button")
	more.Set("type", "button")
	more.Call("setAttribute", "aria-haspopup", "menu")
	more.Call("setAttribute", "aria-expanded", "false")
	l.model = element("li", "row", element("a", "",
		element("span", "line", element("span", "who", element("span", "name"), element("span", "words")), element("span", "marks")),
		element("span", "presence"),
		element("span", "line", element("span", "preview"), element("span", "badge")),
	), star, more)
	l.model.Call("querySelector", ".badge").Call("setAttribute", "aria-hidden", "true") // the words say it
	l.model.Call("querySelector", ".badge").Set("hidden", true)

	byElement := js.Global().Get("WeakMap").New()
	observe := l.funcs.on(func(args []js.Value) {
		entries := args[0]
		for i := range entries.Length() {
			n := byElement.Call("get", entries.Index(i).Get("target")).Int()
			l.sections[n].view = entries.Index(i).Get("contentRect").Get("height").Float()
		}
		l.measure()
		l.redraw()
	})
	l.resize = js.Global().Get("ResizeObserver").New(observe)
	for i, name := range sectionNames {
		s := &section{name: name, view: 900, open: sectionOpen(name), total: -1}
		s.list = element("ul", "")
		s.list.Call("setAttribute", "aria-label", name)
		s.empty = element("p", "empty")
		s.empty.Set("hidden", true)
		s.scroll = element("div", "scroll", s.list)
		s.scroll.Set("id", "list-"+strconv.Itoa(i))
		s.button = element("button", "")
		s.button.Set("type", "button")
		s.button.Set("textContent", name)
		s.button.Call("setAttribute", "aria-controls", "list-"+strconv.Itoa(i))
		s.root = element("section", strings.ToLower(name), element("h2", "", s.button), s.empty, s.scroll)
		s.root.Set("hidden", i != 1)
		s.button.Call("addEventListener", "click", l.funcs.on(func([]js.Value) { l.collapse(s) }))
		s.scroll.Call("addEventListener", "scroll", l.funcs.on(func([]js.Value) {
			s.scrolled, l.scrolled = true, time.Now()
			l.redrawSoon()
		}), map[string]any{"passive": true})
		s.setOpen()
		byElement.Call("set", s.scroll, i)
		l.resize.Call("observe", s.scroll)
		l.host.Call("append", s.root)
		l.sections[i] = s
	}
	l.host.Call("addEventListener", "click", l.funcs.on(l.click))
	l.host.Call("addEventListener", "keydown", l.funcs.on(l.keydown))
	l.host.Call("addEventListener", "contextmenu", l.funcs.on(l.contextMenu))
	l.listenDrag()
	l.measure()
	if l.snap != nil {
		l.show(l.snap)
	}
}

// detach forgets the page; the element is gone.
func (l *island) detach() {
	l.dropDrag()
	if l.resize.Truthy() {
		l.resize.Call("disconnect")
	}
	l.funcs.release()
	l.host, l.snap = js.Undefined(), nil
	l.rows, l.spare = map[ozeki.ConversationID]*rowNode{}, map[ozeki.ConversationID]*rowNode{}
}

// measure reads the height of a row, which depends on the pointer.
func (l *island) measure() {
	text := window.Call("getComputedStyle", document.Get("documentElement")).Call("getPropertyValue", "--row").String()
	if h := window.Call("parseFloat", text).Float(); h > 0 {
		l.height = h
	}
}

func (l *island) collapse(s *section) {
	s.open = !s.open
	setPref("collapsed."+s.name, strconv.FormatBool(!s.open))
	s.setOpen()
	l.redraw()
	l.actions.redrawn()
}

func (s *section) setOpen() {
	s.button.Call("setAttribute", "aria-expanded", strconv.FormatBool(s.open))
	s.scroll.Set("hidden", !s.open)
}

// scrolls is how long after a list was scrolled the next frame is still likely to scroll it on.
const scrolls = 100 * time.Millisecond

// show draws a snapshot, at once or, while a list is scrolled, with the next frame: what is drawn between two frames has the
// browser lay the page out twice, since the second begins by asking how far the list was scrolled. A row that has the focus is
// drawn at once: the next key starts from where it is.
func (l *island) show(snap *state.Snapshot) {
	l.snap = snap
	if snap.Phase != state.SignedIn || l.asked == nil {
		l.asked = map[ozeki.ConversationID]bool{}
	}
	if !l.host.Truthy() {
		return
	}
	l.sections[0].rows, l.sections[1].rows, l.sections[2].rows = snap.Favorites, snap.Conversations, snap.Hidden
	l.hurry = l.hurry && !starling.Call("scrolled").Bool()
	if time.Since(l.scrolled) < scrolls && !l.hasFocus() {
		l.redrawSoon()
	} else {
		l.redraw()
	}
	l.sections[0].root.Set("hidden", len(snap.Favorites) == 0)
	l.sections[2].root.Set("hidden", len(snap.Hidden) == 0)
	text := ""
	switch {
	case len(snap.Conversations) > 0:
	case !snap.Loaded:
		if snap.Trouble == "" {
			text = "Loading…"
		}
	case snap.UnreadOnly && len(snap.Favorites)+len(snap.Hidden) == 0:
		text = "Nothing is unread."
		if snap.Filter != "" {
			text = "Nothing unread matches “" + snap.Filter + "”."
		}
	case snap.UnreadOnly:
	case snap.Filter != "" && len(snap.Favorites)+len(snap.Hidden) == 0:
		text = "Nothing matches “" + snap.Filter + "”."
	case snap.Filter != "" && len(snap.Favorites) == 0:
		text = "Only hidden conversations match “" + snap.Filter + "”."
	case snap.Filter == "" && snap.Total == 0:
		text = "No conversations yet. Start one with the button New conversation above."
	case snap.Filter == "":
		text = "All your conversations are in the other lists."
	}
	if empty := l.sections[1].empty; empty.Get("textContent").String() != text {
		empty.Set("textContent", text)
		empty.Set("hidden", text == "")
	}
	if all := snap.Loaded || snap.Trouble != ""; !l.took && snap.Phase == state.SignedIn && (all || len(l.rows) > 0) {
		if l.took = starling.Call("listDrawn", all).Bool(); l.took && l.hurry {
			go l.rest()
		}
	}
	if l.owes && l.mayPicture() {
		l.owes = false
		l.actions.redrawn()
	}
}

// rest draws what was left out of the first frame: rows out of sight, and the times, since the browser's first date takes
// longer than all of the list.
func (l *island) rest() {
	painted(context.Background())
	l.hurry = false
	if l.snap != nil {
		l.show(l.snap)
	}
}

// mayPicture reports whether the sidebar looks as the next start is to show it.
func (l *island) mayPicture() bool {
	s := l.snap
	return l.host.Truthy() && l.took && !l.hurry && s != nil && s.Loaded && s.Phase == state.SignedIn && s.Filter == "" && !s.UnreadOnly && l.drag == nil
}

// picture is a picture of the sidebar with the rows that are seen first, which first.js shows at the next start before the
// program is there; nil where there is none to be made now.
func (l *island) picture() []byte {
	if !l.mayPicture() {
		l.owes = true
		return nil
	}
	now := time.Now()
	for _, s := range l.sections {
		if !s.open {
			continue
		}
		for i := range min(len(s.rows), pictured) {
			l.place(s, i, len(s.rows) > windowMin, now)
		}
		l.order(s)
	}
	text := starling.Call("picture", l.host.Call("closest", ".sidebar")).String()
	l.redraw()
	return []byte(text)
}

func (l *island) redrawSoon() {
	if l.drawn {
		return
	}
	l.drawn = true
	var f js.Func
	f = js.FuncOf(func(js.Value, []js.Value) any {
		f.Release()
		l.drawn = false
		if l.host.Truthy() {
			l.redraw()
		}
		return nil
	})
	window.Call("requestAnimationFrame", f)
}

// redraw brings the rows in the page in line with the lists.
func (l *island) redraw() {
	focused := document.Get("activeElement")
	held, part := l.rowOf(focused)
	visible := held != nil && focused.Call("matches", ":focus-visible").Bool()
	var heldIn *section
	if held != nil {
		heldIn = held.in
	}
	for _, s := range l.sections {
		if s.scrolled {
			s.top, s.scrolled = s.scroll.Get("scrollTop").Float(), false
		}
	}
	now := time.Now()
	wanted := map[ozeki.ConversationID]bool{}
	var unopened, stale []ozeki.ConversationID
	for _, s := range l.sections {
		if !s.open {
			continue
		}
		start, end := viewOf(len(s.rows), l.height, s.top, s.view)
		windowed := end-start < len(s.rows)
		if l.hurry {
			start, end = inView(len(s.rows), l.height, s.top, s.view)
		}
		draw := func(i int) {
			wanted[s.rows[i].ID] = true
			if windowed && !s.rows[i].Opened && !l.asked[s.rows[i].ID] {
				l.asked[s.rows[i].ID] = true
				unopened = append(unopened, s.rows[i].ID)
			}
			l.place(s, i, windowed, now)
		}
		for i := start; i < end; i++ {
			draw(i)
		}
		for from, to := inView(len(s.rows), l.height, s.top, s.view); from < to && !l.snap.Offline; from++ {
			if s.rows[from].Stale {
				stale = append(stale, s.rows[from].ID)
			}
		}
		if held != nil && !wanted[held.row.ID] { // a focused row stays, wherever it is
			for i, r := range s.rows {
				if r.ID == held.row.ID {
					draw(i)
				}
			}
		}
		if s.total != len(s.rows) {
			s.total = len(s.rows)
			s.list.Get("style").Set("height", strconv.FormatFloat(float64(s.total)*l.height, 'f', -1, 64)+"px")
		}
	}
	if len(unopened) > 0 {
		l.actions.seen(unopened)
	}
	if len(stale) > 0 {
		l.actions.overview(stale)
	}
	for id, n := range l.rows {
		if !wanted[id] {
			n.li.Call("remove")
			delete(l.rows, id)
			if len(l.spare) >= maxSpare {
				clear(l.spare)
			}
			l.spare[id] = n
		}
	}
	for _, s := range l.sections {
		l.order(s)
	}
	if held == nil {
		return
	}
	if l.rows[held.row.ID] == nil {
		// The row has gone into a closed list: its heading is the nearest place.
		for _, s := range l.sections {
			if !s.open && slices.ContainsFunc(s.rows, func(r *state.Row) bool { return r.ID == held.row.ID }) {
				s.button.Call("focus")
			}
		}
		return
	}
	if !document.Get("activeElement").Equal(focused) {
		held.part(part).Call("focus", map[string]any{"preventScroll": true})
	}
	if visible && heldIn != held.in {
		held.li.Call("scrollIntoView", map[string]any{"block": "nearest"})
	}
}

// place makes or updates the row at index i of a section.
func (l *island) place(s *section, i int, windowed bool, now time.Time) {
	r := *s.rows[i]
	n := l.rows[r.ID]
	if n == nil && l.spare[r.ID] != nil {
		n = l.spare[r.ID]
		l.rows[r.ID] = n
		delete(l.spare, r.ID)
	}
	if n == nil {
		li := l.model.Call("cloneNode", true)
		a := li.Get("firstChild")
		first, second := a.Get("firstChild"), a.Get("lastChild")
		n = &rowNode{
			name: first.Get("firstChild").Get("firstChild"), words: first.Get("firstChild").Get("lastChild"), marks: first.Get("lastChild"),
			preview: second.Get("firstChild"), badge: second.Get("lastChild"), presence: first.Get("nextSibling"),
			li: li, a: a, star: a.Get("nextSibling"), more: li.Get("lastChild"),
			fresh: true, at: -1,
		}
		li.Get("dataset").Set("id", string(r.ID))
		a.Set("href", hrefOf(r.ID))
		a.Set("draggable", false)
		l.rows[r.ID] = n
	}
	n.in = s
	moved := n.at != i
	if moved {
		n.at = i
		n.li.Get("style").Set("transform", "translateY("+strconv.FormatFloat(float64(i)*l.height, 'f', -1, 64)+"px)")
	}
	set := 0
	if windowed {
		set = len(s.rows)
	}
	if n.set != set || windowed && moved {
		n.set = set
		if windowed {
			n.li.Call("setAttribute", "aria-posinset", i+1)
			n.li.Call("setAttribute", "aria-setsize", set)
		} else {
			n.li.Call("removeAttribute", "aria-setsize")
			n.li.Call("removeAttribute", "aria-posinset")
		}
	}
	if current := l.snap.Open != nil && l.snap.Open.Row.ID == r.ID; current != n.current {
		n.current = current
		n.li.Get("classList").Call("toggle", "current", current)
		if current {
			n.a.Call("setAttribute", "aria-current", "page")
		} else {
			n.a.Call("removeAttribute", "aria-current")
		}
	}
	if best := l.snap.Best == r.ID; best != n.best {
		n.best = best
		n.li.Get("classList").Call("toggle", "best", best)
	}
	if r == n.row && !n.fresh && (n.dated || l.hurry) {
		return
	}
	if r.Name != n.row.Name || n.fresh {
		n.name.Set("textContent", r.Name)
		n.star.Call("setAttribute", "aria-label", "Favorite "+r.Name)
		n.more.Call("setAttribute", "aria-label", "More for "+r.Name)
	}
	if r.Presence != n.row.Presence {
		n.presence.Get("dataset").Set("is", presenceMark(r.Presence))
		if words := presenceWords(r.Presence); words != "" {
			n.a.Call("setAttribute", "aria-description", words)
		} else {
			n.a.Call("removeAttribute", "aria-description")
		}
	}
	if marks := l.marks(r, now); n.fresh || marks != n.marks.Get("textContent").String() {
		n.marks.Set("textContent", marks)
	}
	if r.Unread != n.row.Unread {
		badge, words := unreadOf(r)
		n.badge.Set("textContent", badge)
		n.badge.Set("hidden", badge == "")
		n.words.Set("textContent", words)
		n.li.Get("classList").Call("toggle", "unread", badge != "")
	}
	if r.Preview != n.row.Preview {
		n.preview.Set("textContent", r.Preview)
	}
	if r.Fleeting != n.row.Fleeting {
		n.li.Call("toggleAttribute", "data-fleeting", r.Fleeting)
	}
	if r.Muted != n.row.Muted {
		n.li.Get("classList").Call("toggle", "muted", r.Muted)
	}
	if r.Favorite != n.row.Favorite || n.fresh {
		n.star.Call("setAttribute", "aria-pressed", strconv.FormatBool(r.Favorite))
	}
	if r.Star != n.row.Star {
		way, words := wayOf(r.Star)
		if way == "" {
			n.star.Call("removeAttribute", "data-way")
			n.star.Call("removeAttribute", "aria-description")
		} else {
			n.star.Call("setAttribute", "data-way", way)
			n.star.Call("setAttribute", "aria-description", words)
		}
	}
	if r.Color != n.row.Color {
		n.tint(r.Color)
	}
	n.row, n.fresh, n.dated = r, false, !l.hurry
}

func (l *island) marks(r state.Row, now time.Time) string {
	if l.hurry {
		return starling.Call("picturedMarks", string(r.ID)).String()
	}
	return marksOf(r, l.when(r.Active, now))
}

// tint gives the row the user's colour.
func (n *rowNode) tint(color string) {
	if color == "" {
		n.li.Get("dataset").Delete("color")
		return
	}
	n.li.Get("dataset").Set("color", color)
	light, dark := tintOf(color)
	n.li.Get("style").Call("setProperty", "--tint", "light-dark("+light+", "+dark+")")
}

// order puts a section's rows in the page into the order of the list; a row that comes from elsewhere keeps its focus
// where the browser can move an element (moveBefore). What stands right is not touched, and of a row that has moved only
// itself: each that is moved is laid out anew.
func (l *island) order(s *section) {
	inPage := make([]*rowNode, 0, 64)
	for _, n := range l.rows {
		if n.in == s {
			inPage = append(inPage, n)
		}
	}
	sortRows(inPage)
	was := slices.DeleteFunc(s.inPage, func(n *rowNode) bool { return n.in != s || l.rows[n.row.ID] != n })
	for _, n := range inPage {
		if len(was) > 1 && was[0] != n && was[1] == n { // the one before it goes further down
			was = was[1:]
		}
		if len(was) > 0 && was[0] == n {
			was = was[1:]
			continue
		}
		next := js.Null()
		if len(was) > 0 {
			next = was[0].li
		}
		if n.li.Get("isConnected").Bool() && s.list.Get("moveBefore").Truthy() {
			s.list.Call("moveBefore", n.li, next)
		} else {
			s.list.Call("insertBefore", n.li, next)
		}
		if i := slices.Index(was, n); i >= 0 {
			was = slices.Delete(was, i, i+1)
		}
	}
	s.inPage = inPage
}

func sortRows(rows []*rowNode) {
	for i := 1; i < len(rows); i++ { // nearly sorted, short
		for j := i; j > 0 && rows[j].at < rows[j-1].at; j-- {
			rows[j], rows[j-1] = rows[j-1], rows[j]
		}
	}
}

// rowOf returns the row that an element of the page is in, and the part of it.
func (l *island) rowOf(e js.Value) (*rowNode, rowPart) {
	if !e.Truthy() || !l.host.Truthy() || !l.host.Call("contains", e).Bool() {
		return nil, partLink
	}
	li := e.Call("closest", "li.row")
	if !li.Truthy() {
		return nil, partLink
	}
	n := l.rows[ozeki.ConversationID(li.Get("dataset").Get("id").String())]
	switch {
	case e.Call("closest", ".star").Truthy():
		return n, partStar
	case e.Call("closest", ".more").Truthy():
		return n, partMore
	}
	return n, partLink
}

func (l *island) click(args []js.Value) {
	switch n, part := l.rowOf(args[0].Get("target")); {
	case n == nil || part == partLink: // links are taken by guardLinks
	case part == partStar:
		l.actions.star(n.row.ID, !n.row.Favorite)
	default:
		l.menu(n, point{})
	}
}

// menu opens the menu of a row, with the focus in the row to come back to.
func (l *island) menu(n *rowNode, at point) {
	if focused, _ := l.rowOf(document.Get("activeElement")); focused != n || !at.known {
		n.more.Call("focus", map[string]any{"preventScroll": true})
	}
	l.actions.menu(n.row.ID, at)
}

// contextMenu: a right click opens the row's menu in place of the browser's.
func (l *island) contextMenu(args []js.Value) {
	e := args[0]
	if n, _ := l.rowOf(e.Get("target")); n != nil {
		e.Call("preventDefault")
		if byTouch := e.Get("pointerType").Type() == js.TypeString && e.Get("pointerType").String() == "touch"; !byTouch && (l.drag == nil || !l.drag.touch) {
			l.menu(n, point{e.Get("clientX").Float(), e.Get("clientY").Float(), true})
		}
	}
}

// keydown: arrows, Home and End go through the rows of all lists, Shift+F10 and the menu key open a row's menu.
func (l *island) keydown(args []js.Value) {
	e := args[0]
	n, part := l.rowOf(e.Get("target"))
	if n == nil || e.Get("ctrlKey").Bool() || e.Get("altKey").Bool() || e.Get("metaKey").Bool() {
		return
	}
	step := 0
	switch e.Get("key").String() {
	case "ArrowDown":
		step = 1
	case "ArrowUp":
		step = -1
	case "Home":
		step = -1 << 30
	case "End":
		step = 1 << 30
	case "ContextMenu":
	case "F10":
		if !e.Get("shiftKey").Bool() {
			return
		}
	default:
		return
	}
	e.Call("preventDefault")
	if step != 0 {
		l.focusStep(n, step, part)
	} else {
		l.menu(n, point{})
	}
}

// focusStep moves the focus by a number of rows, through both open lists.
func (l *island) focusStep(from *rowNode, step int, part rowPart) {
	type spot struct {
		s *section
		i int
	}
	var spots []spot
	at := 0
	for _, s := range l.sections {
		if !s.open {
			continue
		}
		for i := range s.rows {
			if s == from.in && i == from.at {
				at = len(spots)
			}
			spots = append(spots, spot{s, i})
		}
	}
	if len(spots) == 0 {
		return
	}
	to := spots[min(max(at+step, 0), len(spots)-1)]
	l.focusAt(to.s, to.i, part)
}

func (l *island) focusAt(s *section, i int, part rowPart) {
	l.place(s, i, len(s.rows) > windowMin, time.Now())
	l.order(s)
	n := l.rows[s.rows[i].ID]
	n.part(part).Call("focus", map[string]any{"preventScroll": true})
	n.li.Call("scrollIntoView", map[string]any{"block": "nearest"})
}

// focusRow focuses a conversation's row, if it is in an open list.
func (l *island) focusRow(id ozeki.ConversationID) {
	for _, s := range l.sections {
		if s == nil || !s.open {
			continue
		}
		for i, r := range s.rows {
			if r.ID == id {
				l.focusAt(s, i, partLink)
				return
			}
		}
	}
}

// focusFirst focuses the first row there is.
func (l *island) focusFirst() {
	for _, s := range l.sections {
		if s != nil && s.open && len(s.rows) > 0 {
			l.focusAt(s, 0, partLink)
			return
		}
	}
}

func (l *island) hasFocus() bool {
	_, focused := l.focusedRow()
	return focused
}

// focusedRow returns the conversation whose row has the focus.
func (l *island) focusedRow() (ozeki.ConversationID, bool) {
	if n, _ := l.rowOf(document.Get("activeElement")); n != nil {
		return n.row.ID, true
	}
	return "", false
}
