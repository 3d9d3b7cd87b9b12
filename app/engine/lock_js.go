//go:build js

package engine

import (
	"context"
	"sync"
	"syscall/js"
)

// webLocks are the browser's Locks: Web Locks, which a tab that ends gives back by itself. One that is frozen would keep
// them, so it gives them back and takes none until it wakes.
type webLocks struct{ manager js.Value }

// NewLocks returns the platform's Locks.
func NewLocks() Locks {
	watchFreeze()
	return webLocks{js.Global().Get("navigator").Get("locks")}
}

// frozen is nil while the page is awake, else it is closed when the page wakes.
var frozen chan struct{}

var watchFreeze = sync.OnceFunc(func() {
	document := js.Global().Get("document")
	if !document.Truthy() {
		return
	}
	document.Call("addEventListener", "freeze", js.FuncOf(func(js.Value, []js.Value) any {
		if frozen == nil {
			frozen = make(chan struct{})
		}
		return nil
	}))
	woken := js.FuncOf(func(js.Value, []js.Value) any {
		if frozen != nil {
			close(frozen)
			frozen = nil
		}
		return nil
	})
	document.Call("addEventListener", "resume", woken)
	js.Global().Call("addEventListener", "pageshow", woken)
})

func (l webLocks) Hold(ctx context.Context, name string, f func()) (err error) {
	for {
		if wake := frozen; wake != nil {
			select {
			case <-wake:
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		giveBack, err := l.take(ctx, name)
		switch {
		case err != nil:
			return err
		case giveBack == nil:
			f()
			return nil
		case frozen != nil:
			giveBack() // it was frozen while it waited for its turn
			continue
		}
		defer giveBack()
		if document := js.Global().Get("document"); document.Truthy() {
			given := js.FuncOf(func(js.Value, []js.Value) any { giveBack(); return nil })
			defer given.Release()
			document.Call("addEventListener", "freeze", given)
			defer document.Call("removeEventListener", "freeze", given)
		}
		f()
		return nil
	}
}

// take waits for the lock and returns what gives it back, which may be called more than once; nil where this page may not
// have any: another one may do the same at the same time. The error is ctx's.
func (l webLocks) take(ctx context.Context, name string) (giveBack func(), err error) {
	if !l.manager.Truthy() {
		return nil, nil
	}
	held, over := make(chan struct{}), make(chan struct{})
	var resolve js.Value
	promise := js.FuncOf(func(_ js.Value, args []js.Value) any { resolve = args[0]; return nil })
	defer promise.Release()
	granted := js.FuncOf(func(js.Value, []js.Value) any {
		p := js.Global().Get("Promise").New(promise)
		close(held)
		return p
	})
	defer granted.Release()
	failed := js.FuncOf(func(js.Value, []js.Value) any { close(over); return nil })
	defer failed.Release()
	abort := js.Global().Get("AbortController").New()
	l.manager.Call("request", name, map[string]any{"signal": abort.Get("signal")}, granted).Call("catch", failed)
	select {
	case <-held:
	case <-over:
		return nil, nil
	case <-ctx.Done():
		abort.Call("abort")
		select { // granted or refused: one of the two is called
		case <-held:
			resolve.Invoke()
		case <-over:
		}
		return nil, ctx.Err()
	}
	return func() { resolve.Invoke() }, nil
}
