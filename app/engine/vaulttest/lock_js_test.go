//go:build js

package vaulttest

import (
	"context"
	"syscall/js"
	"testing"

	"starling/app/engine"
	"starling/ozeki"
)

// isFree reports whether another tab would get a lock at once.
func isFree(t *testing.T, name string) bool {
	t.Helper()
	got := js.FuncOf(func(_ js.Value, args []js.Value) any { return args[0].Truthy() })
	defer got.Release()
	v, err := ozeki.Await(func() js.Value {
		return js.Global().Get("navigator").Get("locks").Call("request", name, map[string]any{"ifAvailable": true}, got)
	})
	if err != nil {
		t.Fatal(err)
	}
	return v.Bool()
}

func becomesFree(t *testing.T, name string) {
	t.Helper()
	for tries := 0; !isFree(t, name); tries++ {
		if tries == 1000 {
			t.Fatal("it stays held")
		}
	}
}

// A tab that is frozen keeps no lock from the others, neither one that it has nor one that it waits for.
func TestAFrozenTabHoldsNoLock(t *testing.T) {
	const name = "frozen"
	ctx, locks := context.Background(), engine.NewLocks()
	happens := func(event string) {
		js.Global().Get("document").Call("dispatchEvent", js.Global().Get("Event").New(event))
	}
	begun, goOn, done := make(chan string), make(chan struct{}), make(chan error, 1)
	hold := func(who string) {
		done <- locks.Hold(ctx, name, func() { begun <- who; <-goOn })
	}
	go hold("first")
	<-begun
	if isFree(t, name) {
		t.Error("it is free while it is held")
	}
	go hold("second")
	happens("freeze")
	becomesFree(t, name) // the second may get it, and gives it back
	goOn <- struct{}{}   // it runs on for a moment, and what it does next would take it again
	if err := <-done; err != nil {
		t.Error(err)
	}
	go hold("third")
	for range 20 {
		if !isFree(t, name) {
			t.Fatal("a frozen tab has taken it")
		}
	}
	ended, end := context.WithCancel(ctx)
	end()
	if err := locks.Hold(ended, name, func() { t.Error("it is held after its end") }); err == nil {
		t.Error("the end is no error")
	}
	happens("resume")
	for range 2 {
		<-begun
		if isFree(t, name) {
			t.Error("it is free while it is held again")
		}
		goOn <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	becomesFree(t, name)
}
