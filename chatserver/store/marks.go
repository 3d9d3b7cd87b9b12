package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"starling/ozeki"
)

func (r reader) Marks(ctx context.Context, conversation ozeki.ConversationID, since int64) ([]Mark, error) {
	// A mark covers what was sent up to its place. It is named by the newest message there that is left.
	scan := func(rows *sql.Rows, m *Mark) error {
		var created int64
		err := rows.Scan(&m.ID, &m.User, &m.Kind, &created, &m.Message)
		m.Created = fromUnix(created)
		return err
	}
	marks, err := list(ctx, r, scan, `SELECT r.report_id, r.user_id, r.type, r.created, COALESCE((SELECT x.message_id FROM message x
			WHERE x.conversation_id = c.conversation_id AND x.instance = c.instance AND x.seq > ?
			AND x.seq <= CASE r.type WHEN 'viewed' THEN m.viewed_seq ELSE m.delivered_seq END ORDER BY x.seq DESC LIMIT 1), '')
		FROM report r JOIN conversation c ON c.conversation_id = r.conversation_id
		JOIN member m ON m.user_id = r.user_id AND m.conversation_id = r.conversation_id
		WHERE r.conversation_id = ? ORDER BY r.seq, r.user_id, r.type`, since, string(conversation))
	named := marks[:0]
	for _, m := range marks {
		if m.Message != "" {
			named = append(named, m)
		}
	}
	return named, r.d.wrap("list marks", err)
}

func (t *sqlTx) SetMark(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, kind MarkKind, place int64, at time.Time) error {
	const op = "set mark"
	var viewed, delivered int64
	err := t.row(ctx, `SELECT viewed_seq, delivered_seq FROM member WHERE user_id = ? AND conversation_id = ?`,
		string(user), string(id)).Scan(&viewed, &delivered)
	if err != nil {
		return t.d.wrap(op, notFound(err))
	}
	was := delivered
	if kind == Viewed {
		was = viewed
	}
	senders, err := list(ctx, t.reader, scanUser,
		`SELECT DISTINCT x.sender FROM message x JOIN conversation c ON c.conversation_id = x.conversation_id AND c.instance = x.instance
		WHERE x.conversation_id = ? AND x.seq > ? AND x.seq <= ? AND x.sender <> ?`, string(id), was, place, string(user))
	if err != nil || len(senders) == 0 {
		return t.d.wrap(op, err)
	}
	t.changes(string(id))
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap(op, err)
	}
	if kind == Viewed {
		if err := t.view(ctx, user, id, place, seq, at); err != nil {
			return t.d.wrap(op, err)
		}
	}
	if place > delivered {
		if err := t.moveMark(ctx, user, id, Delivered, "delivered_seq = ?", seq, at, place); err != nil {
			return t.d.wrap(op, err)
		}
	}
	for _, sender := range senders {
		n, err := t.exec(ctx, `UPDATE member SET content_seq = ? WHERE user_id = ? AND conversation_id = ?`, seq, string(sender), string(id))
		if err != nil {
			return t.d.wrap(op, err)
		}
		if n > 0 { // else he has left
			t.touch(sender)
		}
	}
	return nil
}

// view moves a viewed mark, counts anew what is unread, and tells the user.
func (t *sqlTx) view(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, place, seq int64, at time.Time) error {
	err := t.moveMark(ctx, user, id, Viewed, `viewed_seq = ?, list_seq = ?,
		viewed_id = COALESCE((`+messageAtOrBelow+`?`+newestOne+`), ''),
		unread = (SELECT COUNT(*) FROM message x JOIN conversation c ON c.conversation_id = x.conversation_id AND c.instance = x.instance
			WHERE x.conversation_id = member.conversation_id AND x.seq > ? AND x.sender <> member.user_id AND x.type <> '`+ozeki.TypeDeleted+`')`,
		seq, at, place, seq, place, place)
	if err == nil {
		t.touch(user)
	}
	return err
}

// messageAtOrBelow and newestOne around a place find the newest message of a member's conversation up to there.
const (
	messageAtOrBelow = `SELECT x.message_id FROM message x JOIN conversation c ON c.conversation_id = x.conversation_id AND c.instance = x.instance
		WHERE x.conversation_id = member.conversation_id AND x.seq > member.since_seq AND x.seq <= `
	newestOne = ` ORDER BY x.seq DESC LIMIT 1`
)

// moveMark makes a change to a member's row and gives the mark that tells of it a new id.
func (t *sqlTx) moveMark(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, kind MarkKind, set string, seq int64, at time.Time, args ...any) error {
	_, err := t.exec(ctx, `UPDATE member SET `+set+` WHERE user_id = ? AND conversation_id = ?`, append(args, string(user), string(id))...)
	if err != nil {
		return err
	}
	report := string(ozeki.NewReportID())
	_, err = t.exec(ctx, `INSERT INTO report (conversation_id, user_id, type, report_id, seq, created) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (conversation_id, user_id, type) DO UPDATE SET report_id = excluded.report_id, seq = excluded.seq, created = excluded.created`,
		string(id), string(user), string(kind), report, seq, unix(at))
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE conversation SET last_report_id = ? WHERE conversation_id = ?`, report, string(id))
	return err
}

func (t *sqlTx) Clear(ctx context.Context, id ozeki.ConversationID, instance ozeki.Instance) error {
	const op = "clear conversation"
	t.changes(string(id))
	n, err := t.exec(ctx, `UPDATE conversation SET instance = ?, last_message_id = '', last_report_id = '' WHERE conversation_id = ?`,
		string(instance), string(id))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	for _, query := range []string{`DELETE FROM report WHERE conversation_id = ?`, `DELETE FROM message WHERE conversation_id = ?`} {
		if err == nil {
			_, err = t.exec(ctx, query, string(id))
		}
	}
	if err != nil {
		return t.d.wrap(op, err)
	}
	seq, err := t.next(ctx)
	if err != nil {
		return t.d.wrap(op, err)
	}
	// What comes in the new instance has a place above all marks.
	err = t.tellMembers(ctx, id, `unread = 0, viewed_id = '', list_seq = ?`, seq)
	return t.d.wrap(op, err)
}

func (r reader) HasExpired(ctx context.Context, at time.Time) (bool, error) {
	var found int
	err := r.row(ctx, `SELECT CASE WHEN EXISTS (SELECT 1 FROM message
		WHERE valid_until > 0 AND instance <> '' AND valid_until <= ?) THEN 1 ELSE 0 END`, unix(at)).Scan(&found)
	return found != 0, r.d.wrap("look for expired messages", err)
}

func (t *sqlTx) PurgeMessages(ctx context.Context, at time.Time, limit int) (int, error) {
	const op = "purge messages"
	type expired struct {
		conversation, id, sender, kind string
		seq                            int64
	}
	scan := func(rows *sql.Rows, e *expired) error {
		return rows.Scan(&e.conversation, &e.id, &e.sender, &e.kind, &e.seq)
	}
	all, err := list(ctx, t.reader, scan, `SELECT conversation_id, message_id, sender, type, seq FROM message
		WHERE valid_until > 0 AND instance <> '' AND valid_until <= ? ORDER BY valid_until LIMIT ?`, unix(at), limit)
	if err != nil {
		return 0, t.d.wrap(op, err)
	}
	conversations := map[string]bool{}
	for _, e := range all {
		conversations[e.conversation] = true
		var err error
		if e.kind != ozeki.TypeDeleted { // which counts no longer
			_, err = t.exec(ctx, `UPDATE member SET unread = unread - 1`+whoHasNotViewed, e.conversation, e.sender, e.seq)
		}
		if err == nil {
			_, err = t.exec(ctx, `UPDATE message SET instance = '', data = '', extra = '' WHERE conversation_id = ? AND message_id = ?`, e.conversation, e.id)
		}
		if err != nil {
			return 0, t.d.wrap(op, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(conversations)) {
		if err := t.afterPurge(ctx, id); err != nil {
			return 0, t.d.wrap(op, err)
		}
	}
	return len(all), nil
}

// whoHasNotViewed are the members of a conversation that count a message by its sender and place as unread.
const whoHasNotViewed = ` WHERE conversation_id = ? AND user_id <> ? AND viewed_seq < ? AND unread > 0`

func (t *sqlTx) ForgetPlaces(ctx context.Context, before time.Time) error {
	of, err := list(ctx, t.reader, func(rows *sql.Rows, id *string) error { return rows.Scan(id) },
		`DELETE FROM message WHERE instance = '' AND valid_until < ? RETURNING conversation_id`, unix(before))
	for _, id := range slices.Compact(of) {
		t.changes(id)
	}
	return t.d.wrap("forget places", err)
}

// afterPurge corrects what names the messages of a conversation, and tells its members.
func (t *sqlTx) afterPurge(ctx context.Context, id string) error {
	t.changes(id)
	seq, err := t.next(ctx)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE conversation SET last_message_id = COALESCE((SELECT x.message_id FROM message x
		WHERE x.conversation_id = conversation.conversation_id AND x.instance = conversation.instance ORDER BY x.seq DESC LIMIT 1), '')
		WHERE conversation_id = ?`, id)
	if err != nil {
		return err
	}
	return t.tellMembers(ctx, ozeki.ConversationID(id), `list_seq = ?, viewed_id = COALESCE((`+messageAtOrBelow+`member.viewed_seq`+newestOne+`), '')`, seq)
}
