package app

import (
	"fmt"
	"strings"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// maxPicks is how many friends are listed at once: who has more searches.
const maxPicks = 100

// picker chooses some of the user's friends by checkboxes. It is a part of a dialog.
type picker struct {
	id     string // of its elements
	search string
	chosen map[ozeki.UserID]bool
}

// reset chooses nobody.
func (p *picker) reset() {
	p.search = ""
	clear(p.chosen)
	setValue(p.id+"-search", "")
}

// among returns the chosen ones of the friends.
func (p *picker) among(friends []state.Friend) (chosen []state.Friend) {
	for _, f := range friends {
		if p.chosen[f.ID] {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// friendsNamed finds the friends by a part of their names, at most maxPicks; the hint says what there is to say of what was found.
func friendsNamed(friends []state.Friend, search string) (found []state.Friend, hint string) {
	needle := state.Fold(strings.TrimSpace(search))
	total := 0
	for _, f := range friends {
		if strings.Contains(state.Fold(f.Name), needle) {
			if total++; total <= maxPicks {
				found = append(found, f)
			}
		}
	}
	switch {
	case total == 0:
		hint = "Nobody of that name."
	case total > maxPicks:
		hint = fmt.Sprintf("%d of %d are shown. Search for a name to see others.", maxPicks, total)
	}
	return found, hint
}

// render draws the search and the list. Parts that come and go have a place of their own.
func (p *picker) render(friends []state.Friend, nobody string) goapp.UI {
	found, hint := friendsNamed(friends, p.search)
	if len(friends) == 0 {
		hint = nobody
	}
	names := make([]string, 0, len(p.chosen))
	for _, f := range p.among(friends) {
		names = append(names, f.Name)
	}
	chosen := ""
	if len(names) > 0 {
		chosen = "Chosen: " + strings.Join(names, ", ")
	}
	return el("div").Body(
		el("div").Body(goapp.If(len(friends) > 0,
			el("input").ID(p.id+"-search").Attr("type", "search").Aria("label", "Search friends").Attr("placeholder", "Search friends").
				Attr("autocomplete", "off").OnInput(p.searched, p.id),
		)),
		el("p").Class("hint").Text(hint),
		el("ul").Class("friends picks").Aria("label", "Friends").Body(
			goapp.Range(found).Slice(func(i int) goapp.UI {
				return &pick{Friend: found[i], Chosen: p.chosen[found[i].ID], Picker: p}
			}),
		),
		el("p").Class("hint").Attr("aria-live", "polite").Text(chosen),
	)
}

func (p *picker) searched(goapp.Context, goapp.Event) { p.search = value(p.id + "-search") }

// pick is a friend with a checkbox.
type pick struct {
	goapp.Compo

	Friend state.Friend
	Chosen bool
	Picker *picker
}

// OnMount and OnUpdate check the box by hand: the attribute counts only until somebody has used it, and rows are matched
// by position, so that a search would leave the marks where they stood.
func (p *pick) OnMount(ctx goapp.Context)  { p.check(ctx) }
func (p *pick) OnUpdate(ctx goapp.Context) { p.check(ctx) }

func (p *pick) check(ctx goapp.Context) {
	ctx.Defer(func(goapp.Context) { setChecked(p.boxID(), p.Chosen) })
}

func (p *pick) boxID() string { return p.Picker.id + "-" + string(p.Friend.ID) }

// Render draws the row.
func (p *pick) Render() goapp.UI {
	return el("li").Body(el("label").Body(
		el("input").ID(p.boxID()).Attr("type", "checkbox").Aria("label", p.Friend.Name).OnChange(p.changed, p.Friend.ID),
		el("span").Dir("auto").Text(p.Friend.Name),
		presenceOf(p.Friend),
	))
}

func (p *pick) changed(goapp.Context, goapp.Event) {
	if p.Picker.chosen == nil {
		p.Picker.chosen = map[ozeki.UserID]bool{}
	}
	if p.Picker.chosen[p.Friend.ID] {
		delete(p.Picker.chosen, p.Friend.ID)
	} else {
		p.Picker.chosen[p.Friend.ID] = true
	}
}

// presenceOf says beside a friend's name whether he is there.
func presenceOf(f state.Friend) goapp.UI {
	text := ""
	if words := presenceWords(f.Presence()); words != "" {
		text = " · " + strings.ToLower(words)
	}
	return el("span").Class("on").Text(text)
}
