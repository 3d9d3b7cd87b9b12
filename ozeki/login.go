package ozeki

import "starling/ozeki/json"

// LoginRequest is the body of login; it has no common fields (published).
type LoginRequest struct {
	Action string `json:"action"`
	APIKey string `json:"apikey"`
}

// LoginAnswer says who the api key belongs to and where to go on.
type LoginAnswer struct {
	Answer
	Server       string            `json:"server"`
	Listeners    map[string]string `json:"listeners,omitzero"` // udp, ws, wss → URL
	Registration string            `json:"registration"`       // the string "true"
	RSAKey       string            `json:"rsakey"`             // encrypted PEM, see OpenPEM
	UserID       UserID            `json:"userid"`
	FullName     string            `json:"fullname"`
	Nick         string            `json:"nick"`
	URLs         map[string]string `json:"urls,omitzero"` // login, conversation, … → URL
	// Extensions (this project's) names what the server offers beside the published calls.
	Extensions []string `json:"extensions,omitzero"`
	// Limits (this project's) are the server's, by name: LimitFile.
	Limits map[string]int64 `json:"limits,omitzero"`
	Extra  Extra            `json:"-"`
}

func (a *LoginAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a LoginAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

// AccountCreateRequest (CallAccountCreate) asks for an account whose secrets were made by the client. The request is
// signed with the new key, without the header Ozeki-User; the server checks the signature with PublicKey.
type AccountCreateRequest struct {
	Common
	Email     string `json:"email"`
	FullName  string `json:"fullname"`
	Nick      string `json:"nick,omitempty"`
	APIKey    string `json:"apikey"`    // 64 hex digits, see Scheme.Credentials
	RSAKey    string `json:"rsakey"`    // the private key as encrypted PEM
	PublicKey string `json:"publickey"` // base64 DER SubjectPublicKeyInfo
}
