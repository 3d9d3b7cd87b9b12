//go:build !js

package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

func TestAMessagesMenuOffersWhatIsPossible(t *testing.T) {
	content := &ozeki.Content{Text: "text 1"}
	sealed := func(m *state.Message) { m.Content = content }
	is := func(f func(*state.Message)) state.Message { return saying(1, 0, sealed, f) }
	for what, c := range map[string]struct {
		m    state.Message
		ext  []string
		want []string
	}{
		"another's":                 {is(func(*state.Message) {}), []string{ozeki.ExtMessageChange}, []string{"Reply", "Copy text"}},
		"one's own":                 {is(mine), []string{ozeki.ExtMessageChange}, []string{"Reply", "Copy text", "Edit", "Delete…"}},
		"where nothing is changed":  {is(mine), nil, []string{"Reply", "Copy text"}},
		"that is on its way":        {is(func(m *state.Message) { mine(m); m.State = state.MessageSending }), []string{ozeki.ExtMessageChange}, []string{"Copy text"}},
		"that was deleted":          {is(func(m *state.Message) { mine(m); m.Kind, m.Text = state.KindDeleted, "" }), []string{ozeki.ExtMessageChange}, nil},
		"that cannot be decrypted":  {saying(1, 0, mine, func(m *state.Message) { m.Trouble = true }), []string{ozeki.ExtMessageChange}, []string{"Copy text", "Delete…"}},
		"about what happened there": {is(func(m *state.Message) { m.Kind = state.KindEvent }), []string{ozeki.ExtMessageChange}, []string{"Copy text"}},
	} {
		r := &root{snap: &state.Snapshot{Extensions: c.ext}}
		if got := labels(r.messageEntries(annaID, c.m)); !slices.Equal(got, c.want) {
			t.Errorf("a message %s: %q, want %q", what, got, c.want)
		}
	}
}

func TestTheComposerSaysWhatItIsAbout(t *testing.T) {
	r := &root{}
	o := &state.Open{Row: state.Row{ID: annaID}, Messages: []state.Message{saying(1, 0), saying(2, 1, mine)}}
	if got := r.about(o); got != (composing{}) {
		t.Errorf("a new message: %+v", got)
	}
	o.Draft = &state.Draft{Reply: &ozeki.Reply{ID: "m1", From: "anna", Text: "text 1"}}
	if got := r.about(o); got.Title != "Reply to Anna" || got.Quote != "text 1" || got.Edit != "" {
		t.Errorf("an answer: %+v", got)
	}
	r.editing, r.editingIn = o.Messages[1], annaID
	if got := r.about(o); got.Title != "Edit message" || got.Edit != "m2" {
		t.Errorf("a change: %+v", got)
	}
	if got := quoteOf("  two\nlines " + strings.Repeat("ő", 200)); len([]rune(got)) != quoteLength || !strings.HasPrefix(got, "two lines ő") || !strings.HasSuffix(got, "…") {
		t.Errorf("the quote is %q", got)
	}
}

func TestMessagesSayHowLongTheyLast(t *testing.T) {
	for left, want := range map[time.Duration]string{
		-time.Second: "Gone", time.Second: "Gone in 1 second", 90*time.Second - 1: "Gone in 90 seconds", 5 * time.Minute: "Gone in 5 minutes",
		90 * time.Minute: "Gone in 90 minutes", 20 * time.Hour: "Gone in 20 hours", 7 * 24 * time.Hour: "Gone in 7 days",
	} {
		if got, again := clockWords(left); got != want || again <= 0 {
			t.Errorf("%v: %q, again in %v", left, got, again)
		}
	}
	m := saying(1, 0, func(m *state.Message) { m.Until, m.Edited = noon.Add(time.Minute), true })
	if got := words(messageParts(entry{Message: m})...); !strings.Contains(got, "edited") {
		t.Errorf("an edited message: %q", got)
	}
	t.Cleanup(func() { prefs.Clear() })
	r := &root{current: annaID}
	r.setKeep("86400")
	if r.keep(annaID) != 24*time.Hour || r.keep("another") != 0 {
		t.Errorf("kept: %v", r.keep(annaID))
	}
	r.setKeep("17")
	if r.keep(annaID) != 0 {
		t.Error("what is not offered is chosen")
	}
}

func TestFormattedTextIsMadeOfAFewElements(t *testing.T) {
	parts := messageParts(entry{Message: saying(1, 0, func(m *state.Message) {
		m.Text = "**b** `c` https://a.b <script>alert(1)</script>\n- one\n1. two\n```\nx\n```"
	})})
	var check func(parts []part)
	check = func(parts []part) {
		for _, p := range parts {
			if !slices.Contains([]string{"", "p", "span", "div", "time", "strong", "code", "pre", "a", "ul", "ol", "li", "button", "b"}, p.tag) {
				t.Errorf("there is a %q", p.tag)
			}
			for i := 0; i < len(p.attributes); i += 2 {
				if strings.HasPrefix(p.attributes[i], "on") || p.attributes[i] == "href" && p.attributes[i+1] != "https://a.b" {
					t.Errorf("there is a %s=%q", p.attributes[i], p.attributes[i+1])
				}
			}
			check(p.parts)
		}
	}
	check(parts)
	if got := named("a", parts...); !slices.Equal(got, []string{"https://a.b"}) {
		t.Errorf("the links are %q", got)
	}
	if !strings.Contains(words(parts...), "<script>alert(1)</script>") {
		t.Error("the text is not shown as it was written")
	}
}

func TestEmojiAreFoundByTheirNames(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range emojiGroups("") {
		for _, e := range g.all {
			if e.sign == "" || e.name == "" || seen[e.sign] {
				t.Errorf("%s: %q is named %q, or is there twice", g.name, e.sign, e.name)
			}
			seen[e.sign] = true
		}
	}
	if len(seen) < 200 {
		t.Errorf("there are %d", len(seen))
	}
	found := emojiGroups(" Thumbs UP")
	if len(found) != 1 || len(found[0].all) != 1 || found[0].all[0].sign != "👍" {
		t.Errorf("thumbs up: %+v", found)
	}
	if got := words(emojiParts(emojiGroups("nothing of the kind"))...); !strings.Contains(got, "no emoji") {
		t.Errorf("nothing found: %q", got)
	}
}
