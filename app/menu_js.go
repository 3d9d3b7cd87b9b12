//go:build js

package app

import (
	"math"
	"strconv"
	"strings"
	"syscall/js"

	"starling/app/state"
)

// menu is the one menu that is open.
type menu struct {
	root    js.Value
	opener  js.Value // has the focus back afterwards
	at      point
	label   string
	levels  [][]menuEntry // the list and, while a sub is shown, that
	chosen  []int         // the entries that led to the levels after the first
	off     []func()      // listeners to take away
	closing bool
}

var openMenu *menu

// showMenu shows a menu at a point, or below what has the focus, which gets it back. An open one is closed; the button
// that opened it does no more than that.
func showMenu(label string, entries []menuEntry, at point) {
	opener := document.Get("activeElement")
	if open := openMenu; open != nil {
		open.close(false)
		if open.opener.Equal(opener) && !at.known {
			return
		}
	}
	m := &menu{root: element("div", "menu"), opener: opener, at: at, label: label, levels: [][]menuEntry{entries}}
	openMenu = m
	m.root.Call("setAttribute", "role", "menu")
	m.root.Set("tabIndex", -1)
	m.listen(m.root, "click", m.click)
	m.listen(m.root, "keydown", m.keydown)
	m.listen(m.root, "contextmenu", func(e js.Value) { e.Call("preventDefault") })
	m.listen(m.root, "focusout", func(e js.Value) {
		if to := e.Get("relatedTarget"); to.Truthy() && !m.own(to) {
			m.close(false)
		}
	})
	outside := func(e js.Value) {
		if !m.own(e.Get("target")) {
			m.close(false)
		}
	}
	m.listen(document, "pointerdown", outside)
	top := m.top()
	m.listen(document, "scroll", func(js.Value) { // only if what it belongs to moves, and has moved since
		if math.Abs(m.top()-top) > 2 {
			m.close(false)
		}
	})
	m.listen(window, "resize", func(js.Value) { m.close(false) })
	m.listen(window, "popstate", func(js.Value) { m.close(false) })
	m.opener.Call("setAttribute", "aria-expanded", "true")
	m.opener.Call("closest", "nav, main, body").Call("append", m.root) // a landmark, beside what it belongs to
	m.draw(0)
}

func (m *menu) top() float64 { return m.opener.Call("getBoundingClientRect").Get("top").Float() }

// own reports whether something is in the menu, or in what opened it, whose click closes it.
func (m *menu) own(e js.Value) bool {
	return m.root.Call("contains", e).Bool() || m.opener.Call("contains", e).Bool()
}

func (m *menu) listen(target js.Value, event string, f func(js.Value)) {
	fn := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	target.Call("addEventListener", event, fn, true)
	m.off = append(m.off, func() {
		target.Call("removeEventListener", event, fn, true)
		fn.Release()
	})
}

// close takes the menu away; with focus, what opened it has the focus again.
func (m *menu) close(focus bool) {
	if m.closing {
		return
	}
	m.closing = true
	if openMenu == m {
		openMenu = nil
	}
	if m.opener.Call("hasAttribute", "aria-haspopup").Bool() {
		m.opener.Call("setAttribute", "aria-expanded", "false")
	} else {
		m.opener.Call("removeAttribute", "aria-expanded")
	}
	if focus && m.opener.Get("isConnected").Bool() {
		m.opener.Call("focus", map[string]any{"preventScroll": true})
	}
	m.root.Call("remove")
	letGo(m.off)
}

// draw shows the last of the levels with the focus on an entry.
func (m *menu) draw(focus int) {
	label := m.label
	if n := len(m.levels); n > 1 {
		label = strings.TrimSuffix(m.levels[n-2][m.chosen[n-2]].label, "…") + ", " + m.label
	}
	m.root.Call("setAttribute", "aria-label", label)
	items := []any{}
	for _, entry := range m.levels[len(m.levels)-1] {
		if entry.part {
			line := element("div", "")
			line.Call("setAttribute", "role", "separator")
			items = append(items, line)
		}
		b := element("button", "")
		b.Set("type", "button")
		b.Set("tabIndex", -1)
		role := "menuitem"
		if entry.radio {
			role = "menuitemradio"
			b.Call("setAttribute", "aria-checked", strconv.FormatBool(entry.on))
		}
		if entry.sub != nil {
			b.Call("setAttribute", "aria-haspopup", "menu")
		}
		if entry.danger {
			b.Get("classList").Call("add", "danger")
		}
		b.Call("setAttribute", "role", role)
		if entry.swatch != "" {
			swatch := element("i", "swatch")
			swatch.Get("style").Set("background", entry.swatch)
			b.Call("append", swatch)
		}
		b.Call("append", element("span", ""))
		b.Get("lastChild").Set("textContent", entry.label)
		items = append(items, b)
	}
	m.root.Call("replaceChildren", items...)
	m.place()
	m.items().Index(focus).Call("focus", map[string]any{"preventScroll": true})
}

func (m *menu) items() js.Value { return m.root.Call("querySelectorAll", "button") }

// place puts the menu where it is whole in the window.
func (m *menu) place() {
	const gap = 8.0
	number := func(v js.Value, names ...string) float64 {
		for _, n := range names {
			v = v.Get(n)
		}
		return v.Float()
	}
	page := document.Get("documentElement")
	width, height := number(page, "clientWidth"), number(page, "clientHeight")
	box := m.root.Call("getBoundingClientRect")
	w, h := number(box, "width"), number(box, "height")
	x, y := m.at.x, m.at.y
	if !m.at.known {
		from := m.opener.Call("getBoundingClientRect")
		x, y = number(from, "right")-w, number(from, "bottom")+4
		if document.Get("documentElement").Get("dir").String() == "rtl" {
			x = number(from, "left")
		}
		if y+h > height-gap {
			y = number(from, "top") - h - 4
		}
	}
	style := m.root.Get("style")
	for name, v := range map[string]float64{"left": max(min(x, width-w-gap), gap), "top": max(min(y, height-h-gap), gap)} {
		style.Set(name, strconv.FormatFloat(v, 'f', 1, 64)+"px")
	}
}

// at returns the index of the entry that an element is in, -1 for none.
func (m *menu) index(e js.Value) int {
	items := m.items()
	for i := range items.Length() {
		if items.Index(i).Call("contains", e).Bool() {
			return i
		}
	}
	return -1
}

func (m *menu) click(e js.Value) {
	if i := m.index(e.Get("target")); i >= 0 {
		m.choose(i)
	}
}

func (m *menu) choose(i int) {
	entry := m.levels[len(m.levels)-1][i]
	if entry.sub == nil {
		m.close(true) // first, so that a dialog that opens takes the focus from there
		entry.do()
		return
	}
	m.levels, m.chosen = append(m.levels, entry.sub), append(m.chosen, i)
	first := 0
	for n, e := range entry.sub {
		if e.on {
			first = n
		}
	}
	m.draw(first)
}

// back leaves a sub; false if there is none.
func (m *menu) back() bool {
	n := len(m.levels) - 1
	if n == 0 {
		return false
	}
	from := m.chosen[n-1]
	m.levels, m.chosen = m.levels[:n], m.chosen[:n-1]
	m.draw(from)
	return true
}

// keydown: the keys of a menu. None goes on to the page.
func (m *menu) keydown(e js.Value) {
	e.Call("stopPropagation")
	entries := m.levels[len(m.levels)-1]
	at := m.index(document.Get("activeElement"))
	name := e.Get("key").String()
	forward, backward := "ArrowRight", "ArrowLeft"
	if document.Get("documentElement").Get("dir").String() == "rtl" {
		forward, backward = backward, forward
	}
	to := -1
	switch {
	case name == "ArrowDown":
		to = (at + 1) % len(entries)
	case name == "ArrowUp":
		to = (max(at, 0) + len(entries) - 1) % len(entries)
	case name == "Home":
		to = 0
	case name == "End":
		to = len(entries) - 1
	case name == "Tab":
		m.close(true) // and the browser goes on from there
		return
	case name == "Escape", name == backward:
		if !m.back() && name == "Escape" {
			m.close(true)
		}
	case name == forward:
		if at >= 0 && entries[at].sub != nil {
			m.choose(at)
		}
	case name == "Enter", name == " ":
		return // a click
	default:
		if e.Get("ctrlKey").Bool() || e.Get("metaKey").Bool() || e.Get("altKey").Bool() || len([]rune(name)) != 1 {
			return
		}
		for n := range entries { // the next entry that begins with the letter
			if i := (at + 1 + n) % len(entries); strings.HasPrefix(state.Fold(entries[i].label), state.Fold(name)) {
				to = i
				break
			}
		}
	}
	e.Call("preventDefault")
	if to >= 0 {
		m.items().Index(to).Call("focus")
	}
}
