package store

import (
	"context"

	"starling/ozeki"
)

func (r reader) Seq(ctx context.Context) (int64, error) {
	var seq int64
	err := r.row(ctx, `SELECT value FROM counter WHERE name = 'seq'`).Scan(&seq)
	return seq, r.d.wrap("read counter", err)
}

// Each part of the union walks its own index, so that nothing is sorted and a poll without news touches four leaves.
const changesQuery = `SELECT 0 AS kind, friend_id AS id, seq AS seq FROM friend WHERE user_id = ? AND seq > ?
	UNION ALL SELECT 1, conversation_id, content_seq FROM member WHERE user_id = ? AND content_seq > ?
	UNION ALL SELECT 2, conversation_id, list_seq FROM member WHERE user_id = ? AND list_seq > ?
	UNION ALL SELECT 2, conversation_id, seq FROM departed WHERE user_id = ? AND seq > ?
	ORDER BY seq LIMIT ?`

func (r reader) Changes(ctx context.Context, user ozeki.UserID, after int64, limit int) (Changes, error) {
	u := string(user)
	// One more than is given: where the list is cut, it is cut between two numbers, never between entries of the same one.
	rows, err := r.query(ctx, changesQuery, u, after, u, after, u, after, u, after, limit+1)
	if err != nil {
		return Changes{}, r.d.wrap("read changes", err)
	}
	defer rows.Close()
	type entry struct {
		kind int
		id   string
		seq  int64
	}
	var all []entry
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.kind, &e.id, &e.seq); err != nil {
			return Changes{}, r.d.wrap("read changes", err)
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		return Changes{}, r.d.wrap("read changes", err)
	}
	c := Changes{Seq: after}
	if len(all) > limit {
		c.More = true
		last := all[len(all)-1].seq
		for len(all) > 0 && all[len(all)-1].seq == last {
			all = all[:len(all)-1]
		}
		if len(all) == 0 { // one change larger than the limit
			return r.Changes(ctx, user, after, 2*limit+1)
		}
	}
	for _, e := range all {
		switch e.kind {
		case 0:
			c.Friends = append(c.Friends, ozeki.UserID(e.id))
		case 1:
			c.Contents = append(c.Contents, ozeki.ConversationID(e.id))
		default:
			c.Lists = append(c.Lists, ozeki.ConversationID(e.id))
		}
		c.Seq = e.seq
	}
	return c, nil
}
