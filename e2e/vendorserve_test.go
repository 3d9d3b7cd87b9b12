package e2e

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What the vendor's server answers, and how it judges what it is asked.

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
