package chatserver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// unstamped is a store of which nothing can be kept in memory.
type unstamped struct{ store.Store }

func (unstamped) ConversationStamp(ozeki.ConversationID) store.Stamp { return 0 }
func (unstamped) UserStamp(ozeki.UserID) store.Stamp                 { return 0 }

// answerOfServer is what a server answers to a request.
func answerOfServer(s *Server, r raw) string {
	req := httptest.NewRequest(r.method, testPath+r.query, strings.NewReader(r.body))
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return fmt.Sprintf("%d %s", w.Code, w.Body)
}

var listVersion = regexp.MustCompile(`"version":"[^"]*"`)

// Two servers on one store, one of which keeps nothing in memory, answer alike whatever happens.
func TestWhatIsAnsweredFromMemoryIsWhatIsStored(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	people := []*user{f.user("Alice", 0), f.user("Bob", 1), f.user("Carol", 2)}
	c := f.group(people...)
	plain := New(Config{Store: unstamped{f.store}, Bus: f.bus, Scheme: scheme, Clock: f.clock.now, PublicPath: testPath})
	defer plain.Close()

	random := rand.New(rand.NewPCG(1, 2))
	instance, alone := c.Instance, false
	var ids []ozeki.MessageID
	var seqs []int64
	versions := []string{""}
	remembered := 0
	change := func(tx store.Tx) error {
		u := people[random.IntN(3)]
		old := func() int { return random.IntN(len(ids)) }
		switch n := random.IntN(20); {
		case n < 9 || len(ids) == 0:
			m := store.Message{ID: ozeki.NewMessageID(), Instance: instance, Sender: u.id, Type: ozeki.TypeMessage, Created: f.clock.now(), Data: "AAAA"}
			if n%3 == 0 {
				m.ValidUntil = f.clock.now().Add(time.Duration(1+n) * time.Minute)
			}
			if n%4 == 0 {
				m.Extra = `{"Odd":"<&>"}`
			}
			stored, err := tx.AddMessage(ctx, c.ID, m, f.clock.now())
			ids, seqs = append(ids, m.ID), append(seqs, stored.Seq)
			return err
		case n < 11:
			_, err := tx.EditMessage(ctx, c.ID, ids[old()], fmt.Sprintf("BBB%d", random.IntN(10)), f.clock.now())
			if err != nil { // deleted or cleared
				return nil
			}
		case n < 12:
			if _, err := tx.DeleteMessage(ctx, c.ID, ids[old()], f.clock.now()); err != nil { // cleared
				return nil
			}
		case n < 13:
			if u.id != people[2].id || !alone {
				return tx.SetMark(ctx, u.id, c.ID, []store.MarkKind{store.Viewed, store.Delivered}[n%2], seqs[old()], f.clock.now())
			}
		case n < 14 && random.IntN(2) == 0:
			f.clock.move(time.Minute)
		case n < 15:
			_, err := tx.PurgeMessages(ctx, f.clock.now(), 100)
			return err
		case n < 17:
			alone = !alone
			if alone {
				return tx.RemoveMember(ctx, people[2].id, c.ID)
			}
			return tx.AddMembers(ctx, c.ID, []ozeki.Member{people[2].member()})
		case n < 18 && random.IntN(4) == 0:
			instance = ozeki.NewInstance()
			return tx.Clear(ctx, c.ID, instance)
		default:
			if u.id != people[2].id || !alone {
				return tx.SetProperty(ctx, u.id, c.ID, store.Favorite(n%2 == 0))
			}
		}
		return nil
	}
	for step := range 200 {
		if _, err := f.store.Update(ctx, change); err != nil {
			t.Fatal(err)
		}
		u := people[random.IntN(3)]
		var call ozeki.Call
		var more []string
		switch random.IntN(4) {
		case 0:
			call, more = ozeki.CallDownloadPartial, []string{field("limit", random.IntN(70))}
			if random.IntN(3) == 0 && len(ids) > 0 {
				more = append(more, field("lastmessageid", ids[random.IntN(len(ids))]))
			}
		case 1, 2:
			call, more = ozeki.CallDownload, []string{field("instance", instance)}
			if len(ids) > 0 {
				more = append(more, field("firstmessageid", ids[len(ids)-1-random.IntN(min(len(ids), 60))]))
			}
			if random.IntN(3) > 0 {
				more = append(more, field("revision", []int64{0, seqs[random.IntN(len(seqs))], 1 << 40}[random.IntN(3)]))
			}
		case 3:
			call, more = ozeki.CallConversations, []string{field("since", versions[random.IntN(len(versions))])}
			list, err := f.store.List(ctx, u.id, "")
			if err != nil {
				t.Fatal(err)
			}
			versions = append(versions, list.Version)[max(0, len(versions)-3):]
		}
		if call.API != ozeki.CallConversations.API || call.Action != ozeki.CallConversations.Action {
			more = append(more, field("conversationid", c.ID))
		}
		ask := func() raw {
			return u.raw(call, f.body(call, append(more, field("requestid", ozeki.NewRequestID()))...))
		}
		poll := u.raw(ozeki.CallNotification, f.body(ozeki.CallNotification, field("cursor", 1+random.Int64N(seqs[len(seqs)-1]+20))))
		same := func(request func() raw) {
			t.Helper()
			for { // until nothing has come in between: expired messages are removed in the background
				before, err := f.store.Seq(ctx)
				if err != nil {
					t.Fatal(err)
				}
				r := request()
				want, got := answerOfServer(plain, r), answerOfServer(f.srv, r)
				if now, err := f.store.Seq(ctx); err != nil || now != before {
					continue
				}
				if listVersion.ReplaceAllString(got, "") != listVersion.ReplaceAllString(want, "") {
					t.Fatalf("step %d, %s: from memory\n%s\nstored\n%s", step, r.body, got, want)
				}
				return
			}
		}
		answerOfServer(plain, ask()) // after which all is delivered
		for range 2 {
			same(ask)
			if _, _, _, found := f.srv.recents.get(c.ID, u.id, f.store.ConversationStamp(c.ID)); found {
				remembered++
			}
			same(func() raw { return poll })
		}
		if random.IntN(4) == 0 {
			f.clock.move(time.Minute) // when something may expire
			same(ask)
		}
	}
	if remembered < 50 || len(ids) < usualPartial {
		t.Errorf("%d answers with a conversation in memory, %d messages: this test says nothing", remembered, len(ids))
	}
}

// Who has seen a change, in whatever way, sees it in all that he asks for afterwards.
func TestMemoryIsNeverBehindTheStore(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	writing, done := context.WithCancel(ctx)
	var writers, readers sync.WaitGroup
	for _, u := range []*user{alice, bob} {
		writers.Go(func() {
			for range 40 {
				m, err := u.Add(ctx, c.ID, c.Instance, f.message("AAAA"))
				if err != nil {
					t.Error(err)
					return
				}
				a, err := u.DownloadPartial(ctx, ozeki.DownloadPartialRequest{ConversationID: c.ID, Limit: 50})
				if err != nil || !hasMessage(a.Messages, m.ID) {
					t.Errorf("own message %s not in the answer, %v", m.ID, err)
				}
			}
		})
		readers.Go(func() {
			q := history{MessageQuery: store.MessageQuery{Conversation: c.ID, Instance: c.Instance, Now: f.clock.now(), Newest: true, Limit: 1}}
			for writing.Err() == nil {
				stored, err := f.store.Messages(ctx, q.MessageQuery)
				if err != nil || len(stored) == 0 {
					continue
				}
				e, known, err := f.srv.endOf(ctx, u.id, c.ID, c.Instance, f.clock.now())
				if err != nil {
					t.Error(err)
					return
				}
				if !known {
					continue
				}
				if last := e.messages[len(e.messages)-1]; last.Seq < stored[0].Seq {
					t.Errorf("message %d in memory, %d stored", last.Seq, stored[0].Seq)
				}
				// Nothing may be known to be quiet up to a number that another question has shown to be news.
				changes, err := f.store.Changes(ctx, u.id, 0, maxChanges)
				if err == nil && f.srv.quiet.get(u.id, f.store.UserStamp(u.id)).nothingAfter(changes.Seq-1) {
					t.Errorf("no news after %d, but there is %d", changes.Seq-1, changes.Seq)
				}
				if _, err := u.Notification(ctx, changes.Seq); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	done()
	readers.Wait()
}

func hasMessage(list []ozeki.Message, id ozeki.MessageID) bool {
	for _, m := range list {
		if m.ID == id {
			return true
		}
	}
	return false
}

func TestWhatIsNotAskedForIsForgotten(t *testing.T) {
	var r recents
	put := func(i int) {
		r.put(ozeki.ConversationID(fmt.Sprint(i)), &recent{stamp: 2, size: maxRecent}, "u", membership{}, nil)
	}
	const generation = maxRecents/maxRecent + 1
	for i := range 10 * generation {
		put(i)
		if _, _, _, found := r.get("0", "u", 2); !found { // asked for all the time
			t.Fatalf("forgotten after %d", i)
		}
		if n := len(r.now) + len(r.old); n > 2*generation+2 {
			t.Fatalf("%d conversations in memory", n)
		}
	}
	if _, _, _, found := r.get("1", "u", 2); found {
		t.Error("nothing is forgotten")
	}
	r.put("large", &recent{stamp: 2, size: maxRecent + 1}, "u", membership{}, nil)
	if _, _, _, found := r.get("large", "u", 2); found {
		t.Error("kept, however large")
	}
	if _, _, _, found := r.get("0", "u", 4); found {
		t.Error("found under another stamp")
	}
}
