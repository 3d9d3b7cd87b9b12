package state

import (
	"math/rand/v2"
	"testing"

	"starling/ozeki"
)

// world is a client's state, a server and the wire between them, which delays and loses.
type world struct {
	t      *testing.T
	r      *rand.Rand
	s      *State
	server map[ozeki.ConversationID]bool
	want   map[ozeki.ConversationID]bool // what the user asked for last
	// refused: the server refused the last wish, so that its own word counts.
	refused map[ozeki.ConversationID]bool
	others  bool // another device of the same user changes stars too
	wire    []*starRequest
	lists   []*listRequest
	log     []string
}

type starRequest struct {
	id      ozeki.ConversationID
	on      bool
	seq     uint64
	served  bool
	refused bool
	answer  ozeki.Conversation
}

type listRequest struct {
	askedAt uint64
	answer  []ozeki.Conversation
	served  bool
}

func (w *world) note(what string) { w.log = append(w.log, what) }

func (w *world) fatal(what string) {
	w.t.Helper()
	for _, l := range w.log[max(0, len(w.log)-40):] {
		w.t.Log(l)
	}
	w.t.Fatal(what)
}

func (w *world) ids() []ozeki.ConversationID {
	return []ozeki.ConversationID{idOf(0), idOf(1), idOf(2)}
}

func (w *world) conversation(id ozeki.ConversationID) ozeki.Conversation {
	for n, x := range w.ids() {
		if x == id {
			return conv(n, []string{"Anna", "Bert", "Cleo"}[n], favorite(w.server[id]))
		}
	}
	panic("unknown conversation")
}

func (w *world) click(id ozeki.ConversationID, on bool) {
	shown, _ := rowIn(w.s.Snapshot(), id)
	w.s.Apply(StarWanted{id, on})
	w.want[id] = on
	if shown.Favorite != on {
		w.refused[id] = false
	}
	w.note("click " + string(id[31:]) + map[bool]string{true: " on", false: " off"}[on])
	if now, _ := rowIn(w.s.Snapshot(), id); now.Favorite != on {
		w.fatal("a click is not shown at once")
	}
}

func (w *world) send(id ozeki.ConversationID) {
	on, seq, ok := w.s.NextStar(id)
	if !ok {
		return
	}
	for _, q := range w.wire {
		if q.id == id {
			w.fatal("two requests of one conversation are on their way")
		}
	}
	w.s.Apply(StarSent{id, seq})
	w.wire = append(w.wire, &starRequest{id: id, on: on, seq: seq})
	w.note("send " + string(id[31:]) + map[bool]string{true: " on", false: " off"}[on])
}

func (w *world) serve(q *starRequest, refuse bool) {
	q.served, q.refused = true, refuse
	if !refuse {
		w.server[q.id] = q.on
	}
	q.answer = w.conversation(q.id)
	w.note("serve " + string(q.id[31:]))
}

// deliver gives the client what became of the i-th request; lost: nothing came.
func (w *world) deliver(i int, lost bool) {
	q := w.wire[i]
	w.wire = append(w.wire[:i], w.wire[i+1:]...)
	switch {
	case lost || !q.served:
		w.note("lost " + string(q.id[31:]))
		w.s.Apply(StarUnreached{q.id, q.seq})
	case q.refused:
		w.note("refused " + string(q.id[31:]))
		_, seq, wished := w.s.Wish(q.id)
		w.s.Apply(StarRefused{q.id, q.seq, "No."})
		if wished && seq == q.seq {
			w.refused[q.id] = true
		}
	default:
		w.note("answered " + string(q.id[31:]))
		w.s.Apply(StarAnswered{q.id, q.seq, q.answer})
	}
}

// Wish is for the model: what the user wants of a star that the server has not said.
func (s *State) Wish(id ozeki.ConversationID) (on bool, seq uint64, ok bool) {
	if c := s.conversations[id]; c != nil && c.wish != nil {
		return c.wish.on, c.wish.seq, true
	}
	return false, 0, false
}

func (w *world) step() {
	id := w.ids()[w.r.IntN(3)]
	switch w.r.IntN(12) {
	case 0, 1, 2:
		row, _ := rowIn(w.s.Snapshot(), id)
		w.click(id, !row.Favorite)
		if w.r.IntN(3) > 0 {
			w.send(id)
		}
	case 3:
		w.click(id, w.r.IntN(2) == 0)
	case 4:
		w.send(id)
	case 5, 6:
		if len(w.wire) > 0 {
			if q := w.wire[w.r.IntN(len(w.wire))]; !q.served {
				w.serve(q, w.r.IntN(5) == 0)
			}
		}
	case 7, 8:
		if len(w.wire) > 0 {
			w.deliver(w.r.IntN(len(w.wire)), w.r.IntN(4) == 0)
		}
	case 9:
		if len(w.lists) == 0 { // the engine asks for one list at a time
			w.lists = append(w.lists, &listRequest{askedAt: w.s.Tick()})
			w.note("ask for the list")
		} else if l := w.lists[0]; !l.served {
			w.serveList(l)
		}
	case 10:
		if len(w.lists) > 0 && w.lists[0].served {
			w.note("list comes")
			w.s.Apply(ListLoaded{Conversations: w.lists[0].answer, AskedAt: w.lists[0].askedAt})
			w.lists = nil
		}
	case 11:
		if w.others {
			w.server[id] = !w.server[id]
			w.note("another device " + string(id[31:]))
		}
	}
}

func (w *world) serveList(l *listRequest) {
	l.served = true
	for _, id := range w.ids() {
		l.answer = append(l.answer, w.conversation(id))
	}
	w.note("list is made")
}

// settle lets everything on its way arrive, sends what waits and asks for the list.
func (w *world) settle() {
	for len(w.wire) > 0 {
		if !w.wire[0].served {
			w.serve(w.wire[0], false)
		}
		w.deliver(0, false)
	}
	for _, id := range w.ids() {
		for n := 0; ; n++ {
			if _, _, ok := w.s.NextStar(id); !ok {
				break
			}
			if n > 2 {
				w.fatal("a star is sent for ever")
			}
			w.send(id)
			w.serve(w.wire[0], false)
			w.deliver(0, false)
		}
	}
	if len(w.lists) > 0 && w.lists[0].served {
		w.s.Apply(ListLoaded{Conversations: w.lists[0].answer, AskedAt: w.lists[0].askedAt})
	}
	last := &listRequest{askedAt: w.s.Tick()}
	w.serveList(last)
	w.s.Apply(ListLoaded{Conversations: last.answer, AskedAt: last.askedAt})
}

func TestStarsEndAsTheUserWantedHoweverTheWireBehaves(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		w := &world{
			t: t, r: rand.New(rand.NewPCG(seed, 11)), others: seed%3 == 0, server: map[ozeki.ConversationID]bool{idOf(1): true},
			want: map[ozeki.ConversationID]bool{idOf(1): true}, refused: map[ozeki.ConversationID]bool{},
		}
		w.s = signedIn(w.conversation(idOf(0)), w.conversation(idOf(1)), w.conversation(idOf(2)))
		for range 20 + w.r.IntN(100) {
			snap := w.s.Snapshot()
			still := unchanged(t, snap)
			w.step()
			still()
			checkSnapshot(t, w.s)
		}
		w.settle()
		snap := checkSnapshot(t, w.s)
		for _, id := range w.ids() {
			r, _ := rowIn(snap, id)
			if r.Favorite != w.server[id] || r.Star != StarSettled {
				w.fatal("in the end the row is not what the server has")
			}
			if !w.others && !w.refused[id] && r.Favorite != w.want[id] {
				w.fatal("in the end the row is not what the user wanted, though nobody refused")
			}
		}
		if len(w.s.Wishes()) > 0 {
			w.fatal("wishes are left")
		}
	}
}

func TestWhatTheServerRefusedIsNeverShownAfterwards(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 5))
		start := r.IntN(2) == 0
		s := signedIn(conv(0, "Anna", favorite(start)))
		for range 1 + r.IntN(6) {
			on := !start
			for range 1 + 2*r.IntN(3) { // an odd number of clicks before anything is sent
				row, _ := rowIn(s.Snapshot(), idOf(0))
				s.Apply(StarWanted{idOf(0), !row.Favorite})
			}
			if got, seq := send(t, s, idOf(0)); got != on {
				t.Fatalf("seed %d: sent %v", seed, got)
			} else {
				s.Apply(StarRefused{idOf(0), seq, "No."})
			}
			if row, _ := rowIn(checkSnapshot(t, s), idOf(0)); row.Favorite != start || row.Star != StarSettled {
				t.Fatalf("seed %d: after a refusal the row is %+v", seed, row)
			}
		}
	}
}
