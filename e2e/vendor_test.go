package e2e

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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
	changed       []string // conversation ids for the next notification
	listChanged   bool
	problems      []string // what was wrong with the requests
	calls         map[string]int
	html          bool // a page instead of every answer
}

type vendorConversation struct {
	id, name, instance string
	people             map[string]string // user id → name
	key                []byte
	secret             string
	locked             bool // secret and displayname do not open
	stubborn           bool // refuses to change flags
	favorite           bool
	color              string
	messages           []map[string]any
}

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
		me: md5hex("admin@ozeki.hu"),
	}
	dora, emil := "aa68d2204cb2bb85f2de3b9aad0d86d7", md5hex("emil@ozeki.hu") // Dora's id is not made of her address
	v.add("Dora Dahl", map[string]string{v.me: "Administrator", dora: "Dora Dahl"})
	v.add("Emil", map[string]string{v.me: "Administrator", emil: "Emil Engel"}).locked = true
	v.add("Board", map[string]string{v.me: "Administrator", dora: "Dora Dahl", emil: "Emil Engel"}).stubborn = true
	c := v.conversations[0]
	v.store(c, dora, "Message", "Welcome to the vendor's server")
	v.store(c, dora, "Sticker", "not a text")
	v.store(c, v.me, "Message", "I am glad to be here")
	c.messages = append(c.messages, map[string]any{"ID": newUUID(), "Type": "Message", "Created": stamp(), "ValidUntil": stamp(), "Data": "bm90IHNlYWxlZA=="})
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
	v.store(c, "aa68d2204cb2bb85f2de3b9aad0d86d7", "Message", text)
	v.changed = append(v.changed, c.id)
}

// Favorite is whether the first conversation is one of the user's favorites.
func (v *vendor) Favorite() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.conversations[0].favorite
}

// SetFavorite changes it, as another device of the user's does.
func (v *vendor) SetFavorite(on bool) {
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
	c := &vendorConversation{id: md5hex(strings.Join(ids, ";")), name: name, instance: "ZTZqIV8LS5", people: people, key: random(32), color: "#ffffff"}
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
		"ID": id, "Type": kind, "Created": stamp(), "ValidUntil": stamp(), "Data": sealed(c.key, c.id+";"+id, plain), "Priority": 3,
	})
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
		"lastmessageid": "", "lastreportid": "", "lastaccess": time.Now().Unix(), "instance": c.instance,
		"mutedby": nil, "hiddenby": nil, // and favoriteby is missing where nobody has it
		"properties":  []any{map[string]any{"userid": v.me, "ismuted": false, "isfavorite": c.favorite, "hideid": "", "listitembackgroundcolor": c.color, "pinnedat": nil}},
		"vendorbuild": map[string]any{"number": 4711},
	}
	if c.locked {
		o["displayname"], o["secret"] = base64.StdEncoding.EncodeToString(random(64)), base64.StdEncoding.EncodeToString(random(256))
	}
	if c.favorite {
		o["favoriteby"] = []string{v.me}
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

func (v *vendor) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.html {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>It works!</title><h1>Default page</h1>")
		return
	}
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		v.complain("the body is not JSON: %q", body)
	}
	action, _ := in["action"].(string)
	v.calls[action]++
	v.judge(r, body, in, action)

	out := map[string]any{"status": "OK", "errormessage": "File does not exist", "elapsed": 0.013}
	var c *vendorConversation
	if id, named := in["conversationid"].(string); named {
		if i := slices.IndexFunc(v.conversations, func(c *vendorConversation) bool { return c.id == id }); i >= 0 {
			c = v.conversations[i]
		} else {
			out = map[string]any{"status": "ERROR", "errormessage": "No such conversation"}
		}
	}
	api := r.URL.Query().Get("api")
	switch {
	case api == "chatlogin" && in["apikey"] != vendorKey:
		out = map[string]any{"status": "ERROR", "errormessage": "Invalid API key"}
	case api == "chatlogin":
		v.login(out)
	case api == "chatavailability", api == "chatreports":
	case api == "chatblocklist":
		out["blockedusers"] = nil
	case api == "chatfriends":
		out["friends"], out["availabilities"] = map[string]string{"aa68d2204cb2bb85f2de3b9aad0d86d7": "Dora Dahl"}, nil
	case api == "chatnotification":
		out["friendavailabilitesof"] = nil
		out["conversationchangedof"] = v.changed
		if v.listChanged {
			out["conversationlistchangedof"] = []string{v.conversations[0].id}
		}
		v.changed, v.listChanged = nil, false
	case api == "chatconversation" && action == "list":
		var all []any
		for _, c := range v.conversations {
			all = append(all, v.object(c))
		}
		out["conversations"] = all
	case c != nil && (action == "favorite" || action == "unfavorite") && c.stubborn:
		out = map[string]any{"status": "ERROR", "errormessage": "You have no right to this"}
	case c != nil && (action == "favorite" || action == "unfavorite"):
		c.favorite = action == "favorite"
		out["conversation"] = v.object(c)
	case c != nil && action == "setlistitembackgroundcolor":
		out["conversation"] = v.object(c) // still with the old colour
		c.color, _ = in["color"].(string)
	case c != nil && (action == "download" || action == "downloadpartial"):
		out = v.download(c, action, in)
	case c != nil && action == "add":
		v.takeMessage(c, in, out)
	case c == nil && out["status"] == "ERROR":
	default:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "<h1>500</h1><p>%s is not implemented</p>", action)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.Header().Set("Set-Cookie", "PHPSESSID=of-the-vendor")
	_ = json.NewEncoder(w).Encode(out)
}

// judge holds a request against the published reference.
func (v *vendor) judge(r *http.Request, body []byte, in map[string]any, action string) {
	api := r.URL.Query().Get("api")
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.URL.Query().Get("srv") != "chatserver" {
		v.complain("%s %s with %s", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	for _, name := range []string{"Cookie", "Origin", "Referer", "X-Forwarded-For", "Forwarded", "Authorization"} {
		if value := r.Header.Get(name); value != "" {
			v.complain("%s leaks %s: %s", action, name, value)
		}
	}
	if !hex32.MatchString(r.Header.Get("Ozeki-Station")) {
		v.complain("%s comes from the station %q", action, r.Header.Get("Ozeki-Station"))
	}
	if api == "chatlogin" {
		if len(in) != 2 {
			v.complain("login has more than its two fields: %s", body)
		}
	} else {
		if in["clientversioncode"] != 3.0 {
			v.complain("clientversioncode in %s", body)
		}
		if at, err := time.Parse("2006-01-02 15:04:05", fmt.Sprint(in["timestamp"])); err != nil || time.Since(at).Abs() > time.Minute {
			v.complain("timestamp in %s", body)
		}
		for _, name := range []string{"requestid", "cursor"} {
			if _, there := in[name]; there {
				v.complain("%s was not offered, and is in %s", name, body)
			}
		}
	}
	user, signature := r.Header.Get("Ozeki-User"), r.Header.Get("Ozeki-Signature")
	if api == "chatlogin" || api == "chatnotification" {
		if user != "" || signature != "" {
			v.complain("%s is signed", action)
		}
		return
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	digest := sha256.Sum256(body)
	if user != v.me || err != nil || rsa.VerifyPKCS1v15(&v.key.PublicKey, crypto.SHA256, digest[:], raw) != nil {
		v.complain("%s by %q is signed wrongly: %q", action, user, signature)
	}
}

func (v *vendor) login(out map[string]any) {
	_, port, _ := net.SplitHostPort(v.Addr)
	here := "http://localhost:8888/ozeki/index.php?srv=chatserver&api=chat" // where no browser gets
	out["server"], out["registration"], out["userid"], out["fullname"], out["nick"] = "2.0.0", "true", v.me, "Administrator", "admin"
	out["rsakey"] = v.pem
	out["listeners"] = map[string]string{"udp": "udp://localhost:9090", "ws": "ws://localhost:" + port + "/listener", "wss": "wss://localhost:9443/listener"}
	urls := map[string]string{}
	for _, name := range []string{"login", "availability", "conversation", "conversationgroup", "blocklist", "fileserver", "friends", "notification", "reports"} {
		urls[name] = here + name
	}
	out["urls"] = urls
}

// download answers without a status, as published. Reports are of types that nobody knows, or missing.
func (v *vendor) download(c *vendorConversation, action string, in map[string]any) map[string]any {
	out := map[string]any{"messages": c.messages}
	if action == "download" {
		first, _ := in["firstmessageid"].(string)
		if i := slices.IndexFunc(c.messages, func(m map[string]any) bool { return m["ID"] == first }); i >= 0 {
			out["messages"] = c.messages[i:]
		}
		out["reports"] = []any{map[string]any{"ID": "935d8b8de4c395f50405e617e636dbbb", "Type": "smelled", "Created": stamp()}}
	} else if last, _ := in["lastmessageid"].(string); last != "" {
		out["messages"], out["reports"] = nil, nil
	}
	if in["instance"] != c.instance {
		v.complain("%s of instance %v", action, in["instance"])
	}
	return out
}

func (v *vendor) takeMessage(c *vendorConversation, in, out map[string]any) {
	text, _ := in["message"].(string)
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		v.complain("the message is no JSON text in JSON: %v", in["message"])
		return
	}
	if m["Type"] != "Message" || m["Data"] == nil || !uuid4.MatchString(fmt.Sprint(m["ID"])) {
		v.complain("the message is %s", text)
	}
	if !slices.ContainsFunc(c.messages, func(o map[string]any) bool { return o["ID"] == m["ID"] }) {
		c.messages = append(c.messages, m)
	}
	echo := map[string]any{"ID": m["ID"], "Type": m["Type"], "Created": m["Created"], "ValidUntil": m["ValidUntil"]}
	out["message"] = echo
}

// listener is the notification socket: it greets, and sends back the first frame it gets, unmasked.
func (v *vendor) listener(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	if origin := r.Header.Get("Origin"); origin != "http://"+v.Addr {
		v.complain("the socket is opened by %q", origin)
	}
	if c := r.Header.Get("Cookie"); c != "" {
		v.complain("the socket leaks the cookie %q", c)
	}
	v.mu.Unlock()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	_, _ = rw.Write(append([]byte{0x81, 7}, "changed"...))
	_ = rw.Flush()
	head := make([]byte, 6)
	if _, err := io.ReadFull(rw, head); err != nil {
		return
	}
	data := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(rw, data); err != nil {
		return
	}
	for i := range data {
		data[i] ^= head[2+i%4]
	}
	_, _ = rw.Write(append([]byte{0x81, byte(len(data))}, data...))
	_ = rw.Flush()
}
