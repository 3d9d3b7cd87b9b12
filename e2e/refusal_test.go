package e2e

import (
	"net/http"
	"slices"
	"testing"
)

// A refused unfavorite puts the row back exactly where it was and says why in the server's words, whether the refusal comes
// as an answer of the API, as a page of a proxy, or as an HTTP error.
func TestRefusedStarGoesBackWithWords(t *testing.T) {
	t.Parallel()
	const name = "Bob Baker"
	for _, c := range []struct {
		name  string
		fault fault
		words string
	}{
		{"status ERROR with HTTP 200", answer(200, "application/json", `{"status":"ERROR","errormessage":"The archive is being moved; come back at noon."}`),
			"The archive is being moved; come back at noon."},
		{"status ERROR with HTTP 403", answer(403, "application/json", `{"status":"ERROR","errormessage":"Favorites are switched off."}`),
			"Favorites are switched off."},
		{"a page with HTTP 200", answer(200, "text/html", "<!doctype html><title>Log in</title><h1>Wi-Fi sign-on</h1>"),
			"a web page may stand in between"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := newLine(t, startDemo(t).URL)
			p := newAlice(newPerson(t, wire.URL))
			allowConsole(t, p.ctx, "Failed to load resource")
			before, others := p.Favorites(), p.Others()
			slow := newGate(t)
			// Held first, so that the story sees the row leave before it comes back.
			wire.on(to(func(w http.ResponseWriter, pass http.Handler, r *http.Request) {
				slow.held <- struct{}{}
				<-slow.open
				c.fault(w, pass, r)
			}, "unfavorite"))
			p.Unstar(name)
			p.SeeNoFavorite(name)
			<-slow.held
			slow.Open()
			p.SeeFavorite(name)
			p.SeeWords(name + " could not be removed from favorites.")
			p.SeeWords(c.words)
			p.Hear(c.words)
			p.dontSee("button", "Undo")
			if now := p.Favorites(); !slices.Equal(now, before) {
				t.Errorf("the favorites are %q, before they were %q", now, before)
			}
			if now := p.Others(); !slices.Equal(now, others) {
				t.Errorf("the others are %q, before they were %q", now, others)
			}
			if err := p.settled(name); err != nil {
				t.Error(err)
			}
			// It works again when the server does.
			wire.on(nil)
			p.Unstar(name)
			p.SeeSettled(name)
			p.Reload()
			p.SeeNoFavorite(name)
		})
	}
}

// A star that does not reach the server is kept, says so, and is sent when the server is back: with no answer at all, with
// the error page of a proxy, and when only the answer was lost.
func TestUnreachedStarIsSentLater(t *testing.T) {
	t.Parallel()
	const name = "Priya Raman"
	for _, c := range []struct {
		name  string
		fault fault
	}{
		{"no answer", cut},
		{"502 with a page", answer(502, "text/html", "<html><h1>Bad gateway</h1></html>")},
		{"answer lost", cutAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := newLine(t, startDemo(t).URL)
			p := newAlice(newPerson(t, wire.URL))
			allowConsole(t, p.ctx, "Failed to load resource")
			wire.on(to(c.fault, "favorite", "download"))
			p.Star(name)
			p.SeeFavorite(name)
			p.SeeQueued(name)
			p.SeeOffline()
			wire.on(nil)
			p.SeeSettled(name)
			p.SeeOnline()
			p.SeeFavorite(name)
			p.Reload()
			p.SeeFavorite(name)
			p.SeeSettled(name)
		})
	}
}

// A list that cannot be loaded says why and offers to try again.
func TestRefusedListSaysWhyAndTriesAgain(t *testing.T) {
	t.Parallel()
	wire := newLine(t, startDemo(t).URL)
	p := newPerson(t, wire.URL)
	allowConsole(t, p.ctx, "Failed to load resource")
	wire.on(to(answer(200, "application/json", `{"status":"ERROR","errormessage":"The list is locked for repair."}`), "list"))
	p.Visit("/")
	p.FillSignIn(alice, demoPassword) // a device that has the list need not ask for it
	p.SeeAlert("The list is locked for repair.")
	wire.on(nil)
	p.see("button", "Try again").click()
	p.SeeFavorite("Bob Baker")
}
