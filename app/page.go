package app

// pageConfig is what the server told the page at start-up (web.PageConfig).
type pageConfig struct {
	API      string `json:"api"`
	Listener string `json:"listener"`
	Scheme   string `json:"scheme"`
	Upstream bool   `json:"upstream"`
}

// key is a key press with its modifiers.
type key struct {
	Name                   string // KeyboardEvent.key
	Code                   string // KeyboardEvent.code
	Ctrl, Alt, Shift, Meta bool
	Repeat                 bool   // the key is held
	Target                 string // id of the element that it goes to
	Typing                 bool   // it goes to a text field
	Text                   bool   // that text field holds text
	Modal                  bool   // a dialog is open
}

// submission is a submitted sign-in form: kind is "signin" or "create", fields are by input name.
type submission struct {
	kind   string
	fields map[string]string
	begun  func() []byte // waits for what the page has begun of it (ozeki.WithBegunDerivation), nil for nothing
}
