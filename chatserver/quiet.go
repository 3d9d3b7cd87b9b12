package chatserver

import (
	"sync"

	"starling/chatserver/store"
	"starling/ozeki"
)

// maxQuiet is for how many users it is remembered that there is no news.
const maxQuiet = 10_000

// quiet remembers of users what they have been told while nothing has changed for them: so polls and questions for an
// unchanged list, which are most of all questions, cost no query. The zero value is ready.
type quiet struct {
	mu sync.Mutex
	of map[ozeki.UserID]silence
}

// silence is what is known of a user under a stamp.
type silence struct {
	stamp   store.Stamp
	version string // of his list, empty if nobody has asked
	// There is nothing to tell after these numbers and those between them. 0: nobody has asked.
	first, last int64
}

// get returns what is known of the user under the stamp.
func (q *quiet) get(user ozeki.UserID, stamp store.Stamp) silence {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t := q.of[user]; stamp != 0 && t.stamp == stamp {
		return t
	}
	return silence{stamp: stamp}
}

// change changes what is known of the user under the stamp, unless the stamp is not his any more.
func (q *quiet) change(st store.Stamped, user ozeki.UserID, stamp store.Stamp, f func(*silence)) {
	if stamp == 0 || st.UserStamp(user) != stamp {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.of[user]
	if t.stamp != stamp {
		t = silence{stamp: stamp}
	}
	f(&t)
	if q.of == nil || len(q.of) >= maxQuiet {
		q.of = map[ozeki.UserID]silence{} // crude, and rare
	}
	q.of[user] = t
}

// nothingAfter reports whether it is known that there is nothing to tell after the number.
func (t silence) nothingAfter(seq int64) bool { return seq > 0 && t.first <= seq && seq <= t.last }

// nothing notes that there is nothing to tell after the number.
func (t *silence) nothing(seq int64) {
	if t.last == 0 {
		t.first, t.last = seq, seq
	}
	t.first, t.last = min(t.first, seq), max(t.last, seq)
}
