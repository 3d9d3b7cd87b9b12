package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// more is the button that opens the menu of a conversation's row.
func (p *person) more(name string) *element {
	p.t.Helper()
	return p.seeIn(p.see("navigation", "Conversations"), "button", "More for "+name)
}

// link is a conversation's row.
func (p *person) link(name string) *element {
	p.t.Helper()
	return p.seeIn(p.see("navigation", "Conversations"), "link", name+"…")
}

// SeeMenu waits for a menu and returns it.
func (p *person) SeeMenu(name string) *element { p.t.Helper(); return p.see("menu", name) }

// FromMenu opens a conversation's menu by its button and chooses an entry.
func (p *person) FromMenu(name, entry string) {
	p.t.Helper()
	p.more(name).click()
	p.seeIn(p.SeeMenu("More for "+name), "menuitem", entry).click()
}

// SetColour gives a conversation a colour of the palette.
func (p *person) SetColour(name, colour string) {
	p.t.Helper()
	p.FromMenu(name, "Colour…")
	p.seeIn(p.SeeMenu("Colour, More for "+name), "menuitemradio", colour).click()
}

// row says what a conversation's row shows: its link's name, its colour, and the list that it stands in.
func (p *person) row(name string) (row struct{ Text, Tint, List string }, err error) {
	err = p.tryJS(fmt.Sprintf(`(() => {
		const star = [...document.querySelectorAll("nav .star")].find(s => s.getAttribute("aria-label") === %q)
		const li = star?.closest("li")
		return li ? {Text: li.querySelector("a").innerText, Tint: li.dataset.color ?? "", List: li.closest("ul").getAttribute("aria-label")} : {}
	})()`, "Favorite "+name), &row)
	return row, err
}

// SeeRow waits until a conversation's row shows the words and stands in the list.
func (p *person) SeeRow(name, list, words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%s stands in %s with %q", name, list, words), func() error {
		row, err := p.row(name)
		if err != nil || row.List != list || !strings.Contains(row.Text, words) {
			return fmt.Errorf("it is %+v, %w", row, err)
		}
		return nil
	})
}

// SeeUnmarked waits until a conversation's row does not show the words.
func (p *person) SeeUnmarked(name, words string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%s is not marked %q", name, words), func() error {
		row, err := p.row(name)
		if err != nil || row.List == "" || strings.Contains(row.Text, words) {
			return fmt.Errorf("it is %+v, %w", row, err)
		}
		return nil
	})
}

// SeeColour waits until a conversation's row has the colour, "" for none.
func (p *person) SeeColour(name, colour string) {
	p.t.Helper()
	p.eventually(name+" has the colour "+colour, func() error {
		row, err := p.row(name)
		if err != nil || row.List == "" || row.Tint != colour {
			return fmt.Errorf("it is %+v, %w", row, err)
		}
		return nil
	})
}

// rightClick opens what a right click opens.
func (e *element) rightClick() {
	e.p.t.Helper()
	x, y := e.at()
	e.p.run(chromedp.MouseClickXY(x, y, chromedp.ButtonType(input.Right)))
}

// The menu of a row opens by its button, by a right click, by Shift+F10 and by the button in the conversation's head, and
// is the same each time.
func TestTheMenuOpensInManyWays(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Priya Raman"
	p.OpenConversation(name)
	for way, open := range map[string]func(){
		"button":      func() { p.more(name).click() },
		"right click": func() { p.link(name).rightClick() },
		"Shift+F10": func() {
			p.link(name).mustCall("function() { this.focus() }", nil)
			p.press(kb.F10, shift)
		},
		"menu key": func() {
			p.link(name).mustCall("function() { this.focus() }", nil)
			p.press(kb.ContextMenu)
		},
		"head": func() { p.seeIn(p.see("main", ""), "button", "More for "+name).click() },
	} {
		open()
		menu := p.SeeMenu("More for " + name)
		items, err := p.find("menuitem", "", menu)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, i := range items {
			names = append(names, i.Name)
		}
		if len(names) < 4 || !slices.Equal(names[:4], []string{"Favorite", "Mute", "Colour…", "Hide"}) {
			t.Errorf("%s: the menu has %q", way, names)
		}
		var inside bool
		p.js(`(() => { const r = document.querySelector(".menu").getBoundingClientRect(); return r.x >= 0 && r.y >= 0 && r.right <= innerWidth && r.bottom <= innerHeight })()`, &inside)
		if !inside {
			t.Errorf("%s: the menu is not whole in the window", way)
		}
		p.press(kb.Escape)
		p.dontSee("menu", "More for "+name)
	}
	// A click elsewhere closes it, too, and its button a second time.
	p.more(name).click()
	p.SeeMenu("More for " + name)
	p.more(name).click()
	p.dontSee("menu", "More for "+name)
	p.more(name).click()
	p.SeeMenu("More for " + name)
	p.see("log", "Messages").click()
	p.dontSee("menu", "More for "+name)
}

// The menu goes without a mouse, and the focus comes back to where it was.
func TestTheMenuGoesByKeyboard(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Priya Raman"
	p.more(name).mustCall("function() { this.focus() }", nil)
	p.press(kb.Enter)
	p.SeeMenu("More for " + name)
	p.SeeFocus("Favorite")
	for _, step := range []struct{ key, focus string }{
		{kb.ArrowDown, "Mute"}, {kb.ArrowDown, "Colour…"}, {kb.Home, "Favorite"}, {"h", "Hide"}, {"m", "Mute"}, {kb.ArrowDown, "Colour…"},
		{kb.ArrowRight, "No colour"}, {kb.ArrowDown, "Sky"}, {kb.ArrowLeft, "Colour…"}, {kb.Enter, "No colour"}, {"m", "Mint"}, {kb.Escape, "Colour…"},
		{kb.Escape, "More for " + name},
	} {
		p.press(step.key)
		p.SeeFocus(step.focus)
	}
	p.dontSee("menu", "")
	p.press(kb.Enter)
	p.SeeFocus("Favorite")
	p.press(kb.ArrowUp)
	p.press(kb.ArrowDown)
	p.press("m")
	p.press(kb.Enter)
	p.SeeFocus("More for " + name)
	p.SeeRow(name, "Conversations", "Muted")
	p.Hear(name + " muted")
	// Shift+Tab leaves it to where it would go without a menu.
	p.press(kb.Enter)
	p.SeeFocus("Favorite")
	p.press(kb.Tab, shift)
	p.SeeFocus("Favorite " + name)
	p.dontSee("menu", "")
}

// Muted is marked, goes to the other device, and comes off again.
func TestMutedIsMarkedOnAllDevices(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	p, phone := newAlice(newPerson(t, server.URL)), newAlice(newPerson(t, server.URL))
	const name = "Priya Raman"
	p.FromMenu(name, "Mute")
	p.SeeRow(name, "Conversations", "Muted")
	phone.SeeRow(name, "Conversations", "Muted")
	phone.FromMenu(name, "Unmute")
	phone.SeeUnmarked(name, "Muted")
	p.SeeUnmarked(name, "Muted")
	p.Reload()
	p.SeeUnmarked(name, "Muted")
}

// What the menu asks for waits for the network, over a reload, and says so.
func TestFlagsWaitForTheNetwork(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	wire := newLine(t, server.URL)
	p := newAlice(newPerson(t, wire.URL))
	allowConsole(t, p.ctx, "Failed to load resource")
	const name = "Priya Raman"
	wire.on(func(s *sent) fault {
		if s.Action == "list" || s.Action == "login" {
			return nil
		}
		return cut
	})
	const other = "Sofia Lindqvist" // the mark of a row says of all its flags that they wait
	p.FromMenu(name, "Mute")
	p.SeeOffline() // whose line moves the rows
	p.SetColour(other, "Mint")
	for range 2 {
		p.SeeRow(name, "Conversations", "Not saved yet · Muted")
		p.SeeRow(other, "Conversations", "Not saved yet")
		p.SeeColour(other, "#baffc9")
		p.Reload()
	}
	wire.on(nil)
	p.SeeUnmarked(name, "Not saved yet")
	p.SeeUnmarked(other, "Not saved yet")
	phone := newAlice(newPerson(t, server.URL))
	phone.SeeRow(name, "Conversations", "Muted")
	phone.SeeColour(other, "#baffc9")
}

// A refused change goes back and says why.
func TestRefusedFlagGoesBackAndSaysWhy(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	const name = "Priya Raman"
	wire.on(to(answer(200, "application/json", `{"status":"ERROR","errormessage":"Not today."}`), "mute", "hide", "setlistitembackgroundcolor"))
	for _, entry := range []string{"Mute", "Hide"} {
		p.FromMenu(name, entry)
		p.SeeWords("could not be " + map[string]string{"Mute": "muted", "Hide": "hidden"}[entry] + ". Not today.")
		p.SeeRow(name, "Conversations", "")
		p.SeeUnmarked(name, "Muted")
	}
	p.SetColour(name, "Sky")
	p.SeeWords(name + " could not be given another colour. Not today.")
	p.SeeColour(name, "")
}

// A hidden conversation goes out of the way, can be undone at once, and is brought back from the list of the hidden.
func TestHiddenComesBack(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Bob Baker"
	before := p.Favorites()
	p.FromMenu(name, "Hide")
	p.Hear(name + " hidden")
	p.eventually("it is gone", func() error {
		if n := p.Favorites(); slices.Contains(n, name) {
			return fmt.Errorf("the favorites are %q", n)
		}
		return nil
	})
	p.see("button", "Undo").click()
	p.SeeFavorite(name)
	if now := p.Favorites(); !slices.Equal(now, before) {
		t.Errorf("the favorites are %q, they were %q", now, before)
	}
	p.FromMenu(name, "Hide")
	p.Reload()
	p.SeeSidebar()
	p.see("button", "Hidden").click()
	p.SeeRow(name, "Hidden", "")
	p.FromMenu(name, "Show again")
	p.Hear(name + " is shown again")
	p.SeeFavorite(name)
}

// A colour is seen on the person's other device, and goes there.
func TestColoursAppearOnTheOtherDevice(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	desk, phone := newAlice(newPerson(t, server.URL)), newAlice(newPerson(t, server.URL))
	const name = "Priya Raman"
	desk.SetColour(name, "Sky")
	desk.SeeColour(name, "#bae1ff")
	phone.SeeColour(name, "#bae1ff")
	phone.more(name).click()
	phone.seeIn(phone.SeeMenu("More for "+name), "menuitem", "Colour…").click()
	palette := phone.SeeMenu("Colour, More for " + name)
	if on := phone.seeIn(palette, "menuitemradio", "Sky").attr("aria-checked"); on != "true" {
		t.Errorf("the chosen colour has aria-checked=%q", on)
	}
	phone.seeIn(palette, "menuitemradio", "No colour").click()
	phone.SeeColour(name, "")
	desk.SeeColour(name, "")
}

// What the menu asks for goes over the wire as the API describes it, field by field.
func TestFlagsOnTheWire(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newAlice(newPerson(t, wire.URL))
	const name = "Priya Raman"
	p.FromMenu(name, "Mute")
	p.SeeRow(name, "Conversations", "Muted")
	p.FromMenu(name, "Unmute")
	p.SetColour(name, "Sky")
	p.SeeColour(name, "#bae1ff")
	p.SetColour(name, "No colour")
	p.FromMenu(name, "Hide")
	sent := func(action string) {
		t.Helper()
		p.eventually(action+" is sent", func() error {
			if len(wire.all(action)) == 0 {
				return errNotYet
			}
			return nil
		})
	}
	sent("hide") // before it is taken back: a wish that is taken back in time is not sent at all
	p.see("button", "Undo").click()
	for _, c := range []struct {
		action string
		fields map[string]any
	}{
		{"mute", nil}, {"unmute", nil}, {"unhide", nil},
		{"setlistitembackgroundcolor", map[string]any{"color": "#bae1ff"}},
		{"hide", map[string]any{"hideid": nil}},
	} {
		sent(c.action)
		all := wire.all(c.action)
		r := all[0]
		if r.URI != "/ozeki/index.php?srv=chatserver&api=chatconversation" {
			t.Errorf("%s goes to %s", c.action, r.URI)
		}
		for _, h := range []string{"Ozeki-User", "Ozeki-Station"} {
			if v := r.Header.Get(h); !hex32.MatchString(v) {
				t.Errorf("%s has %s: %q", c.action, h, v)
			}
		}
		if r.Header.Get("Ozeki-Signature") == "" {
			t.Errorf("%s is not signed", c.action)
		}
		var body map[string]any
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatal(err)
		}
		want := append([]string{"action", "clientversioncode", "conversationid", "requestid", "timestamp"}, slices.Collect(maps.Keys(c.fields))...)
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(body)); !slices.Equal(got, want) {
			t.Errorf("%s has the fields %q, want %q", c.action, got, want)
		}
		for field, v := range c.fields {
			if v != nil && body[field] != v {
				t.Errorf("%s has %s %v, want %v", c.action, field, body[field], v)
			}
		}
	}
	var hide struct{ HideID string }
	_ = json.Unmarshal(wire.all("hide")[0].Body, &hide)
	if len(hide.HideID) != 11 || !strings.HasSuffix(hide.HideID, ";") {
		t.Errorf("hideid is %q", hide.HideID)
	}
	p.eventually("the colour is taken away", func() error {
		all := wire.all("setlistitembackgroundcolor")
		var reset struct{ Color string }
		if err := json.Unmarshal(all[len(all)-1].Body, &reset); err != nil || reset.Color != "#ffffff" {
			return fmt.Errorf("the last colour is %q, %w", reset.Color, err)
		}
		return nil
	})
}

// Everybody can use the menu.
func TestTheMenuIsAccessible(t *testing.T) {
	t.Parallel()
	p := newAlice(newPerson(t, startDemo(t).URL))
	const name = "Bob Baker"
	p.SetColour(name, "Rose")
	p.FromMenu("Priya Raman", "Mute")
	open := func() {
		p.press(kb.Escape) // the palette
		p.press(kb.Escape) // the menu, as a change of the window's size does
		p.dontSee("menu", "")
		p.more(name).click()
		p.SeeMenu("More for " + name)
	}
	p.JudgeAccess("menu", open)
	p.JudgeAccess("palette", func() {
		open()
		p.seeIn(p.SeeMenu("More for "+name), "menuitem", "Colour…").click()
		p.SeeMenu("Colour, More for " + name)
	})
}
