//go:build !js

package app

import (
	"strings"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

func TestTheHeadSaysWhoIsThereAndWhoTypes(t *testing.T) {
	for _, c := range []struct {
		presence state.Presence
		typing   []string
		want     string
	}{
		{state.Absent, nil, ""},
		{state.Present, nil, "Available"},
		{state.Away, nil, "Away"},
		{state.Present, []string{"Anna"}, "Anna is typing…"},
		{state.Absent, []string{"Anna", "Bert"}, "Anna and Bert are typing…"},
		{state.Absent, []string{"Anna", "Bert", "Cleo"}, "Anna, Bert and Cleo are typing…"},
		{state.Absent, []string{"Anna", "Bert", "Cleo", "Dora"}, "Anna, Bert and 2 others are typing…"},
	} {
		m := page(t, anna(func(s *state.Snapshot) { s.Open.Row.Presence, s.Open.Typing = c.presence, c.typing }))
		notes := 0
		for _, e := range parse(m) {
			if e.attr["class"] == "pane-note" {
				notes++
				if e.text != c.want {
					t.Errorf("%+v: %q", c, e.text)
				}
			}
		}
		if notes != 1 {
			t.Errorf("%+v: there are %d notes, and one has to keep its place", c, notes)
		}
	}
}

func TestThePresenceOfFriendsIsSaidInWordsToo(t *testing.T) {
	m := page(t, anna(func(s *state.Snapshot) {
		s.Friends, s.FriendsLoaded, s.Extensions = []state.Friend{
			{ID: "a", Name: "Anna", Availability: ozeki.Available}, {ID: "b", Name: "Bert", Availability: ozeki.Away}, {ID: "c", Name: "Cleo", Availability: ozeki.Offline},
		}, true, []string{ozeki.ExtConversationCreate}
	}))
	for words, want := range map[string]int{" · available": 1, " · away": 1} {
		if n := strings.Count(m, words); n != want {
			t.Errorf("%q stands there %d times", words, n)
		}
	}
	for p, want := range map[state.Presence]string{state.Absent: "", state.Away: "away", state.Present: "present"} {
		if got := presenceMark(p); got != want || (presenceWords(p) == "") != (want == "") {
			t.Errorf("%v: %q %q", p, got, presenceWords(p))
		}
	}
}
