package app

import (
	"strings"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// launch is what the address asks for with which the program was opened: by a link, a shortcut of the manifest, or a share.
type launch struct {
	open   ozeki.ConversationID
	begin  bool   // a new conversation
	unread bool   // only what is unread
	shared string // a text for the composer of the conversation that is chosen next
}

// launchOf reads the parameters of an address, given by get; has tells an empty parameter from none.
func launchOf(get func(string) string, has func(string) bool) launch {
	l := launch{open: ozeki.ConversationID(get("c")), begin: has("new"), unread: has("unread")}
	var parts []string
	for _, name := range []string{"title", "text", "url"} { // of share_target in the manifest
		if part := strings.TrimSpace(get(name)); part != "" && !strings.Contains(strings.Join(parts, "\n"), part) {
			parts = append(parts, part)
		}
	}
	l.shared = strings.Join(parts, "\n")
	return l
}

// launched does what an address asks for, as soon as somebody is signed in.
func (r *root) launched(l launch) {
	if l.shared != "" {
		r.shared = l.shared
	}
	r.asks = l
	if r.phase == "in" {
		r.ctx.Dispatch(func(goapp.Context) { r.begun() })
	}
}

// begun does what the last launch asked for.
func (r *root) begun() {
	l := r.asks
	r.asks = launch{}
	switch {
	case l.begin:
		replaceAddress()
		r.newConversation()
	case l.unread:
		replaceAddress()
		r.engine.UnreadOnly(true)
	case l.shared != "":
		replaceAddress()
		r.show("") // to choose where it shall go
	case l.open != "" && l.open != r.current:
		r.goTo(l.open)
	}
}

// takeShared puts what was shared into the composer of the conversation that has been chosen, below what stands there; while
// a message is changed there, into the draft that stands there afterwards. It waits for a draft that is being opened; where
// nothing can be written, another conversation has to be chosen.
func (r *root) takeShared() {
	text := r.shared
	r.afterFrame(func() {
		if r.shared == text && text != "" && canCompose(r.snap.Open) && r.snap.Open.Row.ID == r.current && !r.opening() {
			r.shared = ""
			if r.editing.ID != "" && r.editingIn == r.current {
				r.changeDraft(r.current, func(d *state.Draft) { d.Text = joinLines(d.Text, text) })
				r.engine.KeepDrafts()
				r.engine.Say("What you share goes into a new message. It is in the composer when you have saved or canceled the change.")
				return
			}
			if value("composer") != "" {
				text = "\n" + text
			}
			focusEnd("composer")
			insertInto("composer", text)
			r.ctx.Dispatch(func(goapp.Context) {})
		}
	})
}

// sharedLine asks for the conversation that what was shared shall go to.
type sharedLine struct {
	goapp.Compo

	Text    string // what was shared, empty for nothing
	Actions *root
}

// Render draws the line, if something was shared.
func (l *sharedLine) Render() goapp.UI {
	return el("div").Body(goapp.If(l.Text != "",
		el("p").Class("connection").Attr("role", "status").Aria("label", "Shared").Body(
			el("span").Text("Choose the conversation for what you share. "),
			el("button").Attr("type", "button").Class("link").Text("Cancel").OnClick(l.cancel),
		),
	))
}

func (l *sharedLine) cancel(goapp.Context, goapp.Event) {
	l.Actions.shared = ""
	replaceAddress()
	l.Actions.ctx.Dispatch(func(goapp.Context) {})
}
