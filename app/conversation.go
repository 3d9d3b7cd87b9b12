package app

import (
	"strconv"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// conversationPane is the open conversation: its name, star, messages and composer.
type conversationPane struct {
	goapp.Compo

	View      *state.Open
	Groups    bool         // groups can be changed
	Empty     bool         // the user has no conversations at all
	About     composing    // beside the text
	Refused   string       // why what is in the composer was not taken, in words
	Chosen    []chosenView // files in the composer
	FileLimit int64        // of one file, in bytes; 0: the server takes none
	Actions   *root

	shown ozeki.ConversationID // whose draft stands in the composer
}

// OnUpdate puts the draft of the newly opened conversation into the composer.
func (p *conversationPane) OnUpdate(ctx goapp.Context) { p.prepare(ctx) }

// OnMount does the same for the first one.
func (p *conversationPane) OnMount(ctx goapp.Context) { p.prepare(ctx) }

func (p *conversationPane) prepare(ctx goapp.Context) {
	ctx.Defer(func(goapp.Context) { p.Actions.log.attach("timeline") })
	id := ozeki.ConversationID("")
	if p.writable() {
		id = p.View.Row.ID
	}
	if id == p.shown {
		return
	}
	p.shown = id
	if id != "" {
		ctx.Defer(func(goapp.Context) {
			// As it is by now: the root could not put a draft that was opened meanwhile into a composer that was not there.
			if v := p.View; v != nil && v.Row.ID == id && value("composer") == "" {
				setValue("composer", p.Actions.standing(id))
			}
			setValue("keep", keepValue(p.Actions.keep(id)))
		})
	}
}

// writable reports whether there is a composer. Text can be typed while the key is still being opened.
func (p *conversationPane) writable() bool { return canCompose(p.View) }

func canCompose(o *state.Open) bool {
	return o != nil && o.Known && !o.Row.Blocked && (o.CanWrite || !o.Row.Trouble)
}

// Render draws the pane.
func (p *conversationPane) Render() goapp.UI {
	v := p.View
	switch {
	case v == nil && p.Empty:
		return el("main").Class("pane").Body(el("div").Class("pane-empty").Body(
			el("h1").Text("Welcome to Starling"),
			el("p").Text("Write to somebody: start your first conversation."),
			el("p").Body(el("button").Attr("type", "button").Class("primary").Text("Start a conversation").
				OnClick(func(goapp.Context, goapp.Event) { p.Actions.newConversation() })),
		))
	case v == nil:
		return el("main").Class("pane").Body(el("div").Class("pane-empty").Body(
			el("h1").Class("visually-hidden").Text("Starling"),
			el("p").Text("Choose a conversation."),
			el("p").Class("hint").Body(goapp.Text("Press "), el("kbd").Text("?"), goapp.Text(" for the keyboard shortcuts.")),
		))
	case !v.Known:
		text := "This conversation is not among yours. It may have been removed, or the link is for somebody else."
		if v.Loading {
			text = "Loading…"
		}
		return el("main").Class("pane").Body(
			el("header").Class("pane-head").Body(p.back(), el("h1").Text("Conversation")),
			el("div").Class("pane-empty").Body(el("p").Text(text)),
		)
	}
	way, words := wayOf(v.Row.Star)
	star := el("button").Attr("type", "button").Class("star").Aria("label", "Favorite "+v.Row.Name).
		Aria("pressed", strconv.FormatBool(v.Row.Favorite)).OnClick(p.toggleStar).Body(svgIcon(starPath))
	if way != "" {
		star = star.DataSet("way", way).Aria("description", words)
	}
	return el("main").Class("pane").Body(
		el("header").Class("pane-head").Body(p.back(), el("div").Class("pane-title").Body(
			el("h1").Text(v.Row.Name),
			el("p").Class("pane-note").Text(noteOf(v)),
		), p.members(), star, p.more()),
		el("section").ID("timeline").Class("timeline"), // filled by timeline_js.go; no other part here is a section
		el("div").Class("drop").Aria("hidden", "true").Body(el("p").Text("Drop the files here to attach them")),
		goapp.If(p.writable(), p.composer()),
		goapp.If(v.Row.Blocked, el("div").Class("closed").Body(
			el("p").Text("You have blocked "+v.Row.Name+". Unblock to write."),
			el("button").Attr("type", "button").Class("secondary").Text("Unblock").OnClick(p.unblock),
		)),
		goapp.If(!p.writable() && !v.Row.Blocked,
			el("p").Class("closed").Text("The key of this conversation does not open with your key on this device, so its messages cannot be read or written here."),
		),
	)
}

func (p *conversationPane) back() goapp.UI {
	return el("a").Class("back").Attr("href", "/").Aria("label", "Back to the conversations").Body(svgIcon(arrowBack))
}

func (p *conversationPane) unblock(goapp.Context, goapp.Event) { p.Actions.unblock(p.View.Row.With) }

// members is the button that shows who is in a group.
func (p *conversationPane) members() goapp.UI {
	label := "Members of " + p.View.Row.Name
	return el("button").Attr("type", "button").Class("icon").Aria("label", label).Title(label).
		Attr("hidden", !p.View.Row.Group || !p.Groups).OnClick(p.showMembers).Body(svgIcon(people))
}

func (p *conversationPane) showMembers(goapp.Context, goapp.Event) {
	p.Actions.showMembers(p.View.Row.ID)
}

func (p *conversationPane) toggleStar(goapp.Context, goapp.Event) {
	p.Actions.star(p.View.Row.ID, !p.View.Row.Favorite)
}

// more is the button that opens the conversation's menu.
func (p *conversationPane) more() goapp.UI {
	return el("button").ID("pane-more").Attr("type", "button").Class("icon").Aria("label", "More for "+p.View.Row.Name).
		Aria("haspopup", "menu").OnClick(p.openMenu).Body(svgIcon(dots))
}

func (p *conversationPane) openMenu(goapp.Context, goapp.Event) {
	focusOn("pane-more") // which some browsers do not do with a click
	p.Actions.menu(p.View.Row.ID, point{})
}

// composer has no handlers of the framework's but submit: each would draw the pane again at every key press. The root
// hears of keys and input from the page.
func (p *conversationPane) composer() goapp.UI {
	if !p.writable() {
		return nil // If takes both of its branches
	}
	return el("form").Attr("novalidate", "").OnSubmit(p.submit).Body(
		// Always there: children are matched by position, and a composer made anew would lose what was typed.
		el("p").Class("error composer-trouble").Attr("role", "alert").Text(p.Refused),
		el("div").Class("about").Hidden(p.About == composing{}).Body(
			el("div").Body(el("b").Dir("auto").Text(p.About.Title), el("span").Dir("auto").Text(p.About.Quote)),
			el("button").Attr("type", "button").Class("icon").Aria("label", p.cancelLabel()).OnClick(p.cancel).Body(svgIcon(cross)),
		),
		el("ul").Class("chosen").Aria("label", "Files to send").Attr("hidden", len(p.Chosen) == 0).Body(
			goapp.Range(p.Chosen).Slice(func(i int) goapp.UI { return &chosenRow{File: p.Chosen[i], Actions: p.Actions} }),
		),
		el("div").Class("composer").Body(
			el("div").Class("attach").Body(goapp.If(p.FileLimit > 0,
				el("input").ID("files").Attr("type", "file").Attr("multiple", true).Attr("hidden", true),
				attachButton(p.FileLimit),
			)),
			el("textarea").ID("composer").Attr("rows", 1).Aria("label", "Message "+p.View.Row.Name).Attr("placeholder", "Message").Dir("auto"),
			el("button").Attr("type", "submit").Class("primary").Text(p.sendLabel()),
		),
		el("div").Class("composer-tools").Body(
			el("button").ID("emoji-button").Attr("type", "button").Class("icon").Aria("label", "Insert an emoji").Aria("haspopup", "dialog").OnClick(p.emoji).Body(svgIcon(smile)),
			el("select").ID("keep").Aria("label", "How long messages last").Hidden(p.About.Edit != "").Body(
				goapp.Range(keeps).Slice(func(i int) goapp.UI {
					return el("option").Attr("value", keepValue(keeps[i].value)).Text(keeps[i].label)
				}),
			),
		),
	)
}

func (p *conversationPane) sendLabel() string {
	if p.About.Edit != "" {
		return "Save"
	}
	return "Send"
}

func (p *conversationPane) cancelLabel() string {
	if p.About.Edit != "" {
		return "Leave the message as it is"
	}
	return "Do not reply"
}

func (p *conversationPane) cancel(goapp.Context, goapp.Event) { p.Actions.cancel() }

func (p *conversationPane) emoji(goapp.Context, goapp.Event) {
	showEmoji("emoji-button", p.Actions.insert)
}

func (p *conversationPane) submit(_ goapp.Context, e goapp.Event) {
	e.PreventDefault()
	p.Actions.send()
	focusOn("composer")
}
