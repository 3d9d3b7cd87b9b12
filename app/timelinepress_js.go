//go:build js

package app

import (
	"math"
	"syscall/js"
)

// A message's menu opens by a long press, when the finger is lifted: not every browser makes a contextmenu event of it. A
// move before it scrolls.

// press is a finger on a message.
type press struct {
	n      *messageNode
	x, y   float64
	lifted bool // it has rested long enough
	off    func()
}

func (l *timeline) listenPress() {
	l.log.Call("addEventListener", "touchstart", l.funcs.on(func(args []js.Value) { l.pressed(args[0]) }), map[string]any{"passive": true})
	l.log.Call("addEventListener", "touchmove", l.funcs.on(func(args []js.Value) {
		if p := l.press; p != nil {
			at := args[0].Get("touches").Index(0)
			if math.Hypot(at.Get("clientX").Float()-p.x, at.Get("clientY").Float()-p.y) > touchSlack {
				l.dropPress()
			}
		}
	}), map[string]any{"passive": true})
	// Not passive: after a long press there is no click, which would close the menu or choose from it.
	l.log.Call("addEventListener", "touchend", l.funcs.on(func(args []js.Value) { l.released(args[0]) }), map[string]any{"passive": false})
	l.log.Call("addEventListener", "touchcancel", l.funcs.on(func([]js.Value) { l.dropPress() }))
}

// pressed begins with one finger on a message, where nothing else can be pressed.
func (l *timeline) pressed(e js.Value) {
	l.dropPress()
	n := l.nodeOf(e.Get("target"))
	if n == nil || e.Get("touches").Length() != 1 || e.Get("target").Call("closest", "a, .tools").Truthy() {
		return
	}
	at := e.Get("touches").Index(0)
	p := &press{n: n, x: at.Get("clientX").Float(), y: at.Get("clientY").Float()}
	rested := js.FuncOf(func(js.Value, []js.Value) any {
		p.lifted = true
		n.article.Get("classList").Call("add", "pressed")
		if navigator := window.Get("navigator"); navigator.Get("vibrate").Truthy() {
			navigator.Call("vibrate", 10)
		}
		return nil
	})
	timer := window.Call("setTimeout", rested, longPress)
	p.off = func() {
		window.Call("clearTimeout", timer)
		n.article.Get("classList").Call("remove", "pressed")
		rested.Release()
	}
	l.press = p
}

// released: the finger is up.
func (l *timeline) released(e js.Value) {
	p := l.press
	if p == nil {
		return
	}
	l.dropPress()
	if p.lifted && l.nodes[p.n.shown.ID] == p.n {
		e.Call("preventDefault")
		p.n.article.Call("focus", map[string]any{"preventScroll": true})
		l.actions.messageMenu(l.conversation, p.n.shown.ID, point{p.x, p.y, true})
	}
}

// dropPress ends what was begun, without an effect.
func (l *timeline) dropPress() {
	if p := l.press; p != nil {
		l.press = nil
		p.off()
	}
}
