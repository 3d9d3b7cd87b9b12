package app

import (
	"fmt"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// hiddenDialog lists what is hidden and who is blocked, to bring it back.
type hiddenDialog struct {
	goapp.Compo

	Rows     []*state.Row // the hidden conversations
	List     state.Blocklist
	CanBlock bool // the server blocks people
	Actions  *root
}

// maxHidden is the largest number of hidden conversations in the dialog.
const maxHidden = 200

// Render draws the dialog; it is in the page closed.
func (d *hiddenDialog) Render() goapp.UI {
	text := ""
	switch rest := len(d.Rows) - maxHidden; {
	case len(d.Rows)+len(d.List.Unknown) == 0:
		text = "Nothing is hidden."
	case rest > 0:
		text = fmt.Sprintf("%d more are in the list Hidden, at the end of the sidebar.", rest)
	}
	rows := d.Rows[:min(len(d.Rows), maxHidden)]
	people := ""
	switch {
	case !d.List.Loaded:
		people = "Loading…"
	case len(d.List.People) == 0:
		people = "Nobody is blocked."
	case !d.CanBlock:
		people = "This server does not let clients unblock people: ask who runs it."
	}
	return el("dialog").ID(dialogHidden).Aria("labelledby", "hidden-title").Body(
		dialogHead(dialogHidden, "Hidden and blocked"),
		el("h3").ID("hidden-conversations").Text("Hidden conversations"),
		el("ul").ID("hidden-list").Class("back").TabIndex(-1).Aria("labelledby", "hidden-conversations").Body(
			goapp.Range(rows).Slice(func(i int) goapp.UI {
				return &hiddenRow{Name: rows[i].Name, Do: "Show again", Conversation: rows[i].ID, Actions: d.Actions}
			}),
			goapp.Range(d.List.Unknown).Slice(func(i int) goapp.UI {
				id := d.List.Unknown[i]
				return &hiddenRow{Name: "Conversation " + string(id[:min(8, len(id))]), Do: "Show again", Conversation: id, Actions: d.Actions}
			}),
		),
		el("p").Class("hint").Attr("role", "status").Text(text),
		el("h3").ID("blocked-people").Text("Blocked people"),
		el("ul").ID("blocked-list").Class("back").TabIndex(-1).Aria("labelledby", "blocked-people").Body(
			goapp.Range(d.List.People).Slice(func(i int) goapp.UI {
				p, do := d.List.People[i], ""
				if d.CanBlock {
					do = "Unblock"
				}
				return &hiddenRow{Name: p.Name, Do: do, User: p.ID, Actions: d.Actions}
			}),
		),
		el("p").Class("hint").Attr("role", "status").Text(people),
	)
}

// hiddenRow is a conversation or a person to bring back.
type hiddenRow struct {
	goapp.Compo

	Name         string
	Do           string // the button; empty for none
	Conversation ozeki.ConversationID
	User         ozeki.UserID
	Actions      *root
}

// Render draws the row.
func (h *hiddenRow) Render() goapp.UI {
	return el("li").Body(
		el("span").Dir("auto").Text(h.Name),
		goapp.If(h.Do != "", el("button").Attr("type", "button").Class("secondary").Aria("label", h.Do+": "+h.Name).Text(h.Do).OnClick(h.click)),
	)
}

func (h *hiddenRow) click(goapp.Context, goapp.Event) {
	// The row goes away: the focus stays with its list.
	if h.User != "" {
		focusOn("blocked-list")
		h.Actions.unblock(h.User)
		return
	}
	focusOn("hidden-list")
	h.Actions.engine.ShowAgain(h.Conversation)
}
