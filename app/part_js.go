//go:build js

package app

import "syscall/js"

// elementOf makes the element of a part.
func elementOf(p part) js.Value {
	if p.tag == "" {
		return document.Call("createTextNode", p.text)
	}
	e := document.Call("createElement", p.tag)
	if p.class != "" {
		e.Set("className", p.class)
	}
	for i := 0; i+1 < len(p.attributes); i += 2 {
		e.Call("setAttribute", p.attributes[i], p.attributes[i+1])
	}
	if p.text != "" {
		e.Set("textContent", p.text)
	}
	if p.icon != "" {
		e.Call("prepend", icon(p.icon))
	}
	for _, child := range p.parts {
		e.Call("append", elementOf(child))
	}
	return e
}

// fill replaces what is in an element.
func fill(e js.Value, parts []part) {
	children := make([]any, len(parts))
	for i, p := range parts {
		children[i] = elementOf(p)
	}
	e.Call("replaceChildren", children...)
}
