package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling/ozeki"
)

func threePeople() *State {
	return signedIn(conv(1, "Anna"), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true)))
}

func TestAStarMovesTheRowAtOnceAndTheAnswerSettlesIt(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	snap := s.Snapshot()
	wantNames(t, "favorites", snap.Favorites, "Anna", "Bert", "Cleo")
	if r, _ := rowIn(snap, idOf(1)); r.Star != FlagPending {
		t.Errorf("a star on its way has phase %v", r.Star)
	}
	if snap.Announcement.Text != "Anna added to favorites." || len(snap.Notices) != 0 {
		t.Errorf("adding a favorite says %q with notices %v; want words and no notice", snap.Announcement.Text, snap.Notices)
	}
	_, seq := send(t, s, idOf(1))
	s.Apply(starAnswered(idOf(1), seq, conv(1, "Anna", favorite(true))))
	if r, in := rowIn(s.Snapshot(), idOf(1)); r.Star != FlagSettled || in != "favorites" {
		t.Errorf("after the answer: %+v in %s", r, in)
	}
	if len(s.Wishes()) != 0 {
		t.Errorf("wishes left: %v", s.Wishes())
	}
}

func TestUnfavoriteOffersUndoAndUndoPutsTheRowBack(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(2), false))
	snap := s.Snapshot()
	wantNames(t, "favorites", snap.Favorites, "Cleo")
	if len(snap.Notices) != 1 || snap.Notices[0].Kind != NoticeUndo || snap.Notices[0].Conversation != idOf(2) {
		t.Fatalf("notices are %+v, want an undo", snap.Notices)
	}
	if !strings.Contains(snap.Announcement.Text, "Bert removed from favorites") || !strings.Contains(snap.Announcement.Text, "Undo") {
		t.Errorf("announced: %q", snap.Announcement.Text)
	}
	s.Apply(starWanted(idOf(2), true))
	snap = s.Snapshot()
	wantNames(t, "favorites", snap.Favorites, "Bert", "Cleo")
	if len(snap.Notices) != 0 {
		t.Errorf("after undo the notice is still there: %+v", snap.Notices)
	}
	if _, _, ok := s.nextStar(idOf(2)); ok {
		t.Error("a star that is where it was before anything was sent is sent")
	}
}

func TestUndoOfWhatAnotherDeviceHasPutBackGoesAway(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(2), false))
	_, seq := send(t, s, idOf(2))
	s.Apply(starAnswered(idOf(2), seq, conv(2, "Bert", favorite(false))))
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna"), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true))}, AskedAt: s.Tick()})
	wantNames(t, "favorites", s.Snapshot().Favorites, "Bert", "Cleo")
	s.Apply(starWanted(idOf(2), true))
	if n := s.Snapshot().Notices; len(n) != 0 {
		t.Errorf("the undo button does nothing and stays: %+v", n)
	}
}

func TestEachUnfavoriteHasItsOwnUndoAndANewerReplacesTheOlderOfTheSameRow(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(2), false))
	s.Apply(starWanted(idOf(3), false))
	first := s.Snapshot().Notices
	if len(first) != 2 {
		t.Fatalf("notices are %+v, want one for each", first)
	}
	s.Apply(starWanted(idOf(2), true))
	s.Apply(starWanted(idOf(2), false))
	second := s.Snapshot().Notices
	if len(second) != 2 || second[1].Conversation != idOf(2) || second[1].ID == first[0].ID {
		t.Errorf("notices are %+v, want a fresh one for Bert after Cleo's", second)
	}
	s.Apply(NoticeDismissed{second[0].ID})
	if n := s.Snapshot().Notices; len(n) != 1 || n[0].Conversation != idOf(2) {
		t.Errorf("after dismissing Cleo's: %+v", n)
	}
	s.Apply(NoticeDismissed{999})
}

func TestEveryRemovalCanBeUndoneForItsTimeAndErrorsDoNotPileUp(t *testing.T) {
	var cs []ozeki.Conversation
	for n := range 10 {
		cs = append(cs, conv(n, "Somebody", favorite(true)))
	}
	s := signedIn(cs...)
	for n := range 10 {
		s.Apply(starWanted(idOf(n), false))
	}
	if n := s.Snapshot().Notices; len(n) != 10 || n[9].Conversation != idOf(9) {
		t.Errorf("notices are %+v, want one for each", n)
	}
	for n := range 5 {
		s.Apply(NoticeAdded{fmt.Sprintf("Error %d.", n)})
	}
	var errors []string
	for _, n := range s.Snapshot().Notices {
		if n.Kind == NoticeError {
			errors = append(errors, n.Text)
		}
	}
	if !slices.Equal(errors, []string{"Error 2.", "Error 3.", "Error 4."}) {
		t.Errorf("errors are %q, want the newest three", errors)
	}
}

func TestARefusalPutsTheRowBackExactlyAndSaysWhy(t *testing.T) {
	for _, on := range []bool{true, false} {
		s := signedIn(conv(1, "Anna", favorite(!on)), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true)), conv(4, "Dora"), conv(5, "Emil"))
		s.Apply(OrderChanged{[]ozeki.ConversationID{idOf(3), idOf(1), idOf(2)}})
		before := s.Snapshot()
		s.Apply(starWanted(idOf(1), on))
		_, seq := send(t, s, idOf(1))
		s.Apply(starRefused(idOf(1), seq, "The server is being repaired."))
		after := s.Snapshot()
		if !slices.Equal(before.Favorites, after.Favorites) || !slices.Equal(before.Conversations, after.Conversations) {
			t.Errorf("on=%v: the rows are not where they were: %q %q", on, names(after.Favorites), names(after.Conversations))
		}
		if len(after.Notices) != 1 || after.Notices[0].Kind != NoticeError || !strings.Contains(after.Notices[0].Text, "Anna could not be") ||
			!strings.Contains(after.Notices[0].Text, "The server is being repaired.") || after.Announcement.Text != after.Notices[0].Text {
			t.Errorf("on=%v: the refusal is told as %+v, announced as %q", on, after.Notices, after.Announcement.Text)
		}
		if _, _, again := s.nextStar(idOf(1)); again {
			t.Errorf("on=%v: a refused star is sent again", on)
		}
	}
}

func TestARefusalOfWhatNobodyWantsAnyMoreIsNotTold(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	_, seq := send(t, s, idOf(1))
	s.Apply(starWanted(idOf(1), false))
	said := s.Snapshot().Announcement
	s.Apply(starRefused(idOf(1), seq, "no"))
	snap := s.Snapshot()
	if r, _ := rowIn(snap, idOf(1)); r.Favorite || r.Star != FlagSettled {
		t.Errorf("the row is %+v", r)
	}
	if snap.Announcement != said {
		t.Errorf("announced: %q", snap.Announcement.Text)
	}
	if _, _, ok := s.nextStar(idOf(1)); ok {
		t.Error("a star is sent that the server has already")
	}
}

func TestFiftyQuickClicksAreOneRequestAtATimeAndEndInTheLast(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	on, seq := send(t, s, idOf(1))
	for n := range 50 {
		s.Apply(starWanted(idOf(1), n%2 == 1))
		if _, _, ok := s.nextStar(idOf(1)); ok {
			t.Fatal("a second request goes out before the first is answered")
		}
	}
	// 50 clicks end with on, as the first request asked: its answer settles them all.
	s.Apply(starAnswered(idOf(1), seq, conv(1, "Anna", favorite(on))))
	if r, _ := rowIn(s.Snapshot(), idOf(1)); !r.Favorite || r.Star != FlagSettled {
		t.Errorf("the row is %+v", r)
	}
	s.Apply(starWanted(idOf(1), false))
	_, seq = send(t, s, idOf(1))
	s.Apply(starWanted(idOf(1), true))
	s.Apply(starAnswered(idOf(1), seq, conv(1, "Anna", favorite(false))))
	if r, _ := rowIn(s.Snapshot(), idOf(1)); !r.Favorite || r.Star != FlagPending {
		t.Errorf("while the last wish is to be sent, the row is %+v", r)
	}
	if on, _ := send(t, s, idOf(1)); !on {
		t.Error("the last wish is not what is sent")
	}
}

func TestAnAnswerNobodyWaitsForChangesNothing(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	_, seq := send(t, s, idOf(1))
	before := unchanged(t, s.Snapshot())
	s.Apply(starAnswered(idOf(1), seq+7, conv(1, "Anna")))
	s.Apply(starRefused(idOf(1), seq+7, "no"))
	s.Apply(starUnreached(idOf(1), seq+7))
	s.Apply(starAnswered(idOf(99), seq, conv(99, "Nobody")))
	before()
	if r, _ := rowIn(s.Snapshot(), idOf(1)); !r.Favorite || r.Star != FlagPending {
		t.Errorf("the row is %+v", r)
	}
}

func TestAListAskedForBeforeAnAnswerDoesNotUndoIt(t *testing.T) {
	s := threePeople()
	askedAt := s.Tick()
	old := []ozeki.Conversation{conv(1, "Anna"), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true))}
	s.Apply(starWanted(idOf(1), true))
	_, seq := send(t, s, idOf(1))
	s.Apply(ListLoaded{Conversations: old, AskedAt: askedAt})
	if r, _ := rowIn(s.Snapshot(), idOf(1)); !r.Favorite {
		t.Error("a list undid a star on its way")
	}
	s.Apply(starAnswered(idOf(1), seq, conv(1, "Anna", favorite(true))))
	s.Apply(ListLoaded{Conversations: old, AskedAt: askedAt})
	if r, _ := rowIn(s.Snapshot(), idOf(1)); !r.Favorite {
		t.Error("an old list undid an answered star")
	}
	s.Apply(ListLoaded{Conversations: old, AskedAt: s.Tick()}) // another device has taken it away since
	if r, _ := rowIn(s.Snapshot(), idOf(1)); r.Favorite {
		t.Error("the word of the other device is not taken")
	}
}

func TestAQueuedStarSaysSoAndIsSentLater(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	_, seq := send(t, s, idOf(1))
	s.Apply(starUnreached(idOf(1), seq))
	snap := s.Snapshot()
	if r, in := rowIn(snap, idOf(1)); r.Star != FlagQueued || in != "favorites" {
		t.Errorf("the row is %+v in %s", r, in)
	}
	if !strings.Contains(snap.Announcement.Text, "kept and sent when the connection is back") {
		t.Errorf("announced: %q", snap.Announcement.Text)
	}
	// The lost request may have taken effect: clicking back is sent, not taken for done.
	s.Apply(starWanted(idOf(1), false))
	if on, _, ok := s.nextStar(idOf(1)); !ok || on {
		t.Error("the wish after a lost request is not sent")
	}
	// Nor does a list that was asked for before settle it.
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna"), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true))}, AskedAt: 0})
	if on, _, ok := s.nextStar(idOf(1)); !ok || on {
		t.Error("an old list made the wish after a lost request go away")
	}
}

func TestWishesSurviveARestart(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	s.Apply(starWanted(idOf(2), false))
	kept := s.Wishes()
	s = threePeople()
	kept[idOf(77)] = map[Flag]string{FlagFavorite: On} // gone meanwhile
	s.Apply(starWanted(idOf(2), true))
	s.Apply(starWanted(idOf(3), false))
	kept[idOf(3)] = map[Flag]string{FlagFavorite: On}
	s.Apply(WishesKept{kept})
	snap := checkSnapshot(t, s)
	wantNames(t, "favorites", snap.Favorites, "Anna")
	if r, _ := rowIn(snap, idOf(1)); r.Star != FlagQueued {
		t.Errorf("a kept wish has phase %v", r.Star)
	}
	if on, _, _ := s.nextStar(idOf(3)); on {
		t.Error("a kept wish replaced what was asked for since")
	}
	if on, _ := send(t, s, idOf(1)); !on {
		t.Error("a kept wish is not sent")
	}
}

func TestAnAnswerWithoutTheUsersEntryKeepsTheWishUntilTheListTells(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(1), true))
	_, seq := send(t, s, idOf(1))
	c := conv(1, "Anna")
	c.Properties = nil
	s.Apply(starAnswered(idOf(1), seq, c))
	if r, _ := rowIn(s.Snapshot(), idOf(1)); !r.Favorite || r.Star != FlagSettled {
		t.Errorf("the row is %+v", r)
	}
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna")}, AskedAt: s.Tick()})
	if r, _ := rowIn(s.Snapshot(), idOf(1)); r.Favorite {
		t.Error("the list's word is not taken")
	}
}

func TestTheAnswerIsTheTruthEvenIfItIsNotWhatWasAsked(t *testing.T) {
	s := threePeople()
	s.Apply(starWanted(idOf(2), false))
	_, seq := send(t, s, idOf(2))
	s.Apply(starAnswered(idOf(2), seq, conv(2, "Bert", favorite(true), func(c *ozeki.Conversation) {
		c.Properties = append([]ozeki.Property{{UserID: userOf(2)}}, c.Properties...) // somebody else's entry comes first
		c.FavoriteBy = nil
	})))
	if r, in := rowIn(checkSnapshot(t, s), idOf(2)); !r.Favorite || in != "favorites" || r.Star != FlagSettled {
		t.Errorf("the row is %+v in %s", r, in)
	}
}

func TestFavoritesKeepTheOrderThatTheUserGaveThem(t *testing.T) {
	s := signedIn(conv(1, "Anna", favorite(true)), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true)), conv(4, "Dora"))
	wantNames(t, "favorites by name", s.Snapshot().Favorites, "Anna", "Bert", "Cleo")
	for _, step := range []struct {
		id   int
		by   int
		says string
		want []string
	}{
		{3, -1, "Cleo is now favorite 2 of 3.", []string{"Anna", "Cleo", "Bert"}},
		{3, -1, "Cleo is now favorite 1 of 3.", []string{"Cleo", "Anna", "Bert"}},
		{3, -1, "Cleo is already at the top of the favorites.", []string{"Cleo", "Anna", "Bert"}},
		{2, +1, "Bert is already at the end of the favorites.", []string{"Cleo", "Anna", "Bert"}},
		{3, +1, "Cleo is now favorite 2 of 3.", []string{"Anna", "Cleo", "Bert"}},
	} {
		s.Apply(FavoriteMoved{idOf(step.id), step.by})
		snap := checkSnapshot(t, s)
		wantNames(t, "favorites", snap.Favorites, step.want...)
		if snap.Announcement.Text != step.says {
			t.Errorf("announced %q, want %q", snap.Announcement.Text, step.says)
		}
	}
	before := s.Snapshot()
	s.Apply(FavoriteMoved{idOf(99), 1})
	if after := s.Snapshot(); after.Announcement != before.Announcement {
		t.Errorf("announced %q of a conversation that is not there", after.Announcement.Text)
	}
	s.Apply(FavoriteMoved{idOf(4), -1})
	if says := s.Snapshot().Announcement.Text; says != "Only favorites can be moved." {
		t.Errorf("announced %q", says)
	}
	s.Apply(FilterChanged{"a"})
	s.Apply(FavoriteMoved{idOf(1), 1}) // among filtered rows the place would be a guess
	if says := s.Snapshot().Announcement.Text; !strings.Contains(says, "Clear the filter") {
		t.Errorf("announced %q", says)
	}
	s.Apply(FilterChanged{""})
	if after := s.Snapshot(); !slices.Equal(before.Favorites, after.Favorites) {
		t.Errorf("what cannot be moved changed something: %q, %q", names(after.Favorites), after.Announcement.Text)
	}
	s.Apply(starWanted(idOf(4), true))
	wantNames(t, "favorites with a new one", s.Snapshot().Favorites, "Anna", "Cleo", "Bert", "Dora")
	if !slices.Equal(s.Order(), []ozeki.ConversationID{idOf(1), idOf(3), idOf(2)}) {
		t.Errorf("the order is %q", s.Order())
	}
}

func TestAFavoriteTakenOutAndPutBackStandsWhereItStood(t *testing.T) {
	s := signedIn(conv(1, "Anna", favorite(true)), conv(2, "Bert", favorite(true)), conv(3, "Cleo", favorite(true)), conv(4, "Dora", favorite(true)))
	s.Apply(FavoriteMoved{idOf(1), +1}) // Bert, Anna, Cleo, Dora
	s.Apply(starWanted(idOf(1), false))
	s.Apply(FavoriteMoved{idOf(4), -1}) // Bert, Dora, Cleo
	s.Apply(starWanted(idOf(1), true))
	wantNames(t, "favorites", checkSnapshot(t, s).Favorites, "Bert", "Anna", "Dora", "Cleo")
}

func TestHiddenMutedColouredAndFavoriteAreIndependent(t *testing.T) {
	s := signedIn(conv(1, "Anna", favorite(true), func(c *ozeki.Conversation) {
		c.Properties[0].HideID, c.Properties[0].IsMuted, c.Properties[0].Color = "inst000001;", true, "#BAE1ff"
	}))
	r, in := rowIn(checkSnapshot(t, s), idOf(1))
	if in != "hidden" || !r.Favorite || !r.Muted || r.Color != "#bae1ff" {
		t.Errorf("%+v in %s", r, in)
	}
	s.Apply(starWanted(idOf(1), false))
	if r, in = rowIn(checkSnapshot(t, s), idOf(1)); in != "hidden" || r.Favorite || !r.Muted {
		t.Errorf("%+v in %s", r, in)
	}
}

func TestAConversationThatWasJustMadeSurvivesAnOlderList(t *testing.T) {
	s := threePeople()
	askedAt := s.Tick()
	s.Apply(ConversationMade{conv(9, "Zoe")})
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna")}, AskedAt: askedAt})
	snap := checkSnapshot(t, s)
	if _, in := rowIn(snap, idOf(9)); in != "conversations" {
		t.Errorf("the new conversation is in %q", in)
	}
	if _, in := rowIn(snap, idOf(2)); in != "" {
		t.Errorf("a conversation that the server does not list is in %q", in)
	}
	s.Apply(ListLoaded{Conversations: []ozeki.Conversation{conv(1, "Anna")}, AskedAt: s.Tick()})
	if _, in := rowIn(checkSnapshot(t, s), idOf(9)); in != "" {
		t.Errorf("a conversation that the newest list does not have is in %q", in)
	}
}

func TestAWishOfAnotherTabVoidsTheOneThatWaitsHere(t *testing.T) {
	s := signedIn(conv(1, "Anna"))
	s.Apply(WishesKept{stars(map[ozeki.ConversationID]bool{idOf(1): true})})
	s.Apply(WishElsewhere{idOf(1), FlagFavorite})
	if _, _, send := s.nextStar(idOf(1)); send || len(s.Snapshot().Favorites) != 0 {
		t.Error("an older wish is still sent")
	}
	s.Apply(starWanted(idOf(1), true))
	_, seq, _ := s.nextStar(idOf(1))
	s.Apply(starSent(idOf(1), seq))
	s.Apply(WishElsewhere{idOf(1), FlagFavorite})
	if r, section := rowIn(s.Snapshot(), idOf(1)); r.Star != FlagPending || section != "favorites" {
		t.Errorf("what is on its way is shown as %+v in %s", r, section)
	}
}
