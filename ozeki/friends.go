package ozeki

import "starling/ozeki/json"

// Availability values. Only "available" appears in the published reference; others survive.
const (
	Available = "available"
	Away      = "away" // signed in somewhere, and nobody there (extension ExtAway)
	Offline   = "offline"
)

// FriendsAnswer lists the people that the user may write to.
type FriendsAnswer struct {
	Answer
	Friends        map[UserID]string    `json:"friends,omitzero"` // id → name
	Availabilities []FriendAvailability `json:"availabilities,omitzero"`
	Extra          Extra                `json:"-"`
}

// FriendAvailability is one friend with the public key that conversation keys are wrapped for.
type FriendAvailability struct {
	FriendID     UserID `json:"friendid"`
	FriendName   string `json:"friendname"`
	PublicKey    string `json:"publickey"` // base64 DER SubjectPublicKeyInfo, RSA 2048
	Availability string `json:"availability"`
	Extra        Extra  `json:"-"`
}

// FriendAddRequest (CallFriendAdd) makes the caller and the owner of the address each other's friends. A repeat changes
// nothing.
type FriendAddRequest struct {
	Common
	Email string `json:"email"`
}

// FriendAddAnswer gives the friend.
type FriendAddAnswer struct {
	Answer
	Friend *FriendAvailability `json:"friend,omitempty"`
	Extra  Extra               `json:"-"`
}

func (a *FriendsAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a FriendsAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

func (f *FriendAvailability) UnmarshalJSON(b []byte) error { return json.Read(b, f) }

func (f FriendAvailability) MarshalJSON() ([]byte, error) { return json.Marshal(f) }

func (a *FriendAddAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a FriendAddAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }
