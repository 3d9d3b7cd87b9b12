package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"starling/ozeki"
)

// Of the last message a member who came after it does not learn.
const conversationColumns = `c.conversation_id, c.is_group, c.instance, CASE WHEN m.since_seq = 0 OR EXISTS
		(SELECT 1 FROM message x WHERE x.conversation_id = c.conversation_id AND x.message_id = c.last_message_id AND x.seq > m.since_seq)
		THEN c.last_message_id ELSE '' END, c.last_report_id, c.last_access,
	m.secret, m.display_name, m.is_favorite, m.is_muted, m.hide_id, m.color, m.unread, m.viewed_id, m.delivered_seq, m.since_seq, c.epoch, c.rekey`

func scanConversation(rows *sql.Rows, c *Conversation, more ...any) error {
	var group, favorite, muted, rekey int
	var access int64
	err := rows.Scan(append([]any{&c.ID, &group, &c.Instance, &c.LastMessageID, &c.LastReportID, &access,
		&c.Secret, &c.DisplayName, &favorite, &muted, &c.HideID, &c.Color, &c.Unread, &c.Viewed, &c.DeliveredSeq,
		&c.Since, &c.Epoch, &rekey}, more...)...)
	c.IsGroup, c.Favorite, c.Muted, c.Rekey, c.LastAccess = group != 0, favorite != 0, muted != 0, rekey != 0, fromUnix(access)
	return err
}

func (r reader) Conversations(ctx context.Context, user ozeki.UserID) ([]Conversation, error) {
	var out []Conversation
	err := r.snapshot(ctx, func(r reader) error {
		var err error
		scan := func(rows *sql.Rows, c *Conversation) error { return scanConversation(rows, c) }
		out, err = list(ctx, r, scan, `SELECT `+conversationColumns+`
			FROM member m JOIN conversation c ON c.conversation_id = m.conversation_id WHERE m.user_id = ?`, string(user))
		if err != nil {
			return err
		}
		err = r.participants(ctx, out, `SELECT m.conversation_id, m.user_id, a.full_name
			FROM member me JOIN member m ON m.conversation_id = me.conversation_id JOIN account a ON a.user_id = m.user_id
			WHERE me.user_id = ?`, string(user))
		if err != nil {
			return err
		}
		return r.groupParts(ctx, out, user)
	})
	slices.SortFunc(out, func(a, b Conversation) int {
		if c := b.LastAccess.Compare(a.LastAccess); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out, r.d.wrap("list conversations", err)
}

func (r reader) Conversation(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) (Conversation, error) {
	c, err := r.conversation(ctx, user, id)
	if err == nil && c.IsGroup { // whose parts take several queries
		one := make([]Conversation, 1)
		err = r.snapshot(ctx, func(r reader) (err error) {
			if one[0], err = r.conversation(ctx, user, id); err != nil {
				return err
			}
			return r.groupParts(ctx, one, user)
		})
		c = one[0]
	}
	return c, r.d.wrap("read conversation", err)
}

func (r reader) conversation(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) (Conversation, error) {
	// One row for each participant: the conversation is repeated, which costs less than a second query for one.
	var c Conversation
	rows, err := r.query(ctx, `SELECT `+conversationColumns+`, p.user_id, a.full_name
		FROM member m JOIN conversation c ON c.conversation_id = m.conversation_id
		JOIN member p ON p.conversation_id = m.conversation_id JOIN account a ON a.user_id = p.user_id
		WHERE m.user_id = ? AND m.conversation_id = ? ORDER BY p.user_id`, string(user), string(id))
	if err != nil {
		return c, err
	}
	defer rows.Close()
	var participants []Participant
	for rows.Next() {
		var p Participant
		if err := scanConversation(rows, &c, &p.UserID, &p.Name); err != nil {
			return c, err
		}
		participants = append(participants, p)
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	if participants == nil {
		return c, ErrNotFound
	}
	c.Participants = participants
	return c, nil
}

// participants fills in the members that the query gives, by user id.
func (r reader) participants(ctx context.Context, out []Conversation, query string, arg any) error {
	rows, err := r.query(ctx, query, arg)
	if err != nil {
		return err
	}
	defer rows.Close()
	at := make(map[ozeki.ConversationID]int, len(out))
	for i := range out {
		at[out[i].ID] = i
	}
	for rows.Next() {
		var id ozeki.ConversationID
		var p Participant
		if err := rows.Scan(&id, &p.UserID, &p.Name); err != nil {
			return err
		}
		if i, ok := at[id]; ok {
			out[i].Participants = append(out[i].Participants, p)
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Participants, func(a, b Participant) int { return strings.Compare(string(a.UserID), string(b.UserID)) })
	}
	return rows.Err()
}

const insertMember = `INSERT INTO member (user_id, conversation_id, secret, display_name, is_favorite, is_muted, hide_id, color,
	list_seq, content_seq, since_seq, viewed_seq, delivered_seq) VALUES (?, ?, ?, ?, 0, 0, '', ?, ?, 0, ?, ?, ?)`

func (t *sqlTx) CreateConversation(ctx context.Context, c NewConversation) error {
	n, err := t.exec(ctx, `INSERT INTO conversation
		(conversation_id, is_group, instance, last_message_id, last_report_id, last_access, created_at)
		VALUES (?, ?, ?, '', '', ?, ?) ON CONFLICT (conversation_id) DO NOTHING`,
		string(c.ID), flag(c.IsGroup), string(c.Instance), unix(c.CreatedAt), unix(c.CreatedAt))
	if err != nil {
		return t.d.wrap("create conversation", err)
	}
	if n == 0 {
		return t.d.wrap("create conversation", ErrExists)
	}
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap("create conversation", err)
	}
	for _, m := range c.Members {
		_, err := t.exec(ctx, insertMember, string(m.UserID), string(c.ID), m.Secret, m.DisplayName, DefaultColor, seq, 0, 0, 0)
		if err != nil {
			return t.d.wrap("add member", err)
		}
		t.touch(m.UserID)
	}
	return nil
}

func (t *sqlTx) SetProperty(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, p Property) error {
	column, value := p.column()
	var same int
	err := t.row(ctx, `SELECT CASE WHEN `+column+` = ? THEN 1 ELSE 0 END FROM member WHERE user_id = ? AND conversation_id = ?`,
		value, string(user), string(id)).Scan(&same)
	if err != nil {
		return t.d.wrap("read property", notFound(err))
	}
	if same != 0 {
		return nil
	}
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap("set property", err)
	}
	_, err = t.exec(ctx, `UPDATE member SET `+column+` = ?, list_seq = ? WHERE user_id = ? AND conversation_id = ?`,
		value, seq, string(user), string(id))
	if err == nil {
		t.touch(user)
	}
	return t.d.wrap("set property", err)
}
