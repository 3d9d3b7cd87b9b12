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
	"maps"
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
	case api == "chatavailability":
		v.present++
	case api == "workspace":
		v.registerWorkspace(in, out)
	case api == "chatblocklist":
		v.blocklist(out)
	case api == "chatfriends":
		out["friends"], out["availabilities"] = map[string]string{dora: "Dora Dahl"}, []any{map[string]any{
			"friendid": dora, "friendname": "Dora Dahl", "publickey": "not for clients of this story",
			"availability": map[bool]string{true: "available", false: "on the moon"}[v.online[dora]],
		}}
	case api == "chatnotification":
		out["friendavailabilitesof"] = nil
		if len(v.wentOnline) > 0 {
			out["friendavailabilitesof"] = v.wentOnline
		}
		out["conversationchangedof"] = v.changed
		if v.listChanged {
			out["conversationlistchangedof"] = []string{v.conversations[0].id}
		}
		v.changed, v.wentOnline, v.listChanged = nil, nil, false
	case api == "chatconversation" && action == "list":
		var all []any
		for _, c := range v.conversations {
			all = append(all, v.object(c))
		}
		out["conversations"] = all
	case c == nil:
		if out["status"] == "OK" {
			out = nil
		}
	case api == "chatreports":
		v.takeReport(c, in)
	case action == "download" || action == "downloadpartial":
		out = v.download(c, action, in)
	case action == "add":
		v.takeMessage(c, in, out)
	case action == "clear":
		v.clear(c, in, out)
	case c.stubborn:
		out = map[string]any{"status": "ERROR", "errormessage": "You have no right to this"}
	case !v.setFlag(c, action, in, out):
		out = nil
	}
	if out == nil {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "<h1>500</h1><p>%s is not implemented</p>", action)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.Header().Set("Set-Cookie", "PHPSESSID=of-the-vendor")
	_ = json.NewEncoder(w).Encode(out)
}

// The published calls: their actions by api, and the fields of each beside those that all have.
var (
	publishedCalls = map[string][]string{
		"chatlogin": {"login"}, "chatavailability": {"useravailable"}, "chatfriends": {"list"}, "chatreports": {"viewed"},
		"chatnotification": {"download"}, "chatblocklist": {"blocklist"}, "workspace": {"workspaceregister"},
		"chatconversation": {"list", "downloadpartial", "add", "clear", "favorite", "unfavorite", "setlistitembackgroundcolor", "download",
			"mute", "unmute", "hide", "unhide"},
	}
	publishedFields = map[string][]string{
		"viewed":          {"conversationid", "instance", "firstmessagedate", "lastmessagedate", "messageids"},
		"downloadpartial": {"conversationid", "instance", "lastmessagedate", "lastmessageid", "lastreportdate", "lastreportid", "limit"},
		"download":        {"conversationid", "instance", "firstmessagedate", "firstmessageid", "firstreportdate", "firstreportid"},
		"add":             {"conversationid", "instance", "message"},
		"clear":           {"conversationid", "instance"},
		"favorite":        {"conversationid"}, "unfavorite": {"conversationid"}, "mute": {"conversationid"}, "unmute": {"conversationid"},
		"unhide": {"conversationid"}, "hide": {"conversationid", "hideid"}, "setlistitembackgroundcolor": {"conversationid", "color"},
		"workspaceregister": {"workspacename"},
	}
)

// judge holds a request against the published reference.
func (v *vendor) judge(r *http.Request, body []byte, in map[string]any, action string) {
	api, srv := r.URL.Query().Get("api"), r.URL.Query().Get("srv")
	published := slices.Contains(publishedCalls[api], action)
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || !published {
		v.complain("%s %s with %s and the action %q", r.Method, r.URL, r.Header.Get("Content-Type"), action)
	}
	if want := map[bool]string{true: "chatowner", false: "chatserver"}[api == "workspace"]; srv != want {
		v.complain("%s goes to %q", action, srv)
	}
	for _, name := range []string{"Cookie", "Origin", "Referer", "X-Forwarded-For", "Forwarded", "Authorization"} {
		if value := r.Header.Get(name); value != "" {
			v.complain("%s leaks %s: %s", action, name, value)
		}
	}
	if station := r.Header.Get("Ozeki-Station"); api == "workspace" && station != "" || api != "workspace" && !hex32.MatchString(station) {
		v.complain("%s comes from the station %q", action, station)
	}
	want := append([]string{"action"}, publishedFields[action]...)
	if api == "chatlogin" {
		want = append(want, "apikey")
	} else if api != "workspace" {
		want = append(want, "clientversioncode", "timestamp")
		if in["clientversioncode"] != 3.0 {
			v.complain("clientversioncode in %s", body)
		}
		if at, err := time.Parse("2006-01-02 15:04:05", fmt.Sprint(in["timestamp"])); err != nil || time.Since(at).Abs() > time.Minute {
			v.complain("timestamp in %s", body)
		}
	}
	slices.Sort(want)
	if api == "chatnotification" {
		want = []string{"action", "clientversioncode", "timestamp"} // it shares its action with another call
	}
	if got := slices.Sorted(maps.Keys(in)); !slices.Equal(got, want) {
		v.complain("%s has the fields %q, published are %q", action, got, want)
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

// download answers without a status, as published. Among the reports are some that no client understands.
func (v *vendor) download(c *vendorConversation, action string, in map[string]any) map[string]any {
	if in["instance"] != c.instance {
		v.complain("%s of instance %v", action, in["instance"])
	}
	at := func(field string) int {
		id, _ := in[field].(string)
		return slices.IndexFunc(c.messages, func(m map[string]any) bool { return m["ID"] == id })
	}
	odd := []any{map[string]any{"ID": "935d8b8de4c395f50405e617e636dbbb", "Type": "smelled", "Created": stamp()}}
	if action == "download" {
		return map[string]any{"messages": c.messages[max(at("firstmessageid"), 0):], "reports": append(odd, c.asAny()...)}
	}
	end := len(c.messages)
	if i := at("lastmessageid"); i >= 0 {
		end = i
	} else if in["lastmessageid"] != "" {
		v.complain("%s before an unknown message: %v", action, in["lastmessageid"])
	}
	limit, _ := in["limit"].(float64)
	if limit < 1 || limit > 50 {
		v.complain("%s of %v messages", action, in["limit"])
	}
	page := c.messages[max(0, end-int(limit)):end]
	if len(page) == 0 {
		return map[string]any{"messages": nil, "reports": nil, "status": "OK"}
	}
	return map[string]any{"messages": page}
}

func (c *vendorConversation) asAny() (all []any) {
	for _, r := range c.reports {
		all = append(all, r)
	}
	return all
}

// takeReport takes what was viewed, which must be messages of the conversation between the two dates.
func (v *vendor) takeReport(c *vendorConversation, in map[string]any) {
	ids, _ := in["messageids"].([]any)
	if len(ids) == 0 || in["instance"] != c.instance {
		v.complain("a report of %v in instance %v", ids, in["instance"])
	}
	first, last := fmt.Sprint(in["firstmessagedate"]), fmt.Sprint(in["lastmessagedate"])
	for _, id := range ids {
		i := slices.IndexFunc(c.messages, func(m map[string]any) bool { return m["ID"] == id })
		if i < 0 {
			v.complain("a report of the message %v, which is not there", id)
			continue
		}
		if at := fmt.Sprint(c.messages[i]["Created"]); at < first || at > last {
			v.complain("a report of a message of %s between %s and %s", at, first, last)
		}
		v.seen = append(v.seen, fmt.Sprint(id))
	}
	c.reports = append(c.reports, map[string]any{"ID": newUUID(), "Type": "viewed", "Created": stamp()})
}

// clear empties a conversation, which has a new instance then.
func (v *vendor) clear(c *vendorConversation, in, out map[string]any) {
	if in["instance"] != c.instance {
		v.complain("clear of instance %v", in["instance"])
	}
	c.messages, c.reports, c.instance = nil, nil, "New"+strings.ToUpper(newUUID()[:7])
	out["conversation"] = v.object(c)
}

// blocklist has null in the place of an empty list, and elements of two kinds: ids, and objects that nobody published.
func (v *vendor) blocklist(out map[string]any) {
	var hidden []any
	for _, c := range v.conversations {
		if c.hideID != "" {
			hidden = append(hidden, c.id)
		}
	}
	if hidden != nil {
		hidden = append(hidden, map[string]any{"since": 1710141826})
	}
	out["blockedusers"], out["blockedconversations"] = nil, hidden
}

func (v *vendor) registerWorkspace(in, out map[string]any) {
	name, _ := in["workspacename"].(string)
	if slices.Contains(v.workspaces, name) || name == "taken.ozeki.chat" {
		out["status"], out["errormessage"] = "ERROR", "The workspace is taken"
		return
	}
	v.workspaces = append(v.workspaces, name)
}

// setFlag changes a flag and gives the conversation; false if the action is none of a flag. The answer of change color
// still shows the old colour, as published.
func (v *vendor) setFlag(c *vendorConversation, action string, in, out map[string]any) bool {
	switch action {
	case "favorite", "unfavorite":
		c.favorite = action == "favorite"
	case "mute", "unmute":
		c.muted = action == "mute"
	case "hide":
		if c.hideID, _ = in["hideid"].(string); c.hideID != c.instance+";" {
			v.complain("hide of %q in instance %s", c.hideID, c.instance)
		}
	case "unhide":
		c.hideID = ""
	case "setlistitembackgroundcolor":
		out["conversation"] = v.object(c)
		c.color, _ = in["color"].(string)
		return true
	default:
		return false
	}
	out["conversation"] = v.object(c)
	return true
}

func (v *vendor) takeMessage(c *vendorConversation, in, out map[string]any) {
	text, _ := in["message"].(string)
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		v.complain("the message is no JSON text in JSON: %v", in["message"])
		return
	}
	if m["Type"] != "Message" || m["Data"] == nil || !uuid4.MatchString(fmt.Sprint(m["ID"])) || in["instance"] != c.instance {
		v.complain("the message in instance %v is %s", in["instance"], text)
	}
	for name := range m {
		if !slices.Contains([]string{"ID", "Type", "Created", "ValidUntil", "Data"}, name) {
			v.complain("the message has the field %s: %s", name, text)
		}
	}
	if !slices.ContainsFunc(c.messages, func(o map[string]any) bool { return o["ID"] == m["ID"] }) {
		c.messages, c.used = append(c.messages, m), time.Now().Unix()
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
	v.mu.Lock()
	v.sockets = append(v.sockets, conn)
	v.mu.Unlock()
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
