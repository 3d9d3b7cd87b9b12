package chatserver

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Most downloads ask for the end of a conversation: the newest page, or what came after a message that is hardly older.
// That end is kept in memory, written as JSON, while the store's stamp of the conversation stays the same. A question that
// it does not answer goes to the store.

// recent is the end of a conversation at one moment.
type recent struct {
	stamp    store.Stamp
	instance ozeki.Instance
	from, to time.Time // when it is that: before the first of its messages expires
	revision int64
	messages []recentMessage
	size     int // bytes, about

	// What members have asked for so far, guarded by recents.mu.
	members map[ozeki.UserID]membership
	marks   map[int64][]recentMark // by membership.since
}

type membership struct{ since, delivered int64 }

type recentMessage struct {
	store.Message
	written *atomic.Pointer[[]byte]
}

type recentMark struct {
	id      ozeki.ReportID
	written []byte
}

// json is the message as the API gives it.
func (m recentMessage) json() []byte {
	if b := m.written.Load(); b != nil {
		return *b
	}
	b := encode(messageFor(m.Message))
	m.written.Store(&b)
	return b
}

// good reports whether it can answer a question of the moment.
func (c *recent) good(now time.Time) bool {
	return !now.Before(c.from) && (c.to.IsZero() || now.Before(c.to))
}

const (
	maxRecent     = 256 << 10 // bytes of one conversation's end; a larger one is not kept
	maxRecents    = 16 << 20  // bytes after which a generation ends: those that nobody asked for meanwhile go with the next
	sizeOfMessage = 400       // without its texts
)

// recents are the ends of conversations that were asked for last. The zero value is ready.
type recents struct {
	mu       sync.Mutex
	now, old map[ozeki.ConversationID]*recent
	size     int // of now
}

// get returns the end of a conversation as a member sees it; found is false if it is not known, or no longer the same.
func (r *recents) get(id ozeki.ConversationID, user ozeki.UserID, stamp store.Stamp) (c *recent, m membership, marks []recentMark, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c = r.now[id]; c == nil {
		c = r.old[id]
	}
	if c == nil || c.stamp != stamp {
		return nil, m, nil, false
	}
	if r.now[id] == nil {
		delete(r.old, id)
		r.add(id, c)
	}
	if m, found = c.members[user]; found {
		marks = c.marks[m.since]
	}
	return c, m, marks, found
}

// put keeps the end of a conversation, with what a member has to do with it.
func (r *recents) put(id ozeki.ConversationID, c *recent, user ozeki.UserID, m membership, marks []recentMark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.size > maxRecent {
		return
	}
	if c.members == nil {
		c.members, c.marks = map[ozeki.UserID]membership{}, map[int64][]recentMark{}
	}
	more := 0
	if _, known := c.members[user]; !known {
		more += 128
	}
	if _, known := c.marks[m.since]; !known {
		for _, mark := range marks {
			more += len(mark.written) + 64
		}
	}
	c.members[user], c.marks[m.since] = m, marks
	c.size += more
	if r.now[id] == c {
		r.size += more
	} else {
		r.add(id, c)
	}
}

func (r *recents) add(id ozeki.ConversationID, c *recent) {
	if r.now == nil || r.size > maxRecents {
		r.old, r.now, r.size = r.now, map[ozeki.ConversationID]*recent{}, 0
	}
	if was := r.now[id]; was != nil {
		r.size -= was.size
	}
	r.now[id] = c
	r.size += c.size
}

// end is the end of a conversation as a member sees it.
type end struct {
	*recent
	membership
	marks []recentMark
}

// endOf returns the end of a conversation as the user sees it, of the moment of the call or later; known is false where it
// cannot be kept in memory. The user's instance is checked as in history. ErrNotFound.
func (s *Server) endOf(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, instance ozeki.Instance, now time.Time) (e end, known bool, err error) {
	stamp := s.store.ConversationStamp(id)
	if stamp == 0 {
		return end{}, false, nil
	}
	c, m, marks, found := s.recents.get(id, user, stamp)
	if !found || !c.good(now) {
		q, err := s.history(ctx, user, id, instance, now)
		if err != nil {
			return end{}, false, err
		}
		m = membership{q.Since, q.delivered}
		if c == nil || !c.good(now) || c.instance != q.Instance {
			if c, err = s.readRecent(ctx, q, stamp, now); err != nil {
				return end{}, false, err
			}
		}
		if marks, err = s.readMarks(ctx, q); err != nil {
			return end{}, false, err
		}
		if s.store.ConversationStamp(id) == stamp {
			s.recents.put(id, c, user, m, marks)
		}
	}
	if instance != "" && instance != c.instance {
		return end{}, false, errInstance
	}
	return end{c, m, marks}, true, nil
}

func (s *Server) readRecent(ctx context.Context, q history, stamp store.Stamp, now time.Time) (*recent, error) {
	revision, err := s.store.Revision(ctx, q.Conversation, q.Instance) // before the messages: a change in between is told of again
	if err != nil {
		return nil, err
	}
	list, err := s.store.Messages(ctx, store.MessageQuery{Conversation: q.Conversation, Instance: q.Instance, Now: now, Newest: true, Limit: usualPartial})
	if err != nil {
		return nil, err
	}
	c := &recent{
		stamp: stamp, instance: q.Instance, from: now, revision: revision, messages: make([]recentMessage, len(list)),
	}
	written := make([]atomic.Pointer[[]byte], len(list))
	for i, m := range list {
		c.messages[i] = recentMessage{m, &written[i]}
		c.size += sizeOfMessage + 2*(len(m.Data)+len(m.Extra))
		if !m.ValidUntil.IsZero() && (c.to.IsZero() || m.ValidUntil.Before(c.to)) {
			c.to = m.ValidUntil
		}
	}
	return c, nil
}

func (s *Server) readMarks(ctx context.Context, q history) ([]recentMark, error) {
	list, err := s.store.Marks(ctx, q.Conversation, q.Since)
	marks := make([]recentMark, len(list))
	for i, m := range list {
		marks[i] = recentMark{m.ID, encode(reportFor(m))}
	}
	return marks, err
}

// newest returns the newest messages of those that are for the member, at most n, which is at most usualPartial.
func (e end) newest(n int) []recentMessage {
	list := e.messages[max(0, len(e.messages)-n):]
	for len(list) > 0 && list[0].Seq <= e.since {
		list = list[1:]
	}
	return list
}

// after returns the messages from the given one on; known is false if that is not among them.
func (e end) after(id ozeki.MessageID) (list []recentMessage, known bool) {
	i := slices.IndexFunc(e.messages, func(m recentMessage) bool { return m.ID == id })
	if i < 0 || e.messages[i].Seq <= e.since {
		return nil, false
	}
	return e.messages[i:], true
}

// answer writes an ozeki.DownloadAnswer with the messages, and the marks from the given one on as in page.
func (s *Server) answer(ctx context.Context, req *request, id ozeki.ConversationID, e end, list []recentMessage, firstReport ozeki.ReportID, revision int64) written {
	marks := e.marks
	if i := slices.IndexFunc(marks, func(m recentMark) bool { return m.id == firstReport }); i > 0 {
		marks = marks[i:]
	}
	size := 100
	for _, m := range list {
		size += len(m.json()) + 1
	}
	for _, m := range marks {
		size += len(m.written) + 1
	}
	b := append(make([]byte, 0, size), `{"status":"OK","errormessage":"","messages":[`...)
	got := delivery{conversation: id}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.json()...)
		if m.Sender != req.user {
			got.seq = m.Seq
		}
	}
	b = append(b, `],"reports":[`...)
	for i, m := range marks {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.written...)
	}
	b = append(b, ']')
	if revision != 0 {
		b = strconv.AppendInt(append(b, `,"revision":`...), revision, 10)
	}
	b = append(b, '}')
	if got.seq > e.delivered {
		s.deliver(ctx, req, got)
	}
	return b
}
