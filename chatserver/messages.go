package chatserver

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Limits of messages.
const (
	maxMessage   = 96 << 10 // bytes of the inner JSON
	maxData      = 64 << 10 // characters of Data
	maxType      = 32
	maxDownload  = 1000 // messages of one answer
	maxPartial   = 200
	usualPartial = 50
)

var (
	errInstance = errInvalid.saying("The conversation was cleared meanwhile. Load the list of conversations again.")
	errMessage  = errInvalid.saying("The message is not a JSON object with ID, Type, Created and Data, or too large. " +
		"Shorten it and send it again.")
)

// addMessage appends a message to a conversation of the caller and gives it as stored, without Data. The order of messages
// is that of their arrival; From is whose signature was verified, whatever the message says. A repeat of an id with the
// same content gives the same answer and changes nothing; with another content errExists. Members only (errNotFound).
// errForbidden: one of two people in a conversation has blocked the other. errConflict: the message
// names an epoch whose key should not be used any more, and is not stored.
func (s *Server) addMessage(ctx context.Context, tx store.Tx, req *request, body *ozeki.AddRequest) (any, error) {
	m, err := parseMessage(body.Message)
	if err != nil {
		return nil, err
	}
	c, err := tx.Conversation(ctx, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	m.Sender, m.Instance = req.user, body.Instance
	if body.Instance != c.Instance {
		return nil, errInstance
	}
	if err := mayWrite(ctx, tx, req.user, c); err != nil {
		return nil, err
	}
	if err := s.sealedAnew(ctx, tx, c, m.ID, body.Epoch); err != nil {
		return nil, err
	}
	stored, err := tx.AddMessage(ctx, c.ID, m, req.now)
	if errors.Is(err, store.ErrExists) {
		return nil, errExists.saying("The conversation has another message with this id. Send the message under a new id.")
	}
	if err == nil {
		err = s.attach(ctx, tx, c.ID, stored)
	}
	if err != nil {
		return nil, err
	}
	if s.pushes != nil && stored.Type != ozeki.TypeEvent {
		req.committed = func(context.Context) { s.pushes.note(c, req.user, req.now) }
	}
	public := messageFor(stored)
	public.Data = ""
	return ozeki.AddAnswer{Answer: ok, Message: &public}, nil
}

// parseMessage checks the inner JSON of add.
func parseMessage(text string) (store.Message, error) {
	var m ozeki.Message
	if len(text) > maxMessage || depth([]byte(text)) > maxDepth || json.Unmarshal([]byte(text), &m) != nil {
		return store.Message{}, errMessage
	}
	switch {
	case !m.ID.Valid():
		return store.Message{}, errInvalid.saying("The message's ID is not a UUID. Send it under a new one.")
	case m.Type == "" || len(m.Type) > maxType || strings.ContainsFunc(m.Type, unshowable):
		return store.Message{}, errInvalid.saying("The message's Type is empty or longer than 32 characters. Send a Message.")
	case m.Type == ozeki.TypeDeleted:
		return store.Message{}, errInvalid.saying("A message cannot be sent as a deleted one. Send a Message.")
	case m.Created.IsZero():
		return store.Message{}, errInvalid.saying("The message has no Created. Send it with the time of writing.")
	case !isBase64(m.Data, maxData):
		return store.Message{}, errInvalid.saying("The message's Data is empty, larger than 64 KiB or not base64. Shorten the text.")
	}
	extra := ""
	if len(m.Extra) > 0 {
		// A known field is here if its value is not of the right kind. And as many programs (Go's among them) read names of
		// fields in either case, an unknown "from" must not pass as the verified From.
		for name := range m.Extra {
			for _, known := range []string{"ID", "Type", "Created", "ValidUntil", "Data", "From", "Files", "Edited", "Revision"} {
				if strings.EqualFold(name, known) {
					return store.Message{}, errInvalid.saying("The message's field " + known +
						" is not of the form that the API describes, or spelt otherwise. Correct it.")
				}
			}
		}
	}
	if err := putFiles(&m.Extra, m.Files); err != nil {
		return store.Message{}, err
	}
	if len(m.Extra) > 0 {
		b, err := json.Marshal(m.Extra)
		if err != nil {
			return store.Message{}, errInvalid
		}
		extra = string(b)
	}
	return store.Message{
		ID: m.ID, Type: m.Type, Created: m.Created.Time, ValidUntil: m.ValidUntil.Time, Data: m.Data, Extra: extra,
	}, nil
}

// messageFor is the published object with the extension From.
func messageFor(m store.Message) ozeki.Message {
	public := ozeki.Message{
		ID: m.ID, Type: m.Type, Created: ozeki.Time{Time: m.Created}, ValidUntil: ozeki.Time{Time: m.ValidUntil}, Data: m.Data, From: m.Sender,
		Edited: ozeki.Time{Time: m.Edited}, Revision: m.Revision,
	}
	if m.Extra != "" {
		_ = json.Unmarshal([]byte(m.Extra), &public.Extra) // made by parseMessage
		public.Files = takeFiles(public.Extra)
	}
	return public
}

// download gives the messages from the given one on, oldest first, at most 1000: the caller goes on from the last one of
// a full answer. An empty or unknown id means from the beginning. Members only (errNotFound).
func (s *Server) download(ctx context.Context, req *request, body *ozeki.DownloadRequest) (any, error) {
	if body.FirstMessageID != "" { // of somebody who has been here
		e, known, err := s.endOf(ctx, req.user, body.ConversationID, body.Instance, req.now)
		if err != nil {
			return nil, err
		}
		if known {
			list, known := e.after(body.FirstMessageID)
			switch {
			case known && body.Revision == nil:
				return s.answer(ctx, req, body.ConversationID, e, list, body.FirstReportID, 0), nil
			case known && *body.Revision >= e.revision: // nothing was changed since
				return s.answer(ctx, req, body.ConversationID, e, list, body.FirstReportID, *body.Revision), nil
			}
		}
	}
	q, err := s.history(ctx, req.user, body.ConversationID, body.Instance, req.now)
	if err != nil {
		return nil, err
	}
	from, err := s.place(ctx, q, body.FirstMessageID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	q.From, q.Limit = from, maxDownload
	a, err := s.page(ctx, req, q, body.FirstReportID)
	if err == nil && body.Revision != nil {
		err = s.changedSince(ctx, q.MessageQuery, *body.Revision, a)
	}
	return a, err
}

// downloadPartial gives the newest messages before the given one, oldest first: 50 unless limit says otherwise, at most
// 200. An empty id means the newest of all. Members only (errNotFound); errNotFound also for an unknown message.
func (s *Server) downloadPartial(ctx context.Context, req *request, body *ozeki.DownloadPartialRequest) (any, error) {
	limit := usualPartial
	if body.Limit > 0 {
		limit = min(body.Limit, maxPartial)
	}
	if body.LastMessageID == "" && limit <= usualPartial {
		e, known, err := s.endOf(ctx, req.user, body.ConversationID, body.Instance, req.now)
		if err != nil {
			return nil, err
		}
		if known {
			return s.answer(ctx, req, body.ConversationID, e, e.newest(limit), "", e.revision), nil
		}
	}
	q, err := s.history(ctx, req.user, body.ConversationID, body.Instance, req.now)
	if err != nil {
		return nil, err
	}
	if q.Before, err = s.place(ctx, q, body.LastMessageID); errors.Is(err, store.ErrNotFound) {
		return nil, errNotFound.saying("The message to go on from is not in this conversation. Load the newest messages again.")
	} else if err != nil {
		return nil, err
	}
	q.Newest, q.Limit = true, limit
	revision, err := s.store.Revision(ctx, q.Conversation, q.Instance) // before the messages: a change in between is told of again
	if err != nil {
		return nil, err
	}
	a, err := s.page(ctx, req, q, "")
	if err == nil {
		a.Revision = revision
	}
	return a, err
}

// history is a question for the messages of a conversation.
type history struct {
	store.MessageQuery
	delivered int64 // up to where the user has had them delivered
}

// history checks that the user may read the instance of the conversation; an empty one is the current one.
func (s *Server) history(ctx context.Context, user ozeki.UserID, id ozeki.ConversationID, instance ozeki.Instance, now time.Time) (history, error) {
	c, err := s.store.Conversation(ctx, user, id)
	if err != nil {
		return history{}, err
	}
	if instance != "" && instance != c.Instance {
		return history{}, errInstance
	}
	return history{
		MessageQuery: store.MessageQuery{Conversation: c.ID, Instance: c.Instance, Now: now, Since: c.Since}, delivered: c.DeliveredSeq,
	}, nil
}

// place returns a message's place in the history, 0 for the empty id.
func (s *Server) place(ctx context.Context, q history, id ozeki.MessageID) (int64, error) {
	if id == "" {
		return 0, nil
	}
	m, err := s.store.Message(ctx, q.Conversation, id)
	if err == nil && (m.Instance != q.Instance && m.Instance != "" || m.Seq <= q.Since) { // one that has expired keeps its place
		err = store.ErrNotFound
	}
	return m.Seq, err
}

// page answers a question for messages, with the marks from the given one on: of all if it is empty or has moved since.
// What others wrote in it counts as delivered.
func (s *Server) page(ctx context.Context, req *request, q history, firstReport ozeki.ReportID) (*ozeki.DownloadAnswer, error) {
	list, err := s.store.Messages(ctx, q.MessageQuery)
	if err != nil {
		return nil, err
	}
	marks, err := s.store.Marks(ctx, q.Conversation, q.Since)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(marks, func(m store.Mark) bool { return m.ID == firstReport }); i > 0 {
		marks = marks[i:]
	}
	a := &ozeki.DownloadAnswer{
		Status: ozeki.StatusOK, ErrorMessage: new(string), Messages: make([]ozeki.Message, len(list)), Reports: make([]ozeki.Report, len(marks)),
	}
	got := delivery{conversation: q.Conversation}
	for i, m := range list {
		a.Messages[i] = messageFor(m)
		if m.Sender != req.user {
			got.seq = m.Seq
		}
	}
	for i, m := range marks {
		a.Reports[i] = reportFor(m)
	}
	if got.seq > q.delivered {
		s.deliver(ctx, req, got)
	}
	return a, nil
}
