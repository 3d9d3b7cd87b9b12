//go:build js

// Command bare is the least that Go can do in a page: a line of text, and a button that counts. `make bench` measures it beside
// Starling, as what any program in Go takes there (BenchmarkHello).
package main

import (
	"strconv"
	"syscall/js"
)

func main() {
	document := js.Global().Get("document")
	make := func(kind, id, text string) js.Value {
		e := document.Call("createElement", kind)
		e.Set("id", id)
		e.Set("textContent", text)
		document.Get("body").Call("append", e)
		return e
	}
	make("p", "hello", "Hello")
	button, n := make("button", "press", "0"), 0
	button.Call("addEventListener", "click", js.FuncOf(func(js.Value, []js.Value) any {
		n++
		button.Set("textContent", strconv.Itoa(n))
		return nil
	}))
	select {}
}
