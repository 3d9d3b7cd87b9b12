package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"
)

// clearDialog asks whether a conversation shall be cleared, and says what is lost.
type clearDialog struct {
	goapp.Compo

	Name    string // of the conversation
	Actions *root
}

// Render draws the dialog; it is in the page closed.
func (d *clearDialog) Render() goapp.UI {
	return el("dialog").ID("clear").Aria("labelledby", "clear-title").Aria("describedby", "clear-text").Body(
		el("h2").ID("clear-title").Dir("auto").Text("Clear "+d.Name+"?"),
		el("p").ID("clear-text").Text("All messages are removed, for everybody in this conversation and on all devices. This cannot be undone."),
		el("div").Class("choice").Body(
			el("button").Attr("type", "button").Class("secondary").Text("Cancel").OnClick(d.cancel),
			el("button").Attr("type", "button").Class("danger").Text("Clear").OnClick(d.clear),
		),
	)
}

func (d *clearDialog) cancel(goapp.Context, goapp.Event) { closeDialog("clear") }
func (d *clearDialog) clear(goapp.Context, goapp.Event)  { d.Actions.clear() }
