package ozeki

import (
	"strings"
	"testing"
)

func TestIDsAreThePublishedOnes(t *testing.T) {
	v := readVectors(t)
	for _, u := range v.IDs.Users {
		if got := UserIDOf(u.Email); got != u.ID || !got.Valid() {
			t.Errorf("%q: got %s, want %s", u.Email, got, u.ID)
		}
	}
	for _, c := range v.IDs.Conversations {
		if got := DirectConversationID(c.A, c.B); got != c.ID || !got.Valid() {
			t.Errorf("%s and %s: got %s, want %s", c.A, c.B, got, c.ID)
		}
	}
}

func TestNewIDsAreValidAndFresh(t *testing.T) {
	seen := map[string]bool{}
	letters := map[rune]int{}
	fresh := func(id string, good bool) {
		t.Helper()
		if !good || seen[id] {
			t.Errorf("%q: valid = %t, seen = %t", id, good, seen[id])
		}
		seen[id] = true
	}
	for range 2000 {
		message, station, conversation, instance := NewMessageID(), NewStationID(), NewConversationID(), NewInstance()
		fresh(string(message), message.Valid() && string(message) == strings.ToLower(string(message)))
		fresh(NewRequestID(), true)
		fresh(string(station), station.Valid())
		fresh(string(conversation), conversation.Valid())
		fresh(string(instance), len(instance) == 10 && strings.Trim(string(instance), instanceAlphabet) == "")
		for _, l := range instance {
			letters[l]++
		}
	}
	for _, l := range instanceAlphabet { // 20,000 letters over 62: 322 each on average, deviation 18
		if n := letters[l]; n < 200 || n > 450 {
			t.Errorf("the letter %c came %d times", l, n)
		}
	}
}

func TestMalformedIDsAreNotValid(t *testing.T) {
	for _, id := range []string{
		"", "x", strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("A", 32), strings.Repeat("g", 32),
		strings.Repeat("a", 31) + "\n", strings.Repeat("é", 16),
	} {
		if UserID(id).Valid() || ConversationID(id).Valid() || StationID(id).Valid() {
			t.Errorf("%q is valid as a user, conversation or station", id)
		}
	}
	for _, id := range []string{
		"", strings.Repeat("a", 32), "fc2515cb-e483-4f64-936b-98f680565c9", "fc2515cb-e483-4f64-936b-98f680565c96 ",
		"fc2515cb_e483_4f64_936b_98f680565c96", "gc2515cb-e483-4f64-936b-98f680565c96", "{fc2515cb-e483-4f64-936b-98f680565c96}",
		"fc2515cb-e483-4f64-936b-98f680565c9\n",
	} {
		if MessageID(id).Valid() {
			t.Errorf("%q is valid as a message", id)
		}
	}
	if !MessageID("fc2515cb-e483-4f64-936b-98f680565c96").Valid() || !MessageID("FC2515CB-E483-4F64-936B-98F680565C96").Valid() {
		t.Error("a published message id is not valid")
	}
}
