package app

import (
	"strings"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
)

func dialogHead(id, title string) goapp.UI {
	return el("div").Class("dialog-head").Body(
		el("h2").ID(id+"-title").Text(title),
		el("button").Attr("type", "button").Class("icon").Aria("label", "Close").
			OnClick(func(goapp.Context, goapp.Event) { closeDialog(id) }, id).Body(svgIcon(cross)),
	)
}

// newConversation is the dialog that starts a conversation with a friend.
type newConversation struct {
	goapp.Compo

	Friends   []state.Friend
	Loaded    bool
	CanAdd    bool // the server makes friends by e-mail address
	CanCreate bool // the server makes conversations
	CanGroup  bool // it makes groups that can change
	Actions   *root

	search string
	task
}

// OnMount keeps the component's own context.
func (d *newConversation) OnMount(ctx goapp.Context) { d.ctx = ctx }

// Render draws the dialog; it is in the page closed.
func (d *newConversation) Render() goapp.UI {
	found, text := friendsNamed(d.Friends, d.search)
	switch {
	case !d.CanCreate:
		text = "This server does not let clients start conversations: ask who runs it, or start one in another client."
	case !d.Loaded:
		text = "Loading your friends…"
	case len(d.Friends) == 0:
		text = "You have no friends here yet."
	}
	return el("dialog").ID(dialogNewConversation).Aria("labelledby", "new-conversation-title").Body(
		dialogHead(dialogNewConversation, "New conversation"),
		// Parts that come and go have a place of their own, so that the fields after them stay the same ones.
		d.trouble(),
		el("p").Class("actions").Body(goapp.If(d.CanGroup && d.CanCreate,
			el("button").Attr("type", "button").Class("secondary").Text("New group").OnClick(d.group),
		)),
		el("div").Body(goapp.If(len(d.Friends) > 0 && d.CanCreate,
			el("input").ID("friend-search").Attr("type", "search").Aria("label", "Search friends").Attr("placeholder", "Search friends").OnInput(d.searched),
		)),
		el("p").Class("hint").Text(text),
		el("div").Body(goapp.If(d.CanCreate,
			el("ul").Class("friends").Aria("label", "Friends").Body(
				goapp.Range(found).Slice(func(i int) goapp.UI {
					return &friendRow{Friend: found[i], Choose: d}
				}),
			),
		)),
		goapp.If(d.CanAdd && d.CanCreate,
			el("form").Attr("novalidate", "").OnSubmit(d.add).Body(
				el("label").Attr("for", "friend-email").Body(el("h3").Text("Somebody else, by email")),
				el("div").Class("field").Body(
					el("input").ID("friend-email").Attr("type", "email").Attr("autocomplete", "off").Attr("autocapitalize", "none").Attr("placeholder", "name@example.com"),
					el("button").Attr("type", "submit").Class("secondary").Text("Start"),
				),
			),
		),
	)
}

func (d *newConversation) searched(goapp.Context, goapp.Event) { d.search = value("friend-search") }

func (d *newConversation) group(goapp.Context, goapp.Event) { d.Actions.newGroup() }

func (d *newConversation) choose(f state.Friend) {
	d.work(func() error { return d.Actions.converse(f) }, nil)
}

func (d *newConversation) add(_ goapp.Context, e goapp.Event) {
	e.PreventDefault()
	email := strings.TrimSpace(value("friend-email"))
	if at := strings.IndexByte(email, '@'); at < 1 || at == len(email)-1 {
		d.words = "Enter the email address of the person you want to write to."
		focusOn("friend-email")
		return
	}
	d.work(func() error {
		f, err := d.Actions.addFriend(email)
		if err == nil {
			err = d.Actions.converse(f)
		}
		if err == nil {
			setValue("friend-email", "")
		}
		return err
	}, nil)
}

// friendRow is a friend to choose.
type friendRow struct {
	goapp.Compo

	Friend state.Friend
	Choose *newConversation
}

// Render draws the row.
func (f *friendRow) Render() goapp.UI {
	return el("li").Body(el("button").Attr("type", "button").OnClick(f.click).Body(
		el("span").Dir("auto").Text(f.Friend.Name),
		presenceOf(f.Friend),
	))
}

func (f *friendRow) click(goapp.Context, goapp.Event) { f.Choose.choose(f.Friend) }

// settingsDialog holds the few settings there are, and signs out.
type settingsDialog struct {
	goapp.Compo

	Name    string
	Unsent  int // messages that the server does not have yet
	Unsaved int // changes of conversations that it does not have yet
	Push    pushState
	Actions *root
}

var themes = []struct{ value, label string }{{"", "As the system"}, {"light", "Light"}, {"dark", "Dark"}}

// Render draws the dialog; it is in the page closed.
func (d *settingsDialog) Render() goapp.UI {
	warning := "Signing out removes your key and everything else of yours from this device."
	if d.Unsent > 0 {
		warning += " " + countWords(d.Unsent, "message that has not been sent is lost.", "messages that have not been sent are lost.")
	}
	if d.Unsaved > 0 {
		warning += " " + countWords(d.Unsaved, "change of a conversation that has not been saved is lost.", "changes of conversations that have not been saved are lost.")
	}
	return el("dialog").ID(dialogSettings).Aria("labelledby", "settings-title").Body(
		dialogHead(dialogSettings, "Settings"),
		el("h3").ID("theme-title").Text("Theme"),
		el("fieldset").Aria("labelledby", "theme-title").Body(
			goapp.Range(themes).Slice(func(i int) goapp.UI {
				t := themes[i]
				return el("label").Body(
					el("input").Attr("type", "radio").Attr("name", "theme").Attr("value", t.value).Attr("checked", pref("theme") == t.value).OnChange(d.theme, t.value),
					el("span").Text(t.label),
				)
			}),
		),
		&notifications{State: d.Push, Actions: d.Actions},
		el("h3").Text("People"),
		el("button").Attr("type", "button").Class("secondary").Text("Workspaces").OnClick(d.workspaces),
		el("h3").Text("Keyboard"),
		el("button").Attr("type", "button").Class("secondary").Text("Keyboard shortcuts").OnClick(d.shortcuts),
		el("h3").Text("Conversations"),
		el("button").Attr("type", "button").Class("secondary").Text("Hidden and blocked").OnClick(d.hidden),
		el("h3").Text("This device"),
		el("p").Class("hint").Text("Signed in as "+d.Name+". "+warning),
		el("p").Body(el("button").Attr("type", "button").Class("danger").Text("Sign out").OnClick(d.signOut)),
	)
}

func (d *settingsDialog) theme(ctx goapp.Context, _ goapp.Event) {
	v := ctx.JSSrc().Get("value").String()
	setPref("theme", v)
	setTheme(v)
}

func (d *settingsDialog) workspaces(goapp.Context, goapp.Event) { d.Actions.openWorkspaces() }

func (d *settingsDialog) shortcuts(goapp.Context, goapp.Event) {
	closeDialog(dialogSettings)
	d.Actions.open(dialogShortcuts)
}

func (d *settingsDialog) hidden(goapp.Context, goapp.Event) { d.Actions.openHidden() }

func (d *settingsDialog) signOut(goapp.Context, goapp.Event) { d.Actions.signOut() }

// shortcutsDialog lists the keyboard shortcuts and changes them.
type shortcutsDialog struct {
	goapp.Compo

	Keys      keymap
	Recording string // id of the one that waits for its new keys
	Trouble   string // what is wrong with the keys pressed, in words
	Actions   *root
}

// Render draws the dialog; it is in the page closed.
func (d *shortcutsDialog) Render() goapp.UI {
	items := make([]goapp.UI, 0, 2*len(shortcuts))
	for _, s := range shortcuts {
		keys := keyWords(d.Keys.of(s))
		shown := el("dt").Body(el("kbd").Text(keys))
		if s.id != "" {
			label := "Change " + keys + ": " + s.what
			if d.Recording == s.id {
				keys, label = "Press the new keys…", "Press the new keys for: "+s.what
			}
			shown = el("dt").Body(el("button").Attr("type", "button").Class("keys").Aria("label", label).OnClick(d.change, s.id).
				DataSet("shortcut", s.id).Body(el("kbd").Text(keys)))
		}
		items = append(items, shown, el("dd").Text(s.what))
	}
	return el("dialog").ID(dialogShortcuts).Aria("labelledby", "shortcuts-title").On("close", d.closed).Body(
		dialogHead(dialogShortcuts, "Keyboard shortcuts"),
		el("p").Class("hint").Text("To change a shortcut, choose its keys here and press the new ones. Escape leaves it as it is."),
		el("p").Class("error").Attr("role", "alert").Text(d.Trouble),
		el("dl").Class("shortcuts").Body(items...),
		el("p").Body(el("button").Attr("type", "button").Class("secondary").Text("Reset all").OnClick(d.reset)),
	)
}

func (d *shortcutsDialog) change(ctx goapp.Context, _ goapp.Event) {
	d.Actions.startRecording(ctx.JSSrc().Get("dataset").Get("shortcut").String())
}

// closed leaves a shortcut that waits for its keys as it is.
func (d *shortcutsDialog) closed(goapp.Context, goapp.Event) { d.Actions.startRecording("") }

func (d *shortcutsDialog) reset(goapp.Context, goapp.Event) { d.Actions.changeKeys(keymap{}, "") }
