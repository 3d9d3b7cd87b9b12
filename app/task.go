package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
)

// task is what a component does in the background: one thing at a time.
type task struct {
	busy  bool
	words string        // what went wrong
	ctx   goapp.Context // the component's own: that of a button ends when the button is drawn anew
}

// work does one thing and shows what went wrong; then, if nothing did, it calls done, which may be nil.
func (t *task) work(f func() error, done func()) {
	if t.busy {
		return
	}
	t.busy, t.words = true, ""
	t.ctx.Async(func() {
		err := f()
		t.ctx.Dispatch(func(goapp.Context) {
			t.busy, t.words = false, engine.Words(err)
			if err == nil && done != nil {
				done()
			}
		})
	})
}

// trouble is the place for what went wrong; it is always there, so that it is announced when it gets its words.
func (t *task) trouble() goapp.UI {
	return el("p").Class("error").Attr("role", "alert").Text(t.words)
}
