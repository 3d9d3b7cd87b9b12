package app

import (
	"strconv"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"
)

// sidebarHead is what stands above the lists.
type sidebarHead struct {
	goapp.Compo

	Name       string // of the user
	Trouble    string // why the list could not be loaded, in words
	UnreadOnly bool   // only what is unread is shown
	Actions    *root
}

// Render draws the name, the buttons, the filter, and what is wrong with the list.
func (h *sidebarHead) Render() goapp.UI {
	return el("div").Body(
		el("div").Class("sidebar-head").Body(
			el("span").Class("me").Dir("auto").Text(h.Name),
			el("button").Attr("type", "button").Class("icon").Aria("label", "New conversation").Title("New conversation").
				OnClick(func(goapp.Context, goapp.Event) { h.Actions.newConversation() }).Body(svgIcon(pencil)),
			el("button").Attr("type", "button").Class("icon").Aria("label", "Settings").Title("Settings").
				OnClick(func(goapp.Context, goapp.Event) { h.Actions.openSettings() }).Body(svgIcon(gear)),
		),
		el("div").Class("filter").Body(
			el("input").ID("filter").Attr("type", "search").Aria("label", "Filter conversations").Attr("placeholder", "Filter conversations").
				Attr("autocomplete", "off").Attr("spellcheck", "false").
				OnInput(func(goapp.Context, goapp.Event) { h.Actions.filter(value("filter")) }),
			el("button").Attr("type", "button").Class("toggle").Aria("pressed", strconv.FormatBool(h.UnreadOnly)).Text("Unread").OnClick(h.toggleUnread),
		),
		goapp.If(h.Trouble != "",
			el("div").Class("list-trouble").Attr("role", "alert").Body(
				el("p").Text("Your conversations could not be loaded. "+h.Trouble),
				el("button").Attr("type", "button").Class("secondary").Text("Try again").
					OnClick(func(goapp.Context, goapp.Event) { h.Actions.reloadList() }),
			),
		),
	)
}

func (h *sidebarHead) toggleUnread(goapp.Context, goapp.Event) {
	h.Actions.engine.UnreadOnly(!h.UnreadOnly)
}

// connectionLine says that the server cannot be reached. It stands below the lists, so that no row moves under a pointer
// when it comes or goes.
type connectionLine struct {
	goapp.Compo

	Offline bool
}

// Render draws the line, if there is anything to say.
func (c *connectionLine) Render() goapp.UI {
	return el("div").Body(goapp.If(c.Offline,
		el("p").Class("connection").Attr("role", "status").Aria("label", "Offline").
			Text("Offline. What you do is kept and sent when the connection is back."),
	))
}
