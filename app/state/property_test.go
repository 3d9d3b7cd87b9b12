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
	server map[place]string
	want   map[place]string // what the user asked for last
	// refused: the server refused the last wish, so that its own word counts.
	refused map[place]bool
	others  bool // another device of the same user sets flags too
	oldish  bool // the server's answer about a colour shows the old one, as in the published sample
	wire    []*flagRequest
	lists   []*listRequest
	log     []string
}

// place is a flag of a conversation.
type place struct {
	id   ozeki.ConversationID
	flag Flag
}

func (p place) String() string { return string(p.flag) + " of " + string(p.id[31:]) }

type flagRequest struct {
	place
	value   string
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

func (w *world) places() (all []place) {
	for _, id := range w.ids() {
		for _, flag := range Flags {
			all = append(all, place{id, flag})
		}
	}
	return all
}

func (w *world) conversation(id ozeki.ConversationID) ozeki.Conversation {
	for n, x := range w.ids() {
		if x == id {
			return conv(n, []string{"Anna", "Bert", "Cleo"}[n], func(c *ozeki.Conversation) {
				p := &c.Properties[0]
				p.IsFavorite, p.IsMuted = w.server[place{id, FlagFavorite}] != "", w.server[place{id, FlagMute}] != ""
				p.HideID = w.server[place{id, FlagHide}]
				if color := w.server[place{id, FlagColor}]; color != "" {
					p.Color = color
				}
			})
		}
	}
	panic("unknown conversation")
}

func (w *world) value(flag Flag) string { return valueFor(flag, w.r.IntN(6), "inst000001") }

func (w *world) click(p place, value string) {
	was, _ := rowIn(w.s.Snapshot(), p.id)
	w.s.Apply(FlagWanted{p.id, p.flag, value})
	w.want[p] = value
	if !shows(w.s, was, p.flag, value) {
		w.refused[p] = false
	}
	w.note("click " + p.String() + ": " + value)
	if now, _ := rowIn(w.s.Snapshot(), p.id); !shows(w.s, now, p.flag, value) {
		w.fatal("a click is not shown at once")
	}
}

func (w *world) send(p place) {
	value, seq, ok := w.s.NextFlag(p.id, p.flag)
	if !ok {
		return
	}
	for _, q := range w.wire {
		if q.place == p {
			w.fatal("two requests of one flag are on their way")
		}
	}
	w.s.Apply(FlagSent{p.id, p.flag, seq})
	w.wire = append(w.wire, &flagRequest{place: p, value: value, seq: seq})
	w.note("send " + p.String() + ": " + value)
}

func (w *world) serve(q *flagRequest, refuse bool) {
	q.served, q.refused = true, refuse
	old := w.conversation(q.id)
	if !refuse {
		w.server[q.place] = q.value
	}
	if q.answer = w.conversation(q.id); w.oldish && q.flag == FlagColor {
		q.answer = old
	}
	w.note("serve " + q.String())
}

// deliver gives the client what became of the i-th request; lost: nothing came.
func (w *world) deliver(i int, lost bool) {
	q := w.wire[i]
	w.wire = append(w.wire[:i], w.wire[i+1:]...)
	switch {
	case lost || !q.served:
		w.note("lost " + q.String())
		w.s.Apply(FlagUnreached{q.id, q.flag, q.seq})
	case q.refused:
		w.note("refused " + q.String())
		_, seq, wished := w.s.Wish(q.place)
		w.s.Apply(FlagRefused{q.id, q.flag, q.seq, "No."})
		if wished && seq == q.seq {
			w.refused[q.place] = true
		}
	default:
		w.note("answered " + q.String())
		w.s.Apply(FlagAnswered{q.id, q.flag, q.seq, q.value, q.answer})
	}
}

// Wish is for the model: what the user wants of a flag that the server has not said.
func (s *State) Wish(p place) (value string, seq uint64, ok bool) {
	if c := s.conversations[p.id]; c != nil && c.flag(p.flag).wish != nil {
		return c.flag(p.flag).wish.value, c.flag(p.flag).wish.seq, true
	}
	return "", 0, false
}

func (w *world) step() {
	p := w.places()[w.r.IntN(12)]
	if w.r.IntN(2) == 0 { // some flags are clicked more often
		p = w.places()[w.r.IntN(4)]
	}
	switch w.r.IntN(12) {
	case 0, 1, 2:
		shown, _ := w.s.FlagOf(p.id, p.flag)
		value := w.value(p.flag)
		if shown != "" {
			value = ""
		}
		w.click(p, value)
		if w.r.IntN(3) > 0 {
			w.send(p)
		}
	case 3:
		w.click(p, w.value(p.flag))
	case 4:
		w.send(p)
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
			w.server[p] = w.value(p.flag)
			w.note("another device " + p.String() + ": " + w.server[p])
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
	for _, p := range w.places() {
		for n := 0; ; n++ {
			if _, _, ok := w.s.NextFlag(p.id, p.flag); !ok {
				break
			}
			if n > 2 {
				w.fatal("a flag is sent for ever")
			}
			w.send(p)
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

func TestFlagsEndAsTheUserWantedHoweverTheWireBehaves(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		w := &world{
			t: t, r: rand.New(rand.NewPCG(seed, 11)), others: seed%3 == 0, oldish: seed%4 < 2, server: map[place]string{}, want: map[place]string{},
			refused: map[place]bool{},
		}
		for _, flag := range Flags {
			p := place{idOf(1), flag}
			w.server[p] = valueFor(flag, 0, "inst000001")
			w.want[p] = w.server[p]
		}
		w.s = signedIn(w.conversation(idOf(0)), w.conversation(idOf(1)), w.conversation(idOf(2)))
		for range 20 + w.r.IntN(150) {
			snap := w.s.Snapshot()
			still := unchanged(t, snap)
			w.step()
			still()
			checkSnapshot(t, w.s)
		}
		w.settle()
		snap := checkSnapshot(t, w.s)
		for _, p := range w.places() {
			r, _ := rowIn(snap, p.id)
			if !shows(w.s, r, p.flag, w.server[p]) || r.Star != FlagSettled || r.Saving != FlagSettled {
				w.fatal("in the end the row is not what the server has: " + p.String())
			}
			if !w.others && !w.refused[p] && !shows(w.s, r, p.flag, w.want[p]) {
				w.fatal("in the end the row is not what the user wanted, though nobody refused: " + p.String())
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
		for _, flag := range Flags {
			start, other := valueFor(flag, 0, "inst000001"), ""
			if r.IntN(2) == 0 {
				start, other = other, start
			}
			w := &world{t: t, server: map[place]string{{idOf(0), flag}: start}}
			s := signedIn(w.conversation(idOf(0)))
			for range 1 + r.IntN(6) {
				for n := range 1 + 2*r.IntN(3) { // an odd number of clicks before anything is sent
					s.Apply(FlagWanted{idOf(0), flag, []string{other, start}[n%2]})
				}
				got, seq, _ := s.NextFlag(idOf(0), flag)
				if got != other {
					t.Fatalf("seed %d, %s: sent %q", seed, flag, got)
				}
				s.Apply(FlagSent{idOf(0), flag, seq})
				s.Apply(FlagRefused{idOf(0), flag, seq, "No."})
				if row, _ := rowIn(checkSnapshot(t, s), idOf(0)); !shows(s, row, flag, start) || row.Star != FlagSettled || row.Saving != FlagSettled {
					t.Fatalf("seed %d, %s: after a refusal the row is %+v", seed, flag, row)
				}
			}
		}
	}
}
