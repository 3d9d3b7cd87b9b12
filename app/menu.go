package app

import (
	"starling/app/state"
	"starling/ozeki"
)

// The menu of a conversation is one list, made here, whatever opens it: the button of its row, a right click, a long
// press, Shift+F10 or the button in the conversation's head. menu_js.go shows it.

// menuEntry is a line of a menu.
type menuEntry struct {
	label  string
	do     func()      // nil where there is a sub
	sub    []menuEntry // shown in place of the list
	radio  bool        // one of a choice: on says whether it is the one
	on     bool
	swatch string // a colour beside the label, "#rrggbb"
	danger bool   // takes something away for good, or keeps somebody away
	part   bool   // begins a part of the list: a line above it
}

// point is a place in the window, in pixels; the zero value is none.
type point struct {
	x, y  float64
	known bool
}

// menuActions is what the entries ask for.
type menuActions interface {
	star(id ozeki.ConversationID, on bool)
	mute(id ozeki.ConversationID, on bool)
	color(id ozeki.ConversationID, color string)
	hide(id ozeki.ConversationID, on bool)
	markRead(id ozeki.ConversationID)
	askClear(id ozeki.ConversationID)
	askBlock(user ozeki.UserID, name string)
	unblock(user ozeki.UserID)
}

// menuColors are the colours that a conversation can be given. They are soft, so that a name reads well on all of them;
// other clients may set any other.
var menuColors = []struct{ name, value string }{
	{"Sky", "#bae1ff"}, // of the published example
	{"Mint", "#baffc9"},
	{"Lemon", "#ffffba"},
	{"Peach", "#ffdfba"},
	{"Rose", "#ffb3ba"},
	{"Lavender", "#d9c7ff"},
	{"Sand", "#e6d7c3"},
	{"Slate", "#cfd8e3"},
}

// menuOf lists what can be done with a conversation; has says which extensions the server offers.
func menuOf(r state.Row, has func(extension string) bool, a menuActions) []menuEntry {
	id := r.ID
	either := func(on bool, off, back string, set func(ozeki.ConversationID, bool)) menuEntry {
		if on {
			off = back
		}
		return menuEntry{label: off, do: func() { set(id, !on) }}
	}
	colors := make([]menuEntry, 0, len(menuColors)+1)
	for _, c := range menuColors {
		colors = append(colors, menuEntry{
			label: c.name, radio: true, on: r.Color == c.value, swatch: c.value, do: func() { a.color(id, c.value) },
		})
	}
	colors = append(colors, menuEntry{label: "No colour", radio: true, on: r.Color == "", part: true, do: func() { a.color(id, "") }})
	entries := []menuEntry{
		either(r.Favorite, "Favorite", "Remove from favorites", a.star),
		either(r.Muted, "Mute", "Unmute", a.mute),
		{label: "Colour…", sub: colors},
		either(r.Hidden, "Hide", "Show again", a.hide),
	}
	if r.Unread > 0 {
		entries = append(entries, menuEntry{label: "Mark as read", do: func() { a.markRead(id) }})
	}
	entries = append(entries, menuEntry{label: "Clear…", do: func() { a.askClear(id) }, danger: true, part: true})
	switch {
	case r.With == "" || !has(ozeki.ExtBlock):
	case r.Blocked:
		entries = append(entries, menuEntry{label: "Unblock " + r.Name, do: func() { a.unblock(r.With) }})
	default:
		entries = append(entries, menuEntry{label: "Block " + r.Name + "…", danger: true, do: func() { a.askBlock(r.With, r.Name) }})
	}
	return entries
}
