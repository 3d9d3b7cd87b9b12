//go:build js

package app

import "syscall/js"

// fill replaces what is in an element. All of it is made in one call: each call from the program costs about as much as
// making an element.
func fill(e js.Value, parts []part) {
	starling.Call("fill", e, string(appendParts(nil, parts)))
}
