//go:build js

package app

import "syscall/js"

// emojiPicker is the dialog with the emoji, made when it is first opened.
type emojiPicker struct {
	root, search, list js.Value
	chosen             func(string)
}

var emojis *emojiPicker

// showEmoji opens the emoji near the button with the given id and gives the chosen one to f. The button closes them, too.
func showEmoji(button string, f func(string)) {
	if emojis == nil {
		emojis = newEmojiPicker()
	}
	p := emojis
	p.chosen = f
	p.search.Set("value", "")
	p.fill()
	at := byID(button).Call("getBoundingClientRect")
	style := p.root.Get("style")
	style.Set("left", px(max(8, min(at.Get("left").Float(), window.Get("innerWidth").Float()-328))))
	style.Set("bottom", px(window.Get("innerHeight").Float()-at.Get("top").Float()+8))
	p.root.Call("showModal")
	p.search.Call("focus")
}

func px(v float64) string { return window.Call("String", v).String() + "px" }

func newEmojiPicker() *emojiPicker {
	p := &emojiPicker{search: element("input", ""), list: element("div", "emoji-list")}
	p.search.Set("type", "search")
	for name, value := range map[string]string{"aria-label": "Search emoji", "placeholder": "Search emoji", "autocomplete": "off"} {
		p.search.Call("setAttribute", name, value)
	}
	p.root = element("dialog", "emoji", p.search, p.list)
	p.root.Call("setAttribute", "aria-label", "Emoji")
	document.Get("body").Call("append", p.root)
	listen(p.search, "input", func(js.Value) { p.fill() })
	listen(p.root, "click", func(e js.Value) {
		target := e.Get("target")
		switch b := target.Call("closest", "[data-emoji]"); {
		case b.Truthy():
			p.choose(b)
		case target.Equal(p.root): // beside it
			p.root.Call("close")
		}
	})
	listen(p.root, "keydown", p.keydown)
	return p
}

func (p *emojiPicker) fill() {
	fill(p.list, emojiParts(emojiGroups(p.search.Get("value").String())))
	if first := p.list.Call("querySelector", "[data-emoji]"); first.Truthy() {
		first.Set("tabIndex", 0)
	}
}

func (p *emojiPicker) choose(button js.Value) {
	p.root.Call("close")
	p.chosen(button.Get("dataset").Get("emoji").String())
}

// keydown: the arrows go through the emoji as they lie, Enter in the search takes the first one.
func (p *emojiPicker) keydown(e js.Value) {
	buttons := p.list.Call("querySelectorAll", "[data-emoji]")
	n := buttons.Length()
	focused := document.Get("activeElement")
	name := e.Get("key").String()
	if n == 0 || e.Get("isComposing").Bool() {
		return
	}
	if focused.Equal(p.search) {
		switch name {
		case "Enter":
			e.Call("preventDefault")
			p.choose(buttons.Index(0))
		case "ArrowDown":
			e.Call("preventDefault")
			buttons.Index(0).Call("focus")
		}
		return
	}
	at := -1
	for i := range n {
		if buttons.Index(i).Equal(focused) {
			at = i
		}
	}
	if at < 0 {
		return
	}
	to := at
	switch name {
	case "ArrowRight":
		to = at + 1
	case "ArrowLeft":
		to = at - 1
	case "ArrowDown", "ArrowUp":
		step := map[string]int{"ArrowDown": 1, "ArrowUp": -1}[name]
		x, y := focused.Get("offsetLeft").Float(), focused.Get("offsetTop").Float()
		for to += step; to >= 0 && to < n; to += step {
			b := buttons.Index(to)
			if b.Get("offsetTop").Float() != y && (b.Get("offsetLeft").Float()-x)*float64(step) >= 0 {
				break
			}
		}
	case "Home":
		to = 0
	case "End":
		to = n - 1
	default:
		return
	}
	e.Call("preventDefault")
	if to < 0 {
		p.search.Call("focus")
		return
	}
	if to < n {
		focused.Set("tabIndex", -1)
		buttons.Index(to).Set("tabIndex", 0)
		buttons.Index(to).Call("focus")
	}
}
