package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"starling/ozeki"
)

// What a conversation and a member of it are, and its last message under the name x, unless the member came after it.
const (
	conversationColumns = `c.conversation_id, c.is_group, c.instance, COALESCE(x.message_id, ''), c.last_report_id, c.last_access,
	m.secret, m.display_name, m.is_favorite, m.is_muted, m.hide_id, m.color, m.unread, m.viewed_id, m.delivered_seq, m.since_seq, c.epoch, c.rekey`
	memberOf = ` member m JOIN conversation c ON c.conversation_id = m.conversation_id
	LEFT JOIN message x ON x.conversation_id = c.conversation_id AND x.message_id = c.last_message_id AND x.seq > m.since_seq`
	lastColumns = `x.message_id, x.instance, x.seq, x.sender, x.type, x.created, x.valid_until, x.data, x.extra, x.edited, x.revision`
)

// isHidden is the condition of chatserver's isHidden, for memberOf.
const isHidden = `m.hide_id <> '' AND (x.message_id IS NULL OR instr(';' || m.hide_id, ';' || c.instance || ';') > 0)`

func scanConversation(rows *sql.Rows, c *Conversation, more ...any) error {
	var group, favorite, muted, rekey int
	var access int64
	err := rows.Scan(append([]any{&c.ID, &group, &c.Instance, &c.LastMessageID, &c.LastReportID, &access,
		&c.Secret, &c.DisplayName, &favorite, &muted, &c.HideID, &c.Color, &c.Unread, &c.Viewed, &c.DeliveredSeq,
		&c.Since, &c.Epoch, &rekey}, more...)...)
	c.IsGroup, c.Favorite, c.Muted, c.Rekey, c.LastAccess = group != 0, favorite != 0, muted != 0, rekey != 0, fromUnix(access)
	return err
}

// scanListed reads a conversation with its last message, which may be none.
func scanListed(rows *sql.Rows, l *Listed) error {
	var id, instance, sender, kind, data, extra sql.NullString
	var seq, created, until, edited, revision sql.NullInt64
	err := scanConversation(rows, &l.Conversation, &id, &instance, &seq, &sender, &kind, &created, &until, &data, &extra, &edited, &revision)
	if id.Valid {
		l.Last = Message{
			ID: ozeki.MessageID(id.String), Instance: ozeki.Instance(instance.String), Seq: seq.Int64, Sender: ozeki.UserID(sender.String),
			Type: kind.String, Created: fromUnix(created.Int64), ValidUntil: fromUnix(until.Int64), Data: data.String, Extra: extra.String,
			Edited: fromUnix(edited.Int64), Revision: revision.Int64,
		}
	}
	return err
}

func (r reader) List(ctx context.Context, user ozeki.UserID, since string) (List, error) {
	if out, same, err := r.unchanged(ctx, user, since); err != nil || same {
		return out, r.d.wrap("list conversations", err)
	}
	var out List
	err := r.snapshot(ctx, func(r reader) error {
		after, err := r.versions(ctx, &out, since)
		if err != nil {
			return err
		}
		which, args := ``, []any{string(user)}
		if out.Partial {
			which = ` AND m.conversation_id IN (SELECT conversation_id FROM member WHERE user_id = ? AND list_seq > ?
				UNION SELECT conversation_id FROM member WHERE user_id = ? AND content_seq > ?)`
			args = append(args, string(user), after, string(user), after)
			out.Gone, err = list(ctx, r, func(rows *sql.Rows, id *ozeki.ConversationID) error { return rows.Scan(id) },
				`SELECT conversation_id FROM departed WHERE user_id = ? AND seq > ?`, string(user), after)
			if err != nil {
				return err
			}
		}
		return r.listed(ctx, &out, user, which, args)
	})
	return out, r.d.wrap("list conversations", err)
}

func (r reader) ListPage(ctx context.Context, user ozeki.UserID, first int, after string) (List, error) {
	var out List
	err := r.snapshot(ctx, func(r reader) error {
		if _, err := r.versions(ctx, &out, ""); err != nil {
			return err
		}
		which, args := ` AND m.conversation_id IN (SELECT f.conversation_id FROM member f JOIN conversation g ON g.conversation_id = f.conversation_id
			WHERE f.user_id = ? ORDER BY f.is_favorite DESC, g.last_access DESC, f.conversation_id LIMIT ?)`, []any{string(user), string(user), first}
		if after != "" {
			which = ` AND m.conversation_id IN (SELECT conversation_id FROM member WHERE user_id = ? AND conversation_id > ? ORDER BY conversation_id LIMIT ?)`
			args = []any{string(user), string(user), after, first}
		}
		return r.listed(ctx, &out, user, which, args)
	})
	switch full := len(out.Conversations) == first; {
	case full && after == "":
		out.Next = "!" // before all ids
	case full:
		for _, c := range out.Conversations {
			out.Next = max(out.Next, string(c.ID))
		}
	}
	return out, r.d.wrap("list conversations", err)
}

// listed fills a list with those of the user's conversations that a condition picks, the last used first.
func (r reader) listed(ctx context.Context, out *List, user ozeki.UserID, which string, args []any) (err error) {
	out.Conversations, err = list(ctx, r, scanListed, `SELECT `+conversationColumns+`, `+lastColumns+` FROM`+memberOf+` WHERE m.user_id = ?`+which, args...)
	if err != nil || len(out.Conversations) == 0 {
		return err
	}
	if err := r.participants(ctx, out.Conversations, which, args); err != nil {
		return err
	}
	slices.SortFunc(out.Conversations, func(a, b Listed) int {
		if c := b.LastAccess.Compare(a.LastAccess); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return r.groupParts(ctx, out.Conversations, user)
}

// versions sets the version of a list, and whether what changed since another one is known: after which number that is.
func (r reader) versions(ctx context.Context, out *List, since string) (after int64, err error) {
	var era string
	var now int64
	err = r.row(ctx, `SELECT e.era_id, c.value FROM era e, counter c WHERE c.name = 'seq' ORDER BY e.number DESC LIMIT 1`).Scan(&era, &now)
	if err != nil {
		return 0, err
	}
	out.Version = versionOf(era, now)
	was, number, _ := strings.Cut(since, ".")
	if after, err = strconv.ParseInt(number, 10, 64); err != nil || after < 0 {
		return 0, nil
	}
	// The next era's beginning is the end of this one.
	var end int64
	err = r.row(ctx, `SELECT COALESCE((SELECT n.begins FROM era n WHERE n.number > e.number ORDER BY n.number LIMIT 1), ?) FROM era e WHERE e.era_id = ?`,
		now, was).Scan(&end)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	out.Partial = err == nil && after <= end
	return after, err
}

// unchanged answers, in one query, who has the list already: same is false if something has changed for him since, or it is
// not known.
func (r reader) unchanged(ctx context.Context, user ozeki.UserID, since string) (out List, same bool, err error) {
	was, number, _ := strings.Cut(since, ".")
	after, err := strconv.ParseInt(number, 10, 64)
	if err != nil || after < 0 {
		return List{}, false, nil
	}
	var era string
	var now int64
	u := string(user)
	err = r.row(ctx, `SELECT e.era_id, c.value FROM era o, era e, counter c
		WHERE o.era_id = ? AND e.number = (SELECT MAX(number) FROM era) AND c.name = 'seq'
		AND ? <= COALESCE((SELECT n.begins FROM era n WHERE n.number > o.number ORDER BY n.number LIMIT 1), c.value)
		AND NOT EXISTS (SELECT 1 FROM member WHERE user_id = ? AND list_seq > ?)
		AND NOT EXISTS (SELECT 1 FROM member WHERE user_id = ? AND content_seq > ?)
		AND NOT EXISTS (SELECT 1 FROM departed WHERE user_id = ? AND seq > ?)`, was, after, u, after, u, after, u, after).Scan(&era, &now)
	if errors.Is(err, sql.ErrNoRows) {
		return List{}, false, nil
	}
	return List{Version: versionOf(era, now), Partial: true}, err == nil, err
}

func versionOf(era string, seq int64) string { return era + "." + strconv.FormatInt(seq, 10) }

func (r reader) Hidden(ctx context.Context, user ozeki.UserID) ([]ozeki.ConversationID, error) {
	ids, err := list(ctx, r, func(rows *sql.Rows, id *ozeki.ConversationID) error { return rows.Scan(id) },
		`SELECT c.conversation_id FROM`+memberOf+` WHERE m.user_id = ? AND `+isHidden+` ORDER BY c.last_access DESC, c.conversation_id`, string(user))
	return ids, r.d.wrap("list hidden conversations", err)
}

func (r reader) Conversation(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) (Conversation, error) {
	c, err := r.conversation(ctx, user, id)
	if err == nil && c.IsGroup && (c.Epoch > 0 || c.Rekey) { // somebody has left, or had another key: that takes several queries
		one := make([]Listed, 1)
		err = r.snapshot(ctx, func(r reader) (err error) {
			if one[0].Conversation, err = r.conversation(ctx, user, id); err != nil {
				return err
			}
			return r.groupParts(ctx, one, user)
		})
		c = one[0].Conversation
	}
	return c, r.d.wrap("read conversation", err)
}

func (r reader) conversation(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID) (Conversation, error) {
	// One row for each participant: the conversation is repeated, which costs less than a second query for one.
	var c Conversation
	rows, err := r.query(ctx, `SELECT `+conversationColumns+`, p.user_id, a.full_name
		FROM`+memberOf+`
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

// participants fills in the members, by user id, of the user's conversations: which names some of them.
func (r reader) participants(ctx context.Context, out []Listed, which string, args []any) error {
	rows, err := r.query(ctx, `SELECT p.conversation_id, p.user_id FROM member m JOIN member p ON p.conversation_id = m.conversation_id
		WHERE m.user_id = ?`+which, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	at := make(map[ozeki.ConversationID]int, len(out))
	for i := range out {
		at[out[i].ID] = i
	}
	people := map[ozeki.UserID]*Participant{} // each is in many conversations
	var of []*Participant
	for rows.Next() {
		var id, user sql.RawBytes
		if err := rows.Scan(&id, &user); err != nil {
			return err
		}
		p := people[ozeki.UserID(user)]
		if p == nil {
			p = &Participant{UserID: ozeki.UserID(user)}
			people[p.UserID] = p
			of = append(of, p)
		}
		if i, ok := at[ozeki.ConversationID(id)]; ok {
			out[i].Participants = append(out[i].Participants, *p)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, p := range of {
		if err := r.row(ctx, `SELECT full_name FROM account WHERE user_id = ?`, string(p.UserID)).Scan(&p.Name); err != nil {
			return err
		}
	}
	for i := range out {
		participants := out[i].Participants
		for n := range participants {
			participants[n].Name = people[participants[n].UserID].Name
		}
		slices.SortFunc(participants, func(a, b Participant) int { return strings.Compare(string(a.UserID), string(b.UserID)) })
	}
	return nil
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
	t.changes(string(c.ID))
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
	t.changes(string(id))
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
