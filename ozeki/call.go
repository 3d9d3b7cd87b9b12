package ozeki

import "starling/ozeki/json"

// ClientVersionCode is the value that the published client sends.
const ClientVersionCode = 3

// Call is one kind of request of the API: which service it goes to and which headers it bears.
type Call struct {
	Name    string // for people: error texts, tables, logs
	Service string // query parameter srv
	API     string // query parameter api
	Action  string // body field action
	Station bool   // bears Ozeki-Station
	Signed  bool   // bears Ozeki-User and Ozeki-Signature
	Reads   bool   // changes nothing on the server: a repeat is signed anew instead of being answered from memory
}

// Query returns the call's part of the URL, e.g. "?srv=chatserver&api=chatconversation".
func (c Call) Query() string { return "?srv=" + c.Service + "&api=" + c.API }

// Header names of the API.
const (
	HeaderStation   = "Ozeki-Station"
	HeaderUser      = "Ozeki-User"
	HeaderSignature = "Ozeki-Signature"
)

// The 19 published calls.
var (
	CallLogin             = Call{"login", "chatserver", "chatlogin", "login", true, false, false}
	CallAvailability      = Call{"availability", "chatserver", "chatavailability", "useravailable", true, true, false}
	CallFriends           = Call{"friends", "chatserver", "chatfriends", "list", true, true, true}
	CallReport            = Call{"report", "chatserver", "chatreports", "viewed", true, true, false}
	CallNotification      = Call{"notification", "chatserver", "chatnotification", "download", true, false, false}
	CallConversations     = Call{"conversation list", "chatserver", "chatconversation", "list", true, true, true}
	CallDownloadPartial   = Call{"partial download", "chatserver", "chatconversation", "downloadpartial", true, true, true}
	CallAdd               = Call{"add", "chatserver", "chatconversation", "add", true, true, false}
	CallClear             = Call{"clear", "chatserver", "chatconversation", "clear", true, true, false}
	CallFavorite          = Call{"favorite", "chatserver", "chatconversation", "favorite", true, true, false}
	CallUnfavorite        = Call{"unfavorite", "chatserver", "chatconversation", "unfavorite", true, true, false}
	CallColor             = Call{"change color", "chatserver", "chatconversation", "setlistitembackgroundcolor", true, true, false}
	CallDownload          = Call{"download", "chatserver", "chatconversation", "download", true, true, true}
	CallMute              = Call{"mute", "chatserver", "chatconversation", "mute", true, true, false}
	CallUnmute            = Call{"unmute", "chatserver", "chatconversation", "unmute", true, true, false}
	CallHide              = Call{"hide", "chatserver", "chatconversation", "hide", true, true, false}
	CallUnhide            = Call{"unhide", "chatserver", "chatconversation", "unhide", true, true, false}
	CallBlocklist         = Call{"blocklist", "chatserver", "chatblocklist", "blocklist", true, true, true}
	CallWorkspaceRegister = Call{"workspace register", "chatowner", "workspace", "workspaceregister", false, true, false}
)

// Published lists the 19 published calls in the order of the reference.
var Published = []Call{
	CallLogin, CallAvailability, CallFriends, CallReport, CallNotification, CallConversations, CallDownloadPartial,
	CallAdd, CallClear, CallFavorite, CallUnfavorite, CallColor, CallDownload, CallMute, CallUnmute, CallHide, CallUnhide,
	CallBlocklist, CallWorkspaceRegister,
}

// Extension calls of this project, each offered only by a server whose login answer names it in extensions
// (ExtAccount excepted: it comes before the login and is told to the page at start-up).
var (
	CallAccountCreate      = Call{"create account", "chatserver", "chataccount", "create", true, false, false}
	CallLogout             = Call{"sign out", "chatserver", "chatlogin", "logout", true, true, false}
	CallFriendAdd          = Call{"add friend", "chatserver", "chatfriends", "add", true, true, false}
	CallConversationCreate = Call{"create conversation", "chatserver", "chatconversation", "create", true, true, false}
	CallBlock              = Call{"block", "chatserver", "chatblocklist", "block", true, true, false}
	CallUnblock            = Call{"unblock", "chatserver", "chatblocklist", "unblock", true, true, false}
	CallTicket             = Call{"ticket", "chatserver", "chatnotification", "ticket", true, true, true}
	CallAway               = Call{"away", "chatserver", "chatavailability", "useraway", true, true, false}
	CallFileCreate         = Call{"send file", "chatserver", "chatfile", "create", true, true, false}
	CallFileFetch          = Call{"get file", "chatserver", "chatfile", "fetch", true, true, true}
	CallMessageEdit        = Call{"edit message", "chatserver", "chatconversation", "edit", true, true, false}
	CallMessageDelete      = Call{"delete message", "chatserver", "chatconversation", "delete", true, true, false}
	CallPushKey            = Call{"push key", "chatserver", "chatpush", "key", true, true, true}
	CallPushSubscribe      = Call{"push subscribe", "chatserver", "chatpush", "subscribe", true, true, false}
	CallPushUnsubscribe    = Call{"push unsubscribe", "chatserver", "chatpush", "unsubscribe", true, true, false}
)

// Names of extensions in the login answer.
const (
	ExtRequestID          = "requestid"          // signed requests carry a requestid
	ExtCursor             = "cursor"             // the notification call takes and gives a cursor
	ExtSender             = "sender"             // messages carry the verified sender in From
	ExtListOf             = "listof"             // the list call takes conversationids: only those are listed
	ExtListSince          = "listsince"          // the list call takes since: only what has changed since is listed
	ExtListPage           = "listpage"           // the list call takes first and after: the list comes in pages
	ExtLogout             = "logout"             // CallLogout
	ExtFriendAdd          = "friendadd"          // CallFriendAdd
	ExtConversationCreate = "conversationcreate" // CallConversationCreate
	ExtReceipts           = "receipts"           // reports name their message and their user: see Report
	ExtOverview           = "overview"           // conversations carry unread, viewed and lastmessage
	ExtBlock              = "block"              // CallBlock, CallUnblock; blocklist names who is blocked
	ExtTicket             = "ticket"             // CallTicket: the notification socket takes and gives the frames of listener.go
	ExtTyping             = "typing"             // typing frames on the notification socket
	ExtAway               = "away"               // CallAway
	ExtGroups             = "groups"             // groups change: the calls of groups.go
	ExtWorkspaces         = "workspaces"         // the calls of workspace.go beside the published one
	ExtFiles              = "files"              // CallFileCreate, CallFileFetch, and Files of a message
	ExtPush               = "push"               // CallPushKey, CallPushSubscribe, CallPushUnsubscribe: web push
	ExtMessageChange      = "messagechange"      // CallMessageEdit, CallMessageDelete; downloads give what has changed
)

// Common are the fields of every request body but login and workspace register.
type Common struct {
	Action            string `json:"action"`
	ClientVersionCode int    `json:"clientversioncode"`
	Timestamp         Time   `json:"timestamp"`
	// RequestID (extension ExtRequestID) names this request: a server answers its repeat with the first answer.
	RequestID string `json:"requestid,omitempty"`
}

func (c *Common) common() *Common { return c }

// Answer are the common fields of an answer. Status decides ("OK" on success); errormessage may be filled beside it.
type Answer struct {
	Status       string `json:"status"`
	ErrorMessage string `json:"errormessage"`
	// ErrorCode is an extension: the kind of the refusal, one of the Code constants.
	ErrorCode string `json:"errorcode,omitempty"`
}

// StatusOK is the status of success (published).
const StatusOK = "OK"

// EmptyRequest is the body of the calls that say no more than their action: availability, friends, list, blocklist.
type EmptyRequest struct {
	Common
}

// PlainAnswer is the answer of the calls that give no more than a status.
type PlainAnswer struct {
	Answer
	Extra Extra `json:"-"`
}

// BlocklistAnswer lists what is blocked or hidden. The element types are not published: ids as text are understood, other
// shapes survive as they are.
type BlocklistAnswer struct {
	Answer
	BlockedUsers         []json.RawMessage `json:"blockedusers,omitzero"`
	BlockedConversations []json.RawMessage `json:"blockedconversations,omitzero"`
	Extra                Extra             `json:"-"`
}

func (a *PlainAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a PlainAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

func (a *BlocklistAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a BlocklistAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
