package chatserver

import (
	"context"
	"errors"

	"starling/chatserver/store"
	"starling/ozeki"
)

// editMessage replaces what a message of the caller holds and gives it as it is then, without Data. Members only
// (errNotFound, also for a message that has expired or was cleared), its sender only (errForbidden); a deleted message
// cannot be edited (errInvalid), nor where its sender cannot write (errForbidden, see mayWrite), and nothing is stored that is sealed under a key that a group has given up (errConflict).
// A repeat changes nothing.
func (s *Server) editMessage(ctx context.Context, tx store.Tx, req *request, body *ozeki.MessageEditRequest) (any, error) {
	c, m, err := ownMessage(ctx, tx, req, body.ConversationID, body.Instance, body.MessageID)
	switch {
	case err != nil:
		return nil, err
	case m.Data != body.Data && !sealedUnderNewest(c, body.Epoch):
		return nil, errEpoch
	case m.Type == ozeki.TypeDeleted:
		return nil, errInvalid.saying("The message was deleted meanwhile, so it cannot be edited.")
	case m.Type != ozeki.TypeMessage:
		return nil, errInvalid.saying("Only messages of the type Message can be edited.")
	case !isBase64(body.Data, maxData):
		return nil, errInvalid.saying("The message's data is empty, larger than 64 KiB or not base64. Shorten the text.")
	}
	if m.Data != body.Data {
		if err := mayWrite(ctx, tx, req.user, c); err != nil {
			return nil, err
		}
	}
	return answerOf(tx.EditMessage(ctx, body.ConversationID, m.ID, body.Data, req.now))
}

// deleteMessage deletes a message of the caller; what is left is its place. Refusals as those of editMessage. A repeat
// changes nothing.
func (s *Server) deleteMessage(ctx context.Context, tx store.Tx, req *request, body *ozeki.MessageDeleteRequest) (any, error) {
	_, m, err := ownMessage(ctx, tx, req, body.ConversationID, body.Instance, body.MessageID)
	if err != nil {
		return nil, err
	}
	return answerOf(tx.DeleteMessage(ctx, body.ConversationID, m.ID, req.now))
}

// ownMessage returns a message that the caller may change, with its conversation.
func ownMessage(
	ctx context.Context, tx store.Tx, req *request, id ozeki.ConversationID, instance ozeki.Instance, message ozeki.MessageID,
) (c store.Conversation, m store.Message, err error) {
	if c, err = tx.Conversation(ctx, req.user, id); err != nil {
		return c, m, err
	}
	if instance != c.Instance {
		return c, m, errInstance
	}
	m, err = tx.Message(ctx, id, message)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (m.Instance != c.Instance || m.Seq <= c.Since || m.ExpiredBy(req.now)):
		return c, m, errNotFound.saying("The message is no longer there.")
	case err == nil && m.Sender != req.user:
		return c, m, errForbidden.saying("Only who wrote a message can change it.")
	}
	return c, m, err
}

func answerOf(m store.Message, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	public := messageFor(m)
	public.Data = ""
	return ozeki.AddAnswer{Answer: ok, Message: &public}, nil
}

// changedSince adds to a download what was changed since the revision that the caller has dealt with.
func (s *Server) changedSince(ctx context.Context, q store.MessageQuery, revision int64, a *ozeki.DownloadAnswer) error {
	highest, err := s.store.Revision(ctx, q.Conversation, q.Instance)
	if err != nil {
		return err
	}
	q.From, q.Limit = max(revision, 0), ozeki.MaxChanged
	list, err := s.store.Changed(ctx, q)
	if err != nil {
		return err
	}
	a.Revision = max(highest, revision)
	if len(list) == ozeki.MaxChanged { // the rest is for the next call
		a.Revision = list[len(list)-1].Revision
	} else if len(list) > 0 {
		a.Revision = max(a.Revision, list[len(list)-1].Revision)
	}
	a.Changed = make([]ozeki.Message, len(list))
	for i, m := range list {
		a.Changed[i] = messageFor(m)
	}
	return nil
}
