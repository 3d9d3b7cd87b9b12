package chatserver

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// Limits of a conversation.
const (
	maxMembers     = 500
	maxSecret      = 1024 // characters; a key wrapped for RSA-4096 has 684
	maxDisplayName = 4096 // characters, sealed
	maxHideID      = 32 * 11
)

// conversations lists what the user is a member of, the last used first; with ids (ozeki.ExtListOf) only those among
// them, in the order asked for; with the version of an earlier list (ozeki.ExtListSince) only what has changed since, where
// that is known; with a number (ozeki.ExtListPage) a page. The last messages in it count as delivered (see deliverListed).
func (s *Server) conversations(ctx context.Context, req *request, body *ozeki.ListRequest) (any, error) {
	all, stamp := len(body.ConversationIDs) == 0 && body.First == 0, s.store.UserStamp(req.user)
	known := s.quiet.get(req.user, stamp).version
	if all && known != "" && known == body.Since {
		return listAnswer{Answer: ok, Conversations: []conversationWire{}, Version: known, Partial: true}, nil
	}
	list, err := s.listOf(ctx, req.user, body)
	if err != nil {
		return nil, err
	}
	switch unchanged := list.Partial && len(list.Conversations)+len(list.Gone) == 0; {
	case unchanged && known != "": // one name for what is the same, so that his other stations come to ask for it as well
		list.Version = known
	case all:
		s.quiet.change(s.store, req.user, stamp, func(t *silence) { t.version = list.Version })
	}
	a := listAnswer{
		Answer: ok, Conversations: make([]conversationWire, len(list.Conversations)), Version: list.Version, Partial: list.Partial, Gone: list.Gone,
		Next: list.Next,
	}
	for i, c := range list.Conversations {
		a.Conversations[i] = wireOf(conversationFor(req.user, c.Conversation, c.Last, req.now))
	}
	s.deliverListed(ctx, req, list.Conversations)
	return a, nil
}

func (s *Server) listOf(ctx context.Context, user ozeki.UserID, body *ozeki.ListRequest) (store.List, error) {
	ids := body.ConversationIDs
	switch {
	case body.First != 0 || body.After != "":
		if len(ids) > 0 || body.Since != "" || body.First < 1 || body.First > ozeki.MaxListPage {
			return store.List{}, errInvalid.saying("A page of the list has 1 to 1000 conversations, and names neither conversations nor an earlier list. Ask with first, and then with first and after.")
		}
		return s.store.ListPage(ctx, user, body.First, body.After)
	case len(ids) == 0:
		return s.store.List(ctx, user, body.Since)
	case body.Since != "":
		return store.List{}, errInvalid.saying("A list call names conversations or an earlier list, not both. Leave one of them out.")
	case len(ids) > ozeki.MaxListOf:
		return store.List{}, errInvalid.saying("A list call names at most 100 conversations. Leave the ids out to list all.")
	}
	list := make([]store.Listed, 0, len(ids))
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		c, err := s.store.Conversation(ctx, user, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return store.List{}, err
		default:
			last, err := lastMessage(ctx, s.store, c)
			if err != nil {
				return store.List{}, err
			}
			list = append(list, store.Listed{Conversation: c, Last: last})
		}
	}
	return store.List{Conversations: list}, nil
}

// lastMessage returns a conversation's last message, the zero message for none.
func lastMessage(ctx context.Context, r store.Reader, c store.Conversation) (store.Message, error) {
	if c.LastMessageID == "" {
		return store.Message{}, nil
	}
	m, err := r.Message(ctx, c.ID, c.LastMessageID)
	if errors.Is(err, store.ErrNotFound) { // cleared between the two questions
		err = nil
	}
	return m, err
}

// conversationFor is the published object as one member sees it: of flags and properties only his own. It has the
// extension overview: last is the last message, left out if it is none of the instance or has expired by now.
func conversationFor(user ozeki.UserID, c store.Conversation, last store.Message, now time.Time) ozeki.Conversation {
	by := func(set bool) []ozeki.UserID {
		if set {
			return []ozeki.UserID{user}
		}
		return []ozeki.UserID{}
	}
	ids := make([]ozeki.UserID, len(c.Participants))
	for i, p := range c.Participants {
		ids[i] = p.UserID
	}
	public := ozeki.Conversation{
		ID: c.ID, IsGroup: c.IsGroup, ParticipantIDs: ids, Participants: participantsFor(c.Participants), DisplayName: c.DisplayName,
		LastMessageID: c.LastMessageID, LastReportID: c.LastReportID, LastAccess: c.LastAccess.Unix(), Secret: c.Secret,
		Instance: c.Instance, MutedBy: by(c.Muted), FavoriteBy: by(c.Favorite), HiddenBy: by(isHidden(c)),
		Properties: []ozeki.Property{{UserID: user, IsMuted: c.Muted, IsFavorite: c.Favorite, HideID: c.HideID, Color: c.Color}},
		Unread:     &c.Unread, Viewed: c.Viewed,
		Epoch: c.Epoch, Secrets: c.Secrets, Rekey: c.Rekey, Former: participantsFor(c.Former),
	}
	if last.ID != "" && last.Instance == c.Instance && !last.ExpiredBy(now) {
		m := messageFor(last)
		public.LastMessage = &m
	}
	return public
}

func participantsFor(people []store.Participant) []ozeki.Participant {
	public := make([]ozeki.Participant, len(people))
	for i, p := range people {
		public[i] = ozeki.Participant{UserID: p.UserID, UserName: p.Name}
	}
	return public
}

// isHidden reports whether a conversation is hidden: its current instance is among the hidden ones, or it was hidden and
// nobody has written in the current one yet.
func isHidden(c store.Conversation) bool {
	return c.HideID != "" && (c.LastMessageID == "" || strings.Contains(";"+c.HideID, ";"+string(c.Instance)+";"))
}

func (s *Server) conversation(ctx context.Context, r store.Reader, req *request, id ozeki.ConversationID) (any, error) {
	c, err := r.Conversation(ctx, req.user, id)
	if err != nil {
		return nil, err
	}
	last, err := lastMessage(ctx, r, c)
	if err != nil {
		return nil, err
	}
	public := conversationFor(req.user, c, last, req.now)
	return ozeki.ConversationAnswer{Answer: ok, Conversation: &public}, nil
}

// setProperty sets one of the caller's own properties of a conversation and gives it as it stands then. Members only; to
// others the conversation does not exist (errNotFound). A repeat changes nothing.
func (s *Server) setProperty(ctx context.Context, tx store.Tx, req *request, id ozeki.ConversationID, p store.Property) (any, error) {
	if err := tx.SetProperty(ctx, req.user, id, p); err != nil {
		return nil, err
	}
	return s.conversation(ctx, tx, req, id)
}

func (s *Server) favorite(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationRequest) (any, error) {
	return s.setProperty(ctx, tx, req, body.ConversationID, store.Favorite(true))
}

func (s *Server) unfavorite(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationRequest) (any, error) {
	return s.setProperty(ctx, tx, req, body.ConversationID, store.Favorite(false))
}

func (s *Server) mute(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationRequest) (any, error) {
	return s.setProperty(ctx, tx, req, body.ConversationID, store.Muted(true))
}

func (s *Server) unmute(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationRequest) (any, error) {
	return s.setProperty(ctx, tx, req, body.ConversationID, store.Muted(false))
}

func (s *Server) unhide(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationRequest) (any, error) {
	return s.setProperty(ctx, tx, req, body.ConversationID, store.HideID(""))
}

var (
	colorForm  = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	hideIDForm = regexp.MustCompile(`^([0-9A-Za-z]{10};)+$`)
)

func (s *Server) setColor(ctx context.Context, tx store.Tx, req *request, body *ozeki.ColorRequest) (any, error) {
	if !colorForm.MatchString(body.Color) {
		return nil, errInvalid.saying("The colour is not of the form #rrggbb. Choose one like #bae1ff.")
	}
	return s.setProperty(ctx, tx, req, body.ConversationID, store.Color(strings.ToLower(body.Color)))
}

func (s *Server) hide(ctx context.Context, tx store.Tx, req *request, body *ozeki.HideRequest) (any, error) {
	if len(body.HideID) > maxHideID || !hideIDForm.MatchString(body.HideID) {
		return nil, errInvalid.saying("The hideid is not a list of instances, each followed by a semicolon. " +
			"Send the conversation's instance like 7sSwU2VoFM;.")
	}
	return s.setProperty(ctx, tx, req, body.ConversationID, store.HideID(body.HideID))
}

// clear empties a conversation of the caller's for everybody: its messages and marks are deleted, and a new instance
// begins, in which the answer gives it. errInstance: the instance is not the present one, so also the repeat of a clear
// under a new request id. Members only (errNotFound); not who was blocked by the other of two (errForbidden).
func (s *Server) clear(ctx context.Context, tx store.Tx, req *request, body *ozeki.ClearRequest) (any, error) {
	c, err := tx.Conversation(ctx, req.user, body.ConversationID)
	if err != nil {
		return nil, err
	}
	if body.Instance != c.Instance {
		return nil, errInstance
	}
	if err := mayClear(ctx, tx, req.user, c); err != nil {
		return nil, err
	}
	if err := tx.Clear(ctx, c.ID, ozeki.NewInstance()); err != nil {
		return nil, err
	}
	return s.conversation(ctx, tx, req, c.ID)
}

// createConversation makes a conversation of the caller and friends of his, and gives it as he sees it. A repeat of the
// id gives the conversation that is there, unchanged; errExists: it is there without the caller. errForbidden: a member
// is not the caller's friend, or has blocked him.
func (s *Server) createConversation(ctx context.Context, tx store.Tx, req *request, body *ozeki.ConversationCreateRequest) (any, error) {
	others, err := checkMembers(req.user, body)
	if err != nil {
		return nil, err
	}
	found, err := s.conversation(ctx, tx, req, body.ConversationID)
	if !errors.Is(err, store.ErrNotFound) {
		return found, err
	}
	if err := s.mayGather(ctx, tx, req.user, others); err != nil {
		return nil, err
	}
	err = tx.CreateConversation(ctx, store.NewConversation{
		ID: body.ConversationID, IsGroup: body.IsGroup, Instance: ozeki.NewInstance(), CreatedAt: req.now, Members: body.Members,
	})
	if err != nil {
		return nil, err
	}
	return s.conversation(ctx, tx, req, body.ConversationID)
}

// checkMembers checks the form of a new conversation and returns the members beside the caller.
func checkMembers(caller ozeki.UserID, body *ozeki.ConversationCreateRequest) (others []ozeki.UserID, err error) {
	if len(body.Members) == 0 || len(body.Members) > maxMembers {
		return nil, errInvalid.saying("A conversation has 1 to 500 members. Choose fewer people.")
	}
	if !wellFormed(body.Members) {
		return nil, errMembers
	}
	for _, m := range body.Members {
		if m.UserID != caller {
			others = append(others, m.UserID)
		}
	}
	if len(others) == len(body.Members) {
		return nil, errInvalid.saying("You are not among the members of the conversation. Add yourself.")
	}
	switch {
	case body.IsGroup && !isRandomID(body.ConversationID):
		return nil, errInvalid.saying("The id of a group is 32 hexadecimal digits of a random UUID. Make a new one.")
	case !body.IsGroup && (len(others) != 1 || body.ConversationID != ozeki.DirectConversationID(caller, others[0])):
		return nil, errInvalid.saying("A one-to-one conversation has two members and an id made of their two ids. Make a group for more people.")
	}
	return others, nil
}

// isRandomID reports whether an id has the form of a version 4 UUID without its dashes. It keeps the ids of groups away from
// most ids of one-to-one conversations, which are hashes.
func isRandomID(id ozeki.ConversationID) bool {
	return id.Valid() && id[12] == '4' && strings.IndexByte("89ab", id[16]) >= 0
}

// isBase64 reports whether a text is not empty, not too long and standard base64.
func isBase64(s string, longest int) bool {
	if s == "" || len(s) > longest || strings.ContainsAny(s, "\r\n") {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}
