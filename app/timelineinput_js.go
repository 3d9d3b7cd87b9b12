//go:build js

package app

import (
	"syscall/js"

	"starling/ozeki"
)

// What the reader does with messages: by mouse, touch and keyboard.

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

// pointed shows the buttons of the message that a mouse comes to; not of one that scrolls to where the mouse rests.
func (l *timeline) pointed(e js.Value) {
	if e.Get("pointerType").String() == "touch" {
		return
	}
	x, y := e.Get("screenX").Float(), e.Get("screenY").Float()
	moved := x != l.pointerX || y != l.pointerY
	l.pointerX, l.pointerY = x, y
	if moved && openMenu == nil {
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
	l.dropPress() // which the browser has made this of
	n.article.Call("focus", map[string]any{"preventScroll": true})
	at := point{}
	if e.Get("clientX").Float() != 0 || e.Get("clientY").Float() != 0 {
		at = point{e.Get("clientX").Float(), e.Get("clientY").Float(), true}
	}
	l.actions.messageMenu(l.conversation, n.shown.ID, at)
}
