package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"
)

// sidebarHead is what stands above the lists.
type sidebarHead struct {
	goapp.Compo

	Name    string // of the user
	Offline bool
	Trouble string // why the list could not be loaded, in words
	Ready   bool   // somebody is signed in
	Actions *root
}

// Render draws the name, the buttons, the filter and the state of the connection.
func (h *sidebarHead) Render() goapp.UI {
	return goapp.Div().Body(
		goapp.Div().Class("sidebar-head").Body(
			goapp.Span().Class("me").Dir("auto").Text(h.Name),
			goapp.Button().Type("button").Class("icon").Aria("label", "New conversation").Title("New conversation").
				OnClick(func(goapp.Context, goapp.Event) { h.Actions.newConversation() }).Body(svgIcon(pencil)),
			goapp.Button().Type("button").Class("icon").Aria("label", "Settings").Title("Settings").
				OnClick(func(goapp.Context, goapp.Event) { openDialog("settings") }).Body(svgIcon(gear)),
		),
		goapp.Div().Class("filter").Body(
			goapp.Input().ID("filter").Type("search").Aria("label", "Filter conversations").Placeholder("Filter conversations").
				AutoComplete(false).Attr("spellcheck", "false").
				OnInput(func(goapp.Context, goapp.Event) { h.Actions.filter(value("filter")) }),
		),
		goapp.If(h.Offline && h.Ready,
			goapp.P().Class("connection").Attr("role", "status").Aria("label", "Offline").
				Text("Offline. What you do is kept and sent when the connection is back."),
		),
		goapp.If(h.Trouble != "",
			goapp.Div().Class("list-trouble").Attr("role", "alert").Body(
				goapp.P().Text("Your conversations could not be loaded. "+h.Trouble),
				goapp.Button().Type("button").Class("secondary").Text("Try again").
					OnClick(func(goapp.Context, goapp.Event) { h.Actions.reload() }),
			),
		),
	)
}
