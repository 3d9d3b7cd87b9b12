package chatserver

import (
	"context"
	"errors"

	"starling/chatserver/store"
	"starling/ozeki"
)

var (
	errReported = errInvalid.saying("A report names 1 to 1000 messages by their ids. Send it in parts.")
	errNoneSeen = errNotFound.saying("None of the messages is in this conversation. Load its messages again.")
)

// report says that the caller has viewed the conversation up to the newest of the messages named; it counts as delivered
// up to there too. It never goes back, and a repeat changes nothing. Ids that are not there are left out: they may have
// expired; errNotFound if none is. errInstance: the conversation was cleared. Members only (errNotFound).
func (s *Server) report(ctx context.Context, tx store.Tx, req *request, body *ozeki.ReportRequest) (any, error) {
	if n := len(body.MessageIDs); n == 0 || n > ozeki.MaxReported {
		return nil, errReported
	}
	c, err := tx.Conversation(ctx, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	if body.Instance != c.Instance {
		return nil, errInstance
	}
	newest, err := tx.Newest(ctx, c.ID, body.MessageIDs)
	if err != nil {
		return nil, err
	}
	if newest <= c.Since {
		return nil, errNoneSeen
	}
	if err := tx.SetMark(ctx, req.user, c.ID, store.Viewed, newest, req.now); err != nil {
		return nil, err
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

// reportFor is the published object with the fields of the extension receipts.
func reportFor(m store.Mark) ozeki.Report {
	return ozeki.Report{ID: m.ID, Type: string(m.Kind), Created: ozeki.Time{Time: m.Created}, MessageID: m.Message, From: m.User}
}

// delivery is what one answer has brought of a conversation: all up to a place.
type delivery struct {
	conversation ozeki.ConversationID
	seq          int64
}

// deliver marks what an answer has brought to its asker. The answer does not depend on it: a fault is logged, and the
// next download makes up for it.
func (s *Server) deliver(ctx context.Context, req *request, got ...delivery) {
	err := s.update(ctx, func(tx store.Tx) error {
		for _, d := range got {
			err := tx.SetMark(ctx, req.user, d.conversation, store.Delivered, d.seq, req.now)
			if err != nil && !errors.Is(err, store.ErrNotFound) { // he may just have left
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Warn("delivery not marked", "error", err)
	}
}

// maxDelivered is for how many conversations one list marks a delivery.
const maxDelivered = 100

// deliverListed marks the last messages that a list has brought, of at most maxDelivered conversations, the last used
// first: people learn of new messages from the list and download those that they open.
func (s *Server) deliverListed(ctx context.Context, req *request, list []store.Listed) {
	var got []delivery
	for _, c := range list {
		m := c.Last
		if c.Unread > 0 && m.Seq > c.DeliveredSeq && m.Sender != req.user && m.Instance == c.Instance && len(got) < maxDelivered {
			got = append(got, delivery{c.ID, m.Seq})
		}
	}
	if len(got) > 0 {
		s.deliver(ctx, req, got...)
	}
}
