package ozeki

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"starling/ozeki/json"
)

// Transport carries a request to the server. NewTransport gives the platform's own.
type Transport interface {
	// Post sends body to url. An error is an ErrUnreachable: no whole answer came. Every HTTP status is an answer.
	Post(ctx context.Context, url string, header map[string]string, body []byte) (*Response, error)
}

// Response is an HTTP answer.
type Response struct {
	Status      int
	ContentType string
	Date        time.Time // of the header Date, zero where it is missing
	Body        []byte
}

// Session is a signed-in user on one installation.
type Session struct {
	UserID     UserID
	Station    StationID
	Key        *PrivateKey
	PublicKey  string // the key's public half: base64 DER SubjectPublicKeyInfo, made from the key and not asked of the server
	Extensions []string
	URLs       map[string]string // of the login answer
	Limits     map[string]int64  // of the login answer
}

// Has reports whether the server named the extension at login.
func (s *Session) Has(extension string) bool {
	return s != nil && slices.Contains(s.Extensions, extension)
}

// Options configure a Client.
type Options struct {
	Base      string           // URL of the server's index.php, without a query
	Scheme    Scheme           // nil is the default scheme
	Transport Transport        // nil is NewTransport()
	Files     FileTransport    // nil is NewFileTransport()
	Clock     func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one call; 0 is 20 seconds
	Stall     time.Duration    // how long the transfer of a file may stand still; 0 is a minute
}

// Client calls an Ozeki chat server: one method per call of the API. Its methods may be called from several goroutines at once.
//
// A method's error is ErrUnreachable, ErrUnavailable, ErrNotJSON, or an ErrRefused (a *RefusedError with the server's
// words, and by its code also ErrSignature, ErrClock, …). A request that was refused for its timestamp is signed once
// more with the server's clock; other calls are never repeated here. A caller who repeats a call that changes something
// gives the same RequestID (see WithRequestID), so that it takes effect once.
type Client struct {
	base      string
	scheme    Scheme
	transport Transport
	clock     func() time.Time
	timeout   time.Duration
	files     FileTransport
	stall     time.Duration

	mu      sync.Mutex
	session *Session
	offset  time.Duration // server's clock minus ours
}

// NewClient returns a client that is not signed in.
func NewClient(o Options) *Client {
	c := &Client{base: o.Base, scheme: o.Scheme, transport: o.Transport, clock: o.Clock, timeout: o.Timeout, files: o.Files, stall: o.Stall}
	if c.scheme == nil {
		c.scheme, _ = SchemeByName(DefaultScheme)
	}
	if c.transport == nil {
		c.transport = NewTransport()
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.timeout == 0 {
		c.timeout = 20 * time.Second
	}
	if c.files == nil {
		c.files = NewFileTransport()
	}
	if c.stall == 0 {
		c.stall = time.Minute
	}
	return c
}

// Scheme returns the client's scheme.
func (c *Client) Scheme() Scheme { return c.scheme }

// Session returns the current session, nil if signed out.
func (c *Client) Session() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// SetSession signs the client in with a session (of Login, or one kept from earlier), or out with nil. It sends nothing.
func (c *Client) SetSession(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
}

// Now returns the time by the server's clock, as far as it is known from earlier answers.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock().Add(c.offset)
}

// ClockOffset returns how far the server's clock is ahead of this one, as measured from the last answer's Date; 0 while
// they agree within two seconds.
func (c *Client) ClockOffset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// SetClockOffset says what ClockOffset was earlier, before anything is measured: requests are signed with it until an answer
// says otherwise.
func (c *Client) SetClockOffset(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = d
}

type requestIDKey struct{}

// WithRequestID gives the next call under ctx this request id (a UUID), for a repeat that must take effect only once.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

type commonFields interface{ common() *Common }

// call sends one request and decodes its answer into answer.
func (c *Client) call(ctx context.Context, call Call, station StationID, request any, answer any) error {
	ctx, cancel := context.WithTimeout(withName(ctx), c.timeout)
	defer cancel()
	err := c.once(ctx, call, station, nil, request, answer)
	switch {
	case call.Signed && errors.Is(err, ErrClock):
		err = c.once(ctx, call, station, nil, request, answer)
	case call.Reads && errors.Is(err, ErrReplayed):
		err = c.once(WithRequestID(ctx, NewRequestID()), call, station, nil, request, answer)
	}
	return err
}

// withName gives the request an id if it has none yet, so that it keeps the id when it is signed once more.
func withName(ctx context.Context) context.Context {
	if _, named := ctx.Value(requestIDKey{}).(string); named {
		return ctx
	}
	return WithRequestID(ctx, NewRequestID())
}

// once signs and sends a request. key is used where there is no session yet (creating an account).
func (c *Client) once(ctx context.Context, call Call, station StationID, key *PrivateKey, request any, answer any) error {
	session := c.Session()
	if call.Signed && session == nil {
		return fmt.Errorf("%s: %w: not signed in", call.Name, ErrSignature)
	}
	if f, ok := request.(commonFields); ok {
		common := f.common()
		common.Action, common.ClientVersionCode, common.Timestamp = call.Action, ClientVersionCode, TimeOf(c.Now())
		common.RequestID = ""
		if key != nil || (call.Signed && session.Has(ExtRequestID)) {
			common.RequestID, _ = ctx.Value(requestIDKey{}).(string)
		}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: encode: %w", call.Name, err)
	}
	header := map[string]string{"Content-Type": "application/json"}
	if call.Station {
		if session != nil && station == "" {
			station = session.Station
		}
		header[HeaderStation] = string(station)
	}
	if call.Signed {
		header[HeaderUser] = string(session.UserID)
		key = session.Key
	}
	if key != nil {
		if header[HeaderSignature], err = c.scheme.Sign(ctx, key, body); err != nil {
			return fmt.Errorf("%s: %w", call.Name, err)
		}
	}
	before := c.clock()
	res, err := c.transport.Post(ctx, c.urlOf(call, session), header, body)
	if err != nil {
		if !errors.Is(err, ErrUnreachable) {
			err = fmt.Errorf("%w: %v", ErrUnreachable, err)
		}
		return fmt.Errorf("%s: %w", call.Name, err)
	}
	c.measureClock(before, res.Date)
	return decodeAnswer(call, res, answer)
}

// decodeAnswer decides what an answer means: the status field decides, whatever the HTTP status (published answers of
// refused calls come with 200), and what is not JSON of the API never looks like success.
func decodeAnswer(call Call, res *Response, answer any) error {
	var head struct {
		Status       json.RawMessage `json:"status"`
		ErrorMessage json.RawMessage `json:"errormessage"`
		ErrorCode    json.RawMessage `json:"errorcode"`
		Messages     present         `json:"messages"`
		Reports      present         `json:"reports"`
	}
	ok := res.Status >= 200 && res.Status < 300
	if !json.Valid(res.Body) || json.Read(res.Body, &head) != nil {
		if !ok {
			return unavailable(call, res)
		}
		return fmt.Errorf("%s: %w (HTTP %d, %s)", call.Name, ErrNotJSON, res.Status, contentKind(res))
	}
	status, stated := textIn(head.Status)
	// The published answer of download has no status: its lists stand for it.
	bare := !stated && (call == CallDownload || call == CallDownloadPartial) && bool(head.Messages || head.Reports)
	switch {
	case !stated && !bare:
		if !ok {
			return unavailable(call, res)
		}
		return fmt.Errorf("%s: %w (no status)", call.Name, ErrNotJSON)
	case stated && status != StatusOK:
		refused := &RefusedError{Call: call.Name, Status: status}
		refused.Message, _ = textIn(head.ErrorMessage)
		refused.Code, _ = textIn(head.ErrorCode)
		if refused.Code == "" && (res.Status >= 500 || res.Status == 429) {
			refused.Code = CodeInternal // a proxy's words for a server that is down: not available, and worth another try
		}
		return refused
	case !ok:
		return unavailable(call, res)
	}
	if err := json.Read(res.Body, answer); err != nil {
		return fmt.Errorf("%s: %w (%v)", call.Name, ErrNotJSON, err)
	}
	return nil
}

// present is whether a field is there, whatever its value.
type present bool

func (p *present) ReadJSON([]byte) error {
	*p = true
	return nil
}

// textIn returns the text that a value is, and false where it is something else or nothing.
func textIn(raw json.RawMessage) (string, bool) {
	var text *string
	if raw == nil || json.Read(raw, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

func unavailable(call Call, res *Response) error {
	return fmt.Errorf("%s: %w (HTTP %d, %s)", call.Name, ErrUnavailable, res.Status, contentKind(res))
}

func contentKind(res *Response) string {
	kind, _, _ := strings.Cut(res.ContentType, ";")
	if kind == "" {
		return "no content type"
	}
	return kind
}

// urlOf returns where a call goes: to the login answer's URL for its service where that is of the base's origin, else to
// the published place under the base.
func (c *Client) urlOf(call Call, s *Session) string {
	published := c.base + call.Query()
	if s == nil || call.Service != "chatserver" {
		return published
	}
	named := s.URLs[strings.TrimPrefix(call.API, "chat")]
	if named == "" || !sameOrigin(named, c.base) {
		return published
	}
	return named
}

func sameOrigin(a, b string) bool {
	ua, err1 := url.Parse(a)
	ub, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && ua.Scheme == ub.Scheme && ua.Host == ub.Host && ua.User == nil
}

// measureClock compares an answer's Date (whole seconds) with the moment in the middle of the exchange.
func (c *Client) measureClock(before, date time.Time) {
	if date.IsZero() {
		return
	}
	after := c.clock()
	middle := before.Add(after.Sub(before) / 2)
	offset := date.Add(500 * time.Millisecond).Sub(middle)
	if offset.Abs() <= 2*time.Second {
		offset = 0
	}
	c.mu.Lock()
	c.offset = offset
	c.mu.Unlock()
}

// Login asks who owns an api key. station is the installation's id; the session is not set (see SignIn).
func (c *Client) Login(ctx context.Context, station StationID, apiKey string) (*LoginAnswer, error) {
	var a LoginAnswer
	err := c.call(ctx, CallLogin, station, &LoginRequest{Action: CallLogin.Action, APIKey: apiKey}, &a)
	return &a, err
}

// SignIn logs in, opens the user's key with the encryption password and sets the session. ErrLogin: the api key is
// unknown; ErrPassword: the key does not open with the password. After an error the client is as before.
func (c *Client) SignIn(ctx context.Context, station StationID, apiKey, encryptionPassword string) (*LoginAnswer, error) {
	a, err := c.Login(ctx, station, apiKey)
	if err != nil {
		return nil, err
	}
	if !a.UserID.Valid() {
		return nil, fmt.Errorf("login: %w (no user id)", ErrNotJSON)
	}
	der, err := OpenPEM(a.RSAKey, encryptionPassword)
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	key, err := c.scheme.ImportKey(ctx, der)
	publicKey := base64.StdEncoding.EncodeToString(publicOfPKCS1(der))
	clear(der)
	if errors.Is(err, errDamagedKey) { // what a wrong password or an altered key has left
		err = fmt.Errorf("%w: %w", ErrPassword, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	c.SetSession(&Session{UserID: a.UserID, Station: station, Key: key, PublicKey: publicKey, Extensions: a.Extensions, URLs: a.URLs, Limits: a.Limits})
	return a, nil
}

// CreateAccount makes an account whose key pair and credentials are made here: the server sees neither the password nor
// the private key. ErrExists: the address has an account. It does not sign in.
func (c *Client) CreateAccount(ctx context.Context, station StationID, email, fullName string, cred Credentials) error {
	pkcs1, spki, err := GenerateKey(ctx)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	pem, err := SealPEM(pkcs1, cred.EncryptionPassword)
	if err != nil {
		return fmt.Errorf("encrypt the key: %w", err)
	}
	key, err := c.scheme.ImportKey(ctx, pkcs1)
	clear(pkcs1)
	if err != nil {
		return err
	}
	request := &AccountCreateRequest{
		Email: NormalEmail(email), FullName: fullName, APIKey: cred.APIKey, RSAKey: pem,
		PublicKey: base64.StdEncoding.EncodeToString(spki),
	}
	ctx, cancel := context.WithTimeout(withName(ctx), c.timeout)
	defer cancel()
	err = c.once(ctx, CallAccountCreate, station, key, request, &PlainAnswer{})
	if errors.Is(err, ErrClock) {
		err = c.once(ctx, CallAccountCreate, station, key, request, &PlainAnswer{})
	}
	return err
}

// Logout (extension ExtLogout) unbinds this station from the user on the server. The session stays set; SetSession(nil) ends it.
func (c *Client) Logout(ctx context.Context) error {
	return c.call(ctx, CallLogout, "", &EmptyRequest{}, &PlainAnswer{})
}

// LogoutSession is Logout for a session that the client does not hold any more.
func (c *Client) LogoutSession(ctx context.Context, s *Session) error {
	once := NewClient(Options{Base: c.base, Scheme: c.scheme, Transport: c.transport, Clock: c.Now, Timeout: c.timeout})
	once.SetSession(s)
	return once.Logout(ctx)
}

// Availability tells that the user is there.
func (c *Client) Availability(ctx context.Context) error {
	return c.call(ctx, CallAvailability, "", &EmptyRequest{}, &PlainAnswer{})
}

// Away (extension ExtAway) tells that the user's program runs here and the user is not at it.
func (c *Client) Away(ctx context.Context) error {
	return c.call(ctx, CallAway, "", &EmptyRequest{}, &PlainAnswer{})
}

// Ticket (extension ExtTicket) gives what opens the notification socket once, within half a minute.
func (c *Client) Ticket(ctx context.Context) (string, error) {
	var a TicketAnswer
	if err := c.call(ctx, CallTicket, "", &EmptyRequest{}, &a); err != nil {
		return "", err
	}
	if a.Ticket == "" {
		return "", fmt.Errorf("ticket: %w (no ticket in the answer)", ErrNotJSON)
	}
	return a.Ticket, nil
}

// Friends lists the people that the user may write to.
func (c *Client) Friends(ctx context.Context) (*FriendsAnswer, error) {
	var a FriendsAnswer
	err := c.call(ctx, CallFriends, "", &EmptyRequest{}, &a)
	return &a, err
}

// AddFriend (extension ExtFriendAdd) makes the user and the owner of the address each other's friends. ErrNotFound: no
// such account.
func (c *Client) AddFriend(ctx context.Context, email string) (*FriendAvailability, error) {
	var a FriendAddAnswer
	if err := c.call(ctx, CallFriendAdd, "", &FriendAddRequest{Email: NormalEmail(email)}, &a); err != nil {
		return nil, err
	}
	if a.Friend == nil {
		return nil, fmt.Errorf("add friend: %w (no friend in the answer)", ErrNotJSON)
	}
	return a.Friend, nil
}

// Report tells that the named messages were viewed.
func (c *Client) Report(ctx context.Context, r ReportRequest) error {
	return c.call(ctx, CallReport, "", &r, &PlainAnswer{})
}

// Notification asks what changed for this station. cursor is the last answer's cursor where the server has ExtCursor, else 0.
func (c *Client) Notification(ctx context.Context, cursor int64) (*NotificationAnswer, error) {
	var a NotificationAnswer
	err := c.call(ctx, CallNotification, "", &NotificationRequest{Cursor: cursor}, &a)
	return &a, err
}

// Conversations lists the user's conversations: all of them, or (extension ExtListOf) only the named ones, at most MaxListOf.
func (c *Client) Conversations(ctx context.Context, only ...ConversationID) ([]Conversation, error) {
	var a ConversationsAnswer
	err := c.call(ctx, CallConversations, "", &ListRequest{ConversationIDs: only}, &a)
	return a.Conversations, err
}

// ListSince lists the user's conversations. version is that of an earlier answer, empty for none; where the server has
// ExtListSince it then may answer with what has changed since (Partial).
func (c *Client) ListSince(ctx context.Context, version string) (*ConversationsAnswer, error) {
	var a ConversationsAnswer
	if !c.Session().Has(ExtListSince) {
		version = ""
	}
	err := c.call(ctx, CallConversations, "", &ListRequest{Since: version}, &a)
	return &a, err
}

// ListPage (extension ExtListPage) gives a page of the user's conversations, of at most first: without after favorites and those that
// were used last, and then, with the Next of the page before, all of them in no order that means anything: those of the first page
// come once more. Together they are the list, as it was at some time between the first and the last call or as it has become since: what
// has changed after the first page was made is among what has changed since its Version.
func (c *Client) ListPage(ctx context.Context, first int, after string) (*ConversationsAnswer, error) {
	var a ConversationsAnswer
	err := c.call(ctx, CallConversations, "", &ListRequest{First: first, After: after}, &a)
	return &a, err
}

// CreateConversation (extension ExtConversationCreate) makes a conversation, or gives the one that is there.
func (c *Client) CreateConversation(ctx context.Context, r ConversationCreateRequest) (*Conversation, error) {
	return c.conversation(ctx, CallConversationCreate, &r)
}

// DownloadPartial gives the newest messages and reports before the given ones, oldest first.
func (c *Client) DownloadPartial(ctx context.Context, r DownloadPartialRequest) (*DownloadAnswer, error) {
	var a DownloadAnswer
	err := c.call(ctx, CallDownloadPartial, "", &r, &a)
	return &a, err
}

// Download gives the messages and reports from the given ones on, oldest first.
func (c *Client) Download(ctx context.Context, r DownloadRequest) (*DownloadAnswer, error) {
	var a DownloadAnswer
	err := c.call(ctx, CallDownload, "", &r, &a)
	return &a, err
}

// Add sends a message (sealed already) and gives it as stored, without Data. A repeat of the message's id is the same message.
func (c *Client) Add(ctx context.Context, conversation ConversationID, instance Instance, m Message) (*Message, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("add: encode: %w", err)
	}
	var a AddAnswer
	r := &AddRequest{ConversationID: conversation, Instance: instance, Message: string(text), Epoch: epochOf(ctx)}
	if err := c.call(ctx, CallAdd, "", r, &a); err != nil {
		return nil, err
	}
	if a.Message == nil {
		return nil, fmt.Errorf("add: %w (no message in the answer)", ErrNotJSON)
	}
	return a.Message, nil
}

// EditMessage (extension ExtMessageChange) replaces what the user's own message holds (sealed already) and gives the
// message as it is then, without Data. A repeat changes nothing.
func (c *Client) EditMessage(ctx context.Context, r MessageEditRequest) (*Message, error) {
	r.Epoch = epochOf(ctx)
	return c.changeMessage(ctx, CallMessageEdit, &r)
}

// DeleteMessage (extension ExtMessageChange) deletes the user's own message and gives what is left of it. A repeat changes
// nothing.
func (c *Client) DeleteMessage(ctx context.Context, r MessageDeleteRequest) (*Message, error) {
	return c.changeMessage(ctx, CallMessageDelete, &r)
}

func (c *Client) changeMessage(ctx context.Context, call Call, r any) (*Message, error) {
	var a AddAnswer
	if err := c.call(ctx, call, "", r, &a); err != nil {
		return nil, err
	}
	if a.Message == nil {
		return nil, fmt.Errorf("%s: %w (no message in the answer)", call.Name, ErrNotJSON)
	}
	return a.Message, nil
}

// Clear empties a conversation; it has a new instance afterwards.
func (c *Client) Clear(ctx context.Context, id ConversationID, instance Instance) (*Conversation, error) {
	return c.conversation(ctx, CallClear, &ClearRequest{ConversationID: id, Instance: instance})
}

// Favorite marks a conversation as the user's favorite. A repeat changes nothing.
func (c *Client) Favorite(ctx context.Context, id ConversationID) (*Conversation, error) {
	return c.conversation(ctx, CallFavorite, &ConversationRequest{ConversationID: id})
}

// Unfavorite takes the mark away. A repeat changes nothing.
func (c *Client) Unfavorite(ctx context.Context, id ConversationID) (*Conversation, error) {
	return c.conversation(ctx, CallUnfavorite, &ConversationRequest{ConversationID: id})
}

// SetColor sets the user's colour of the list item. The published answer shows the old colour: ask for the list before believing it.
func (c *Client) SetColor(ctx context.Context, id ConversationID, color string) (*Conversation, error) {
	return c.conversation(ctx, CallColor, &ColorRequest{ConversationID: id, Color: color})
}

// Mute mutes a conversation for the user. A repeat changes nothing.
func (c *Client) Mute(ctx context.Context, id ConversationID) (*Conversation, error) {
	return c.conversation(ctx, CallMute, &ConversationRequest{ConversationID: id})
}

// Unmute is the opposite of Mute.
func (c *Client) Unmute(ctx context.Context, id ConversationID) (*Conversation, error) {
	return c.conversation(ctx, CallUnmute, &ConversationRequest{ConversationID: id})
}

// Hide hides the conversation's given instance; it comes back when somebody writes in a new one.
func (c *Client) Hide(ctx context.Context, id ConversationID, instance Instance) (*Conversation, error) {
	return c.conversation(ctx, CallHide, &HideRequest{ConversationID: id, HideID: string(instance) + ";"})
}

// Unhide brings a hidden conversation back.
func (c *Client) Unhide(ctx context.Context, id ConversationID) (*Conversation, error) {
	return c.conversation(ctx, CallUnhide, &ConversationRequest{ConversationID: id})
}

// Blocklist lists what is blocked and hidden.
func (c *Client) Blocklist(ctx context.Context) (*BlocklistAnswer, error) {
	var a BlocklistAnswer
	err := c.call(ctx, CallBlocklist, "", &EmptyRequest{}, &a)
	return &a, err
}

func (c *Client) conversation(ctx context.Context, call Call, request any) (*Conversation, error) {
	var a ConversationAnswer
	if err := c.call(ctx, call, "", request, &a); err != nil {
		return nil, err
	}
	if a.Conversation == nil {
		return nil, fmt.Errorf("%s: %w (no conversation in the answer)", call.Name, ErrNotJSON)
	}
	return a.Conversation, nil
}
