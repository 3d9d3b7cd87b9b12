package ozeki

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What a person waits for: one click is one signature; opening a conversation is one list, one wrapped key and a page of
// messages. `go test -bench . ./ozeki` measures the native twin; e2e runs the same suite in the browser.

func BenchmarkSign(b *testing.B) {
	s := schemeNamed(b, "")
	private, _ := testKeys(b, s)
	for b.Loop() {
		if _, err := s.Sign(b.Context(), private, []byte(requestBody)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s := schemeNamed(b, "")
	private, public := testKeys(b, s)
	signature, err := s.Sign(b.Context(), private, []byte(requestBody))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Verify(b.Context(), public, []byte(requestBody), signature); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	s := schemeNamed(b, "")
	private, _ := testKeys(b, s)
	secret := readVectors(b).Wrapped[0].Secret
	for b.Loop() {
		if _, err := s.UnwrapKey(b.Context(), private, secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	s, key, text := schemeNamed(b, ""), newKey(b), []byte(strings.Repeat("x", 200))
	for b.Loop() {
		if _, err := s.Seal(b.Context(), key, "place", text); err != nil {
			b.Fatal(err)
		}
	}
}

// A page of messages has one key.
func BenchmarkOpen1000(b *testing.B) { benchmarkOpen(b, 1) }

// A list of names has a key for each.
func BenchmarkOpen1000OfManyKeys(b *testing.B) { benchmarkOpen(b, 1000) }

func benchmarkOpen(b *testing.B, keys int) {
	s, text := schemeNamed(b, ""), []byte(strings.Repeat("x", 200))
	page := make([]Sealed, 1000)
	for i := range page {
		page[i] = Sealed{AD: fmt.Sprint(i)}
		if i < keys {
			page[i].Key = newKey(b)
		} else {
			page[i].Key = page[i%keys].Key
		}
		var err error
		if page[i].Data, err = s.Seal(b.Context(), page[i].Key, page[i].AD, text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, o := range s.Open(b.Context(), page) {
			if o.Err != nil {
				b.Fatal(o.Err)
			}
		}
	}
}

func BenchmarkCredentials(b *testing.B) {
	s := schemeNamed(b, "")
	for b.Loop() {
		if _, err := s.Credentials(b.Context(), "alice@example.com", "password"); err != nil {
			b.Fatal(err)
		}
	}
}

// manyConversations is the answer of list for somebody with n conversations.
func manyConversations(n int) []byte {
	a := ConversationsAnswer{Answer: Answer{Status: StatusOK}}
	for i := range n {
		me, friend := UserIDOf("me@example.com"), UserIDOf(fmt.Sprintf("friend%d@example.com", i))
		a.Conversations = append(a.Conversations, Conversation{
			ID: DirectConversationID(me, friend), ParticipantIDs: []UserID{me, friend},
			Participants:  []Participant{{UserID: me, UserName: "Me"}, {UserID: friend, UserName: fmt.Sprint("Friend ", i)}},
			DisplayName:   strings.Repeat("A", 60),
			LastMessageID: "bd31713d-0f99-453b-a0c1-6311d1fc24c5", LastReportID: "935d8b8de4c395f50405e617e636dbbb",
			LastAccess: 1709898645, Secret: strings.Repeat("B", 344), Instance: "PqjfKSn7V8",
			MutedBy: []UserID{}, FavoriteBy: []UserID{}, HiddenBy: []UserID{},
			Properties: []Property{{UserID: me, Color: "#ffffff"}},
		})
	}
	b, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return b
}

func BenchmarkDecodeList1000(b *testing.B) {
	text := manyConversations(1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var a ConversationsAnswer
		if err := decodeAnswer(CallConversations, &Response{Status: 200, Body: text}, &a); err != nil || len(a.Conversations) != 1000 {
			b.Fatal(len(a.Conversations), err)
		}
	}
}

func BenchmarkDecodeMessages40(b *testing.B) {
	var page DownloadAnswer
	for range 40 {
		page.Messages = append(page.Messages, Message{
			ID: "bd31713d-0f99-453b-a0c1-6311d1fc24c5", Type: "Message", Created: TimeOf(time.Unix(1709898645, 0)), Data: strings.Repeat("A", 300),
			From: UserIDOf("friend@example.com"), Revision: 7,
		})
	}
	page.Status = StatusOK
	text, err := json.Marshal(page)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var a DownloadAnswer
		if err := decodeAnswer(CallDownloadPartial, &Response{Status: 200, Body: text}, &a); err != nil || len(a.Messages) != 40 {
			b.Fatal(len(a.Messages), err)
		}
	}
}
