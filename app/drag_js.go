//go:build js

package app

import (
	"math"
	"strconv"
	"syscall/js"

	"starling/ozeki"
)

// A favorite is put in another place with the mouse by dragging it, and with a finger after a long press. A long press
// without a move opens the row's menu instead; a move before it scrolls.

const (
	longPress  = 500 // ms
	mouseSlack = 6.0 // pixels before a press is a drag
	touchSlack = 10.0
	edge       = 36.0 // pixels from the list's ends where it scrolls by itself
	edgeSpeed  = 6.0  // pixels a frame
)

type dragPhase int

const (
	dragPressed dragPhase = iota // nothing but a press yet
	dragLifted                   // a finger has rested long enough
	dragMoving
)

// drag is a press on a row and what becomes of it.
type drag struct {
	l      *island
	n      *rowNode
	id     ozeki.ConversationID
	touch  bool
	phase  dragPhase
	x, y   float64 // where the pointer was first
	now    float64 // where it is, vertically
	grab   float64 // from the row's top to the pointer
	to     int     // the place where it would go
	mark   js.Value
	timer  js.Value
	off    []func()
	frames js.Func
}

func (l *island) listenDrag() {
	l.host.Call("addEventListener", "pointerdown", l.funcs.on(func(args []js.Value) {
		e := args[0]
		if e.Get("pointerType").String() != "touch" && e.Get("button").Int() == 0 && e.Get("isPrimary").Bool() && !e.Get("ctrlKey").Bool() {
			l.press(e.Get("target"), e, false)
		}
	}))
	l.host.Call("addEventListener", "touchstart", l.funcs.on(func(args []js.Value) {
		l.dropDrag()
		if touches := args[0].Get("touches"); touches.Length() == 1 {
			l.press(args[0].Get("target"), touches.Index(0), true)
		}
	}), map[string]any{"passive": true})
	// Not passive: a finger that drags must not scroll, which can only be said in answer to its moves.
	l.host.Call("addEventListener", "touchmove", l.funcs.on(func(args []js.Value) {
		if d := l.drag; d != nil && d.touch {
			if d.phase != dragPressed {
				args[0].Call("preventDefault")
			}
			d.move(args[0].Get("touches").Index(0))
		}
	}), map[string]any{"passive": false})
	l.host.Call("addEventListener", "touchend", l.funcs.on(func(args []js.Value) {
		if d := l.drag; d != nil && d.touch {
			if d.phase != dragPressed {
				args[0].Call("preventDefault") // no click
			}
			d.release()
		}
	}), map[string]any{"passive": false})
	l.host.Call("addEventListener", "touchcancel", l.funcs.on(func([]js.Value) { l.dropDrag() }))
}

// press begins with a pointer or a finger on the link of a row.
func (l *island) press(target, at js.Value, touch bool) {
	l.dropDrag()
	n, part := l.rowOf(target)
	if n == nil || part != partLink || !touch && !l.draggable(n) {
		return
	}
	d := &drag{l: l, n: n, id: n.row.ID, touch: touch, x: at.Get("clientX").Float(), y: at.Get("clientY").Float()}
	l.drag = d
	d.now = d.y
	if touch {
		d.timer = window.Call("setTimeout", d.callback(d.lift), longPress)
		return
	}
	d.listen("pointermove", d.move)
	d.listen("pointerup", func(js.Value) { d.release() })
	d.listen("pointercancel", func(js.Value) { l.dropDrag() })
}

// draggable reports whether a row can be put elsewhere: a favorite, while all of them are shown.
func (l *island) draggable(n *rowNode) bool {
	return n.in == l.sections[0] && l.snap.Filter == "" && !l.snap.UnreadOnly && len(n.in.rows) > 1
}

// callback is a function for the browser, let go at the end.
func (d *drag) callback(f func()) js.Func {
	fn := js.FuncOf(func(js.Value, []js.Value) any {
		f()
		return nil
	})
	d.off = append(d.off, fn.Release)
	return fn
}

func (d *drag) listen(event string, f func(js.Value)) {
	fn := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	document.Call("addEventListener", event, fn, true)
	d.off = append(d.off, func() {
		document.Call("removeEventListener", event, fn, true)
		fn.Release()
	})
}

// lift: the finger has rested long enough.
func (d *drag) lift() {
	d.phase = dragLifted
	d.n.li.Get("classList").Call("add", "lifted")
	if navigator := window.Get("navigator"); navigator.Get("vibrate").Truthy() {
		navigator.Call("vibrate", 10)
	}
}

func (d *drag) move(at js.Value) {
	d.now = at.Get("clientY").Float()
	moved := math.Hypot(at.Get("clientX").Float()-d.x, d.now-d.y)
	switch {
	case d.phase == dragMoving:
		d.show()
	case d.touch && d.phase == dragPressed:
		if moved > touchSlack {
			d.l.dropDrag() // it scrolls
		}
	case moved > mouseSlack && d.l.draggable(d.n):
		d.begin()
	}
}

// begin takes the row out of its place.
func (d *drag) begin() {
	d.phase, d.to = dragMoving, d.n.at
	d.grab = d.y - d.n.li.Call("getBoundingClientRect").Get("top").Float()
	d.n.li.Get("classList").Call("add", "dragged")
	d.mark = element("div", "drop")
	d.n.in.root.Get("classList").Call("add", "dragging")
	d.n.in.list.Call("after", d.mark)
	announce("Moving " + d.n.row.Name + ". Escape leaves it where it was.")
	d.listen("keydown", func(e js.Value) {
		if e.Get("key").String() == "Escape" {
			e.Call("preventDefault")
			e.Call("stopPropagation")
			announce(d.n.row.Name + " stays where it was.")
			d.noClick()
			d.l.dropDrag()
		}
	})
	d.frames = js.FuncOf(func(js.Value, []js.Value) any {
		if d.l.drag != d {
			d.frames.Release()
			return nil
		}
		d.scroll()
		window.Call("requestAnimationFrame", d.frames)
		return nil
	})
	window.Call("requestAnimationFrame", d.frames)
	d.show()
}

// scroll moves the list while the pointer is near one of its ends.
func (d *drag) scroll() {
	box := d.n.in.scroll.Call("getBoundingClientRect")
	by := 0.0
	switch {
	case d.now < box.Get("top").Float()+edge:
		by = -edgeSpeed
	case d.now > box.Get("bottom").Float()-edge:
		by = edgeSpeed
	default:
		return
	}
	d.n.in.scroll.Call("scrollBy", 0, by)
	d.show()
}

// show draws the row under the pointer and a line where it would go.
func (d *drag) show() {
	if d.l.rows[d.id] != d.n || !d.l.draggable(d.n) { // somebody else has moved it meanwhile
		d.l.dropDrag()
		return
	}
	list := d.n.in.list.Call("getBoundingClientRect").Get("top").Float()
	top := d.now - d.grab - list
	d.to = placeOf(top, d.l.height, len(d.n.in.rows))
	line := d.to
	if d.to > d.n.at {
		line++
	}
	pixels := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + "px" }
	d.n.li.Get("style").Set("translate", "0 "+pixels(top-float64(d.n.at)*d.l.height))
	d.mark.Get("style").Set("transform", "translateY("+pixels(float64(line)*d.l.height)+")")
}

// release: the button or the finger is up.
func (d *drag) release() {
	phase, to, from := d.phase, d.to, d.n.at
	if phase == dragMoving {
		d.noClick()
	}
	d.l.dropDrag()
	switch {
	case phase == dragLifted:
		d.l.menu(d.n, point{d.x, d.y, true})
	case phase == dragMoving && to != from:
		d.l.actions.place(d.id, to)
	}
}

// noClick takes away the click that the browser makes of a drag.
func (d *drag) noClick() {
	var click, later js.Func
	click = js.FuncOf(func(_ js.Value, args []js.Value) any {
		args[0].Call("preventDefault")
		args[0].Call("stopPropagation")
		return nil
	})
	window.Call("addEventListener", "click", click, true)
	later = js.FuncOf(func(js.Value, []js.Value) any {
		window.Call("removeEventListener", "click", click, true)
		click.Release()
		later.Release()
		return nil
	})
	window.Call("setTimeout", later, 50)
}

// dropDrag ends what was begun, without an effect.
func (l *island) dropDrag() {
	d := l.drag
	if d == nil {
		return
	}
	l.drag = nil
	window.Call("clearTimeout", d.timer)
	d.n.li.Get("classList").Call("remove", "lifted", "dragged")
	d.n.li.Get("style").Call("removeProperty", "translate")
	if d.mark.Truthy() {
		d.mark.Call("remove")
		d.n.in.root.Get("classList").Call("remove", "dragging")
	}
	letGo(d.off)
}
