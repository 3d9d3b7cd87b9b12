package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/engine"
)

// askDialog asks before something is done.
type askDialog struct {
	goapp.Compo

	Title   string // the question
	Text    string // what comes of it
	Yes     string // the button that does it
	Number  int    // of the question, so that the same one can be asked twice
	Actions *root

	busy  bool
	words string // what went wrong
	asked int    // the number of the question that words are of
	ctx   goapp.Context
}

// OnMount keeps the component's own context.
func (d *askDialog) OnMount(ctx goapp.Context) { d.ctx = ctx }

// Render draws the dialog; it is in the page closed. What has the focus at first changes nothing.
func (d *askDialog) Render() goapp.UI {
	words := d.words
	if d.asked != d.Number {
		words = ""
	}
	return el("dialog").ID(dialogAsk).Attr("role", "alertdialog").Aria("labelledby", "ask-title").Aria("describedby", "ask-text").Body(
		el("h2").ID("ask-title").Dir("auto").Text(d.Title),
		el("p").ID("ask-text").Text(d.Text),
		el("p").Class("error").Attr("role", "alert").Text(words),
		el("div").Class("choice").Body(
			el("button").Attr("type", "button").Class("secondary").Text("Cancel").OnClick(func(goapp.Context, goapp.Event) { closeDialog(dialogAsk) }),
			el("button").Attr("type", "button").Class("danger").Text(d.Yes).OnClick(d.yes),
		),
	)
}

func (d *askDialog) yes(goapp.Context, goapp.Event) {
	if d.busy {
		return
	}
	d.busy, d.words, d.asked = true, "", d.Number
	do := d.Actions.asked
	d.ctx.Async(func() {
		err := do()
		d.ctx.Dispatch(func(goapp.Context) {
			d.busy, d.words = false, engine.Words(err)
			if err == nil {
				closeDialog(dialogAsk)
			}
		})
	})
}
