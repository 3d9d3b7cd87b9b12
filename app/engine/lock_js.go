//go:build js

package engine

import (
	"context"
	"syscall/js"
)

// webLocks are the browser's Locks: Web Locks, which a tab that ends gives back by itself.
type webLocks struct{ manager js.Value }

// NewLocks returns the platform's Locks.
func NewLocks() Locks { return webLocks{js.Global().Get("navigator").Get("locks")} }

func (l webLocks) Hold(ctx context.Context, name string, f func()) (err error) {
	if !l.manager.Truthy() {
		f()
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	held, over := make(chan struct{}), make(chan struct{})
	var giveBack js.Value
	promise := js.FuncOf(func(_ js.Value, args []js.Value) any { giveBack = args[0]; return nil })
	defer promise.Release()
	granted := js.FuncOf(func(js.Value, []js.Value) any {
		p := js.Global().Get("Promise").New(promise)
		close(held)
		return p
	})
	failed := js.FuncOf(func(js.Value, []js.Value) any { close(over); return nil })
	abort := js.Global().Get("AbortController").New()
	l.manager.Call("request", name, map[string]any{"signal": abort.Get("signal")}, granted).Call("catch", failed)
	release := func() { granted.Release(); failed.Release() }
	select {
	case <-held:
	case <-over: // this page may not have any: another one may do the same at the same time
		release()
		f()
		return nil
	case <-ctx.Done():
		abort.Call("abort")
		select { // granted or refused: one of the two is called
		case <-held:
			giveBack.Invoke()
		case <-over:
		}
		release()
		return ctx.Err()
	}
	defer release()
	frozen := js.FuncOf(func(js.Value, []js.Value) any { giveBack.Invoke(); return nil })
	defer frozen.Release()
	document := js.Global().Get("document")
	document.Call("addEventListener", "freeze", frozen)
	defer document.Call("removeEventListener", "freeze", frozen)
	defer giveBack.Invoke()
	f()
	return nil
}
