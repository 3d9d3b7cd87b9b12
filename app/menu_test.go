//go:build !js

package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

// asked notes what a menu asks for.
type asked struct{ what []string }

func (a *asked) note(what string, id ozeki.ConversationID, v any) {
	a.what = append(a.what, fmt.Sprint(what, " ", id, " ", v))
}
func (a *asked) star(id ozeki.ConversationID, on bool)       { a.note("star", id, on) }
func (a *asked) mute(id ozeki.ConversationID, on bool)       { a.note("mute", id, on) }
func (a *asked) hide(id ozeki.ConversationID, on bool)       { a.note("hide", id, on) }
func (a *asked) markRead(id ozeki.ConversationID)            { a.note("read", id, "") }
func (a *asked) askClear(id ozeki.ConversationID)            { a.note("clear", id, "") }
func (a *asked) color(id ozeki.ConversationID, color string) { a.note("color", id, color) }

func (a *asked) askBlock(id ozeki.UserID, name string) {
	a.what = append(a.what, "ask block "+string(id)+" "+name)
}
func (a *asked) unblock(id ozeki.UserID) { a.what = append(a.what, "unblock "+string(id)) }

func none(string) bool { return false }
func all(string) bool  { return true }

func labels(entries []menuEntry) (all []string) {
	for _, e := range entries {
		all = append(all, e.label)
	}
	return all
}

func choose(t *testing.T, entries []menuEntry, label string) {
	t.Helper()
	i := slices.IndexFunc(entries, func(e menuEntry) bool { return e.label == label })
	if i < 0 || entries[i].do == nil {
		t.Fatalf("%q cannot be chosen among %q", label, labels(entries))
	}
	entries[i].do()
}

func TestTheMenuOffersWhatIsNotSoAndAsksForAState(t *testing.T) {
	plain := state.Row{ID: annaID, Name: "Anna"}
	set := state.Row{ID: annaID, Name: "Anna", Favorite: true, Muted: true, Hidden: true, Color: "#baffc9"}
	for _, c := range []struct {
		row   state.Row
		label string
		want  string
	}{
		{plain, "Favorite", "star anna true"}, {set, "Remove from favorites", "star anna false"},
		{plain, "Mute", "mute anna true"}, {set, "Unmute", "mute anna false"},
		{plain, "Hide", "hide anna true"}, {set, "Show again", "hide anna false"},
		{state.Row{ID: annaID, Unread: 2}, "Mark as read", "read anna "}, {plain, "Clear…", "clear anna "},
	} {
		a := &asked{}
		choose(t, menuOf(c.row, none, a), c.label)
		if want := strings.ReplaceAll(c.want, "anna", string(annaID)); !slices.Equal(a.what, []string{want}) {
			t.Errorf("%q asks for %q, want %q", c.label, a.what, want)
		}
	}
}

func TestTheColoursAreAChoiceOfOne(t *testing.T) {
	palette := func(color string, a menuActions) []menuEntry {
		entries := menuOf(state.Row{ID: annaID, Color: color}, none, a)
		return entries[slices.IndexFunc(entries, func(e menuEntry) bool { return e.label == "Colour…" })].sub
	}
	for _, c := range []struct{ color, chosen string }{
		{"", "No colour"}, {"#bae1ff", "Sky"}, {"#cfd8e3", "Slate"}, {"#123456", ""},
	} {
		chosen := ""
		for _, e := range palette(c.color, &asked{}) {
			if !e.radio {
				t.Errorf("%q is not one of a choice", e.label)
			}
			if e.on {
				chosen += e.label
			}
		}
		if chosen != c.chosen {
			t.Errorf("of the colour %q, %q is chosen, want %q", c.color, chosen, c.chosen)
		}
	}
	a := &asked{}
	choose(t, palette("", a), "Sky")
	choose(t, palette("#bae1ff", a), "No colour")
	if want := []string{"color " + string(annaID) + " #bae1ff", "color " + string(annaID) + " "}; !slices.Equal(a.what, want) {
		t.Errorf("asked for %q, want %q", a.what, want)
	}
}

func TestBlockingIsOfferedForAPersonWhereTheServerCan(t *testing.T) {
	anna := state.Row{ID: annaID, Name: "Anna", With: "a1"}
	blocked := anna
	blocked.Blocked = true
	for _, c := range []struct {
		row    state.Row
		has    func(string) bool
		offers string
		asks   string
	}{
		{anna, all, "Block Anna…", "ask block a1 Anna"}, {blocked, all, "Unblock Anna", "unblock a1"},
		{anna, none, "", ""}, {state.Row{ID: annaID, Name: "Group"}, all, "", ""},
	} {
		a := &asked{}
		entries := menuOf(c.row, c.has, a)
		if c.offers == "" {
			if l := labels(entries); strings.Contains(strings.ToLower(l[len(l)-1]), "block") {
				t.Errorf("%+v is offered %q", c.row, l)
			}
			continue
		}
		choose(t, entries, c.offers)
		if !slices.Equal(a.what, []string{c.asks}) {
			t.Errorf("%q asks for %q", c.offers, a.what)
		}
	}
}
