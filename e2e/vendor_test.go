package e2e

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What signs the vendor's one user in.
const (
	vendorKey      = "d040b2a1c3e5f7091b2d3f4a5c6e7f80d040b2a1c3e5f7091b2d3f4a5cdae0d0"
	vendorPassword = "the encryption password"
)

// vendor plays an Ozeki server of its own make, as published and with the habits of a real one: it shares no code with
// the embedded server, offers no extension, and judges each request by the published reference.
type vendor struct {
	URL  string // of its index.php
	Addr string

	t   *testing.T
	me  string // user id
	pem string
	key *rsa.PrivateKey
	srv *http.Server

	mu            sync.Mutex
	conversations []*vendorConversation
	changed       []string        // conversation ids for the next notification
	listChanged   bool            // and of the list
	online        map[string]bool // who of the friends is available
	wentOnline    []string        // user ids for the next notification
	workspaces    []string        // registered names
	seen          []string        // ids of the messages that were reported as viewed
	present       int             // how often the user said that he is there
	problems      []string        // what was wrong with the requests
	calls         map[string]int
	html          bool // a page instead of every answer
	sockets       []net.Conn
}

type vendorConversation struct {
	id, name, instance string
	used               int64             // unix seconds
	people             map[string]string // user id → name
	key                []byte
	secret             string
	locked             bool // secret and displayname do not open
	stubborn           bool // refuses to change flags
	favorite, muted    bool
	color, hideID      string
	messages           []map[string]any
	reports            []map[string]any
}

// The friend who is there, with an id that is not made of her address.
const dora = "aa68d2204cb2bb85f2de3b9aad0d86d7"

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// startVendor starts the vendor's server with three conversations: with Dora, whose messages can be read, with Emil, whose
// key does not open, and a group whose flags cannot be changed.
func startVendor(t *testing.T) *vendor {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	seal := exec.Command("openssl", "rsa", "-inform", "DER", "-traditional", "-aes-256-cfb", "-passout", "pass:"+vendorPassword)
	seal.Stdin = bytes.NewReader(x509.MarshalPKCS1PrivateKey(key))
	text, err := seal.Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	v := &vendor{
		t: t, key: key, pem: strings.ReplaceAll(string(text), "\n", "\r\n"), calls: map[string]int{},
		me: md5hex("admin@ozeki.hu"), online: map[string]bool{dora: true},
	}
	emil := md5hex("emil@ozeki.hu")
	v.add("Dora Dahl", map[string]string{v.me: "Administrator", dora: "Dora Dahl"})
	v.add("Emil", map[string]string{v.me: "Administrator", emil: "Emil Engel"}).locked = true
	v.add("Board", map[string]string{v.me: "Administrator", dora: "Dora Dahl", emil: "Emil Engel"}).stubborn = true
	c := v.conversations[0]
	v.store(c, dora, "Message", "Welcome to the vendor's server")
	v.store(c, dora, "Sticker", "not a text")
	v.store(c, v.me, "Message", "I am glad to be here")
	c.messages = append(c.messages, map[string]any{"ID": newUUID(), "Type": "Message", "Created": stamp(), "ValidUntil": until(), "Data": "bm90IHNlYWxlZA=="})
	v.Start("127.0.0.1:0")
	t.Cleanup(func() {
		v.Stop()
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, p := range v.problems {
			t.Errorf("the vendor's server complains: %s", p)
		}
	})
	return v
}

// Start lets the server listen.
func (v *vendor) Start(addr string) {
	v.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		v.t.Fatal(err)
	}
	v.Addr = l.Addr().String()
	v.URL = "http://" + v.Addr + "/ozeki/index.php"
	mux := http.NewServeMux()
	mux.HandleFunc("/ozeki/index.php", v.serve)
	mux.HandleFunc("/listener", v.listener)
	v.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) { _ = s.Serve(l) }(v.srv)
}

// Stop is a power cut.
func (v *vendor) Stop() { _ = v.srv.Close() }

// Pages makes the server answer everything with a page, as a misconfigured one does.
func (v *vendor) Pages(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.html = on
}

// Calls is how often a call came.
func (v *vendor) Calls(action string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[action]
}

// Receive lets Dora write a message.
func (v *vendor) Receive(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.conversations[0]
	v.store(c, dora, "Message", text)
	v.changed = append(v.changed, c.id)
}

// Fill gives the first conversation a history of n more messages by Dora, "Message 1" first.
func (v *vendor) Fill(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range n {
		v.store(v.conversations[0], dora, "Message", fmt.Sprint("Message ", i+1))
	}
}

// SetOnline lets Dora come or go, which the sockets tell.
func (v *vendor) SetOnline(on bool) {
	defer v.Tell("changed")
	v.mu.Lock()
	defer v.mu.Unlock()
	v.online[dora] = on
	v.wentOnline = append(v.wentOnline, dora)
}

// First is what the server knows of the first conversation's flags, as text: favorite, muted, hideid and colour.
func (v *vendor) First() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.conversations[0]
	return fmt.Sprintf("favorite=%t muted=%t hideid=%q color=%s", c.favorite, c.muted, c.hideID, c.color)
}

// Instance is the present run of the first conversation's history.
func (v *vendor) Instance() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.conversations[0].instance
}

// Seen reports whether the user has told that he has seen the newest message of the first conversation.
func (v *vendor) Seen() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.conversations[0].messages
	return len(all) > 0 && slices.Contains(v.seen, all[len(all)-1]["ID"].(string))
}

// Present is how often the user said that he is there.
func (v *vendor) Present() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.present
}

// Workspaces are the registered names.
func (v *vendor) Workspaces() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.workspaces)
}

// Tell lets the notification sockets say something, in the vendor's own words, and says how many there have been.
func (v *vendor) Tell(text string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, conn := range v.sockets {
		_, _ = conn.Write(append([]byte{0x81, byte(len(text))}, text...)) // those that have gone hear nothing
	}
	return len(v.sockets)
}

// Favorite is whether the first conversation is one of the user's favorites.
func (v *vendor) Favorite() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.conversations[0].favorite
}

// SetFavorite changes it, as another device of the user's does, which the sockets tell.
func (v *vendor) SetFavorite(on bool) {
	defer v.Tell("changed")
	v.mu.Lock()
	defer v.mu.Unlock()
	v.conversations[0].favorite, v.listChanged = on, true
}

// Texts are the texts of the first conversation as the server could not read them: opened by the story, with its key.
func (v *vendor) Texts() (texts []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.conversations[0]
	for _, m := range c.messages {
		raw, _ := base64.StdEncoding.DecodeString(m["Data"].(string))
		if len(raw) < 28 {
			continue
		}
		plain, err := gcm(c.key).Open(nil, raw[:12], raw[12:], []byte(c.id+";"+m["ID"].(string)))
		var content struct{ Text string }
		if err == nil && json.Unmarshal(plain, &content) == nil {
			texts = append(texts, content.Text)
		}
	}
	return texts
}

func (v *vendor) add(name string, people map[string]string) *vendorConversation {
	ids := make([]string, 0, len(people))
	for id := range people {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	c := &vendorConversation{id: md5hex(strings.Join(ids, ";")), name: name, instance: "ZTZqIV8LS5", people: people, key: random(32), color: "#ffffff", used: time.Now().Unix()}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &v.key.PublicKey, c.key, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	c.secret = base64.StdEncoding.EncodeToString(wrapped)
	v.conversations = append(v.conversations, c)
	return c
}

func (v *vendor) store(c *vendorConversation, from, kind, text string) {
	id := newUUID()
	plain, _ := json.Marshal(map[string]any{"v": 1, "text": text, "from": from, "mood": "fine"})
	c.messages = append(c.messages, map[string]any{
		"ID": id, "Type": kind, "Created": stamp(), "ValidUntil": until(), "Data": sealed(c.key, c.id+";"+id, plain), "Priority": 3,
	})
	c.used = time.Now().Unix()
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func newUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func stamp() string { return time.Now().UTC().Format("2006-01-02 15:04:05") }

// until is when a message of the vendor's clients expires: in seven days.
func until() string { return time.Now().UTC().AddDate(0, 0, 7).Format("2006-01-02 15:04:05") }

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

func sealed(key []byte, ad string, plain []byte) string {
	nonce := random(12)
	return base64.StdEncoding.EncodeToString(append(nonce, gcm(key).Seal(nil, nonce, plain, []byte(ad))...))
}

// object is the conversation as the API shows it to the user; the name is sealed anew in every answer.
func (v *vendor) object(c *vendorConversation) map[string]any {
	o := map[string]any{
		"id": c.id, "isgroup": len(c.people) > 2, "displayname": sealed(c.key, c.id, []byte(c.name)), "secret": c.secret,
		"lastmessageid": "", "lastreportid": "", "lastaccess": c.used, "instance": c.instance,
		"mutedby": nil, "hiddenby": nil, // and favoriteby is missing where nobody has it
		"properties":  []any{map[string]any{"userid": v.me, "ismuted": c.muted, "isfavorite": c.favorite, "hideid": c.hideID, "listitembackgroundcolor": c.color, "pinnedat": nil}},
		"vendorbuild": map[string]any{"number": 4711},
	}
	if c.locked {
		o["displayname"], o["secret"] = base64.StdEncoding.EncodeToString(random(64)), base64.StdEncoding.EncodeToString(random(256))
	}
	if c.favorite {
		o["favoriteby"] = []string{v.me}
	}
	if n := len(c.messages); n > 0 {
		o["lastmessageid"] = c.messages[n-1]["ID"]
	}
	if n := len(c.reports); n > 0 {
		o["lastreportid"] = c.reports[n-1]["ID"]
	}
	var ids []string
	var people []any
	for id, name := range c.people {
		ids = append(ids, id)
		people = append(people, map[string]any{"userid": id, "username": name, "avatar": "none"})
	}
	o["participantids"], o["participants"] = ids, people
	return o
}

// complain notes what is wrong with a request.
func (v *vendor) complain(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}
