package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// inFrontOf starts starling in front of the vendor's server.
func inFrontOf(t *testing.T, v *vendor) *server {
	t.Helper()
	return startServer(t, "serve", "--upstream", v.URL)
}

// SignInWithKey signs in to an Ozeki server.
func (p *person) SignInWithKey(apiKey, encryptionPassword string) {
	p.t.Helper()
	p.see("textbox", "API key").fill(apiKey)
	p.see("textbox", "Encryption password").fill(encryptionPassword)
	p.see("button", "Sign in").click()
}

func newAdmin(t *testing.T, url string) *person {
	t.Helper()
	p := newPerson(t, url)
	p.Visit("/")
	p.SignInWithKey(vendorKey, vendorPassword)
	p.SeeSidebar()
	p.SeeNoFavorite("Dora Dahl")
	return p
}

// In front of an Ozeki server people sign in with its credentials, and are told what is wrong with them.
func TestOzekiServerSignsIn(t *testing.T) {
	t.Parallel()
	p := newPerson(t, inFrontOf(t, startVendor(t)).URL)
	p.Visit("/")
	p.SeeSignIn()
	if err := p.none(nil, "button", "Create account"); err != nil {
		t.Errorf("accounts cannot be made here, and %v", err)
	}
	p.see("button", "Sign in").click()
	p.SeeAlert("Enter the API key that the administrator of your Ozeki server gave you.")
	p.see("textbox", "API key").fill("a key that nobody has")
	p.see("button", "Sign in").click()
	p.SeeAlert("Enter your encryption password.")
	p.SignInWithKey("a key that nobody has", vendorPassword)
	p.SeeAlert("Invalid API key")
	p.SignInWithKey(vendorKey, "a wrong password")
	p.SeeAlert("The encryption password does not open your key.")
	p.SignInWithKey(vendorKey, vendorPassword)
	p.SeeSidebar()
	p.SeeWords("Administrator")
	p.Reload()
	p.SeeSidebar()
	p.SeeNoFavorite("Dora Dahl")
	p.SignOut()
	if left, err := p.kept(); err == nil && left != "" {
		t.Logf("right after signing out: %s", left)
	}
}

// Conversations of an Ozeki server are shown under their names; one whose key does not open is shown by its people, locked.
func TestOzekiServerConversations(t *testing.T) {
	t.Parallel()
	p := newAdmin(t, inFrontOf(t, startVendor(t)).URL)
	p.SeeNoFavorite("Board")
	p.SeeNoFavorite("Emil Engel")
	row := p.see("link", "Emil Engel…")
	if !strings.Contains(row.Name, "Locked") {
		t.Errorf("the row is called %q", row.Name)
	}
	if row := p.see("link", "Dora Dahl…"); strings.Contains(row.Name, "Locked") {
		t.Errorf("the row is called %q", row.Name)
	}
	p.OpenConversation("Emil Engel")
	p.SeeWords("does not open with your key")
	if err := p.none(nil, "button", "Send"); err != nil {
		t.Errorf("nothing can be sent, and %v", err)
	}
	p.see("button", "New conversation").click()
	p.SeeWords("This server does not let clients start conversations")
	p.see("button", "Close").click()
}

// Stars go to the Ozeki server and come from it; what it refuses is put back.
func TestOzekiServerStars(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	p := newAdmin(t, inFrontOf(t, v).URL)
	p.Star("Dora Dahl")
	p.SeeFavorite("Dora Dahl")
	p.SeeSettled("Dora Dahl")
	if !v.Favorite() {
		t.Error("the server knows nothing of the star")
	}
	p.Star("Emil Engel") // also where the key does not open
	p.SeeSettled("Emil Engel")
	p.Reload()
	p.SeeFavorite("Dora Dahl")
	p.SeeFavorite("Emil Engel")
	p.Unstar("Dora Dahl")
	p.SeeSettled("Dora Dahl")
	if v.Favorite() {
		t.Error("the server knows nothing of the unfavorite")
	}
	v.SetFavorite(true)
	p.SeeFavorite("Dora Dahl")

	p.Star("Board")
	p.SeeWords("Board could not be added to favorites. You have no right to this")
	p.SeeNoFavorite("Board")
}

// Messages of an Ozeki server are read and written; what is not understood is said to be so.
func TestOzekiServerMessages(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	p := newAdmin(t, inFrontOf(t, v).URL)
	p.OpenConversation("Dora Dahl")
	p.SeeMessage("Welcome to the vendor's server")
	p.SeeMessage("I am glad to be here")
	p.SeeMessage("This kind of message is not understood by this version.")
	p.SeeMessage("This message cannot be decrypted with your key.")
	p.Say("Dora Dahl", "Hello Dora")
	p.SeeMessage("Hello Dora")
	if n := count(v.Texts(), "Hello Dora"); n != 1 {
		t.Errorf("the server holds the message %d times", n)
	}
	v.Receive("Hello Administrator")
	p.SeeMessage("Hello Administrator")
	p.Hear("Dora Dahl: Hello Administrator")
	p.Reload()
	p.SeeConversation("Dora Dahl")
	p.SeeMessage("Hello Administrator")
	p.SeeMessage("Hello Dora")
}

// When the Ozeki server is away, people are told, and what they do is kept until it is back.
func TestOzekiServerIsAway(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	server := inFrontOf(t, v)
	p := newAdmin(t, server.URL)
	allowConsole(t, p.ctx, "Failed to load resource")
	p.OpenConversation("Dora Dahl")
	v.Stop()
	p.SeeOffline()
	p.Star("Dora Dahl")
	p.Say("Dora Dahl", "For later")
	p.SeeFavorite("Dora Dahl")
	p.SeeQueued("Dora Dahl")
	p.SeeWaiting("For later")

	other := newPerson(t, server.URL)
	allowConsole(t, other.ctx, "Failed to load resource")
	other.Visit("/")
	other.SignInWithKey(vendorKey, vendorPassword)
	other.SeeAlert("cannot be reached")
	if res, body := get(t, server.URL+"/readyz"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %s %s", res.Status, body)
	}

	v.Start(v.Addr)
	p.SeeSettled("Dora Dahl")
	p.SeeMessage("For later")
	p.SeeOnline()
	if !v.Favorite() || count(v.Texts(), "For later") != 1 {
		t.Errorf("the server has the star: %t, and the messages %q", v.Favorite(), v.Texts())
	}
	other.see("button", "Sign in").click()
	other.SeeSidebar()
}

// A page in the place of the API's answers is never taken for one.
func TestOzekiServerAnswersWithPages(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	p := newPerson(t, inFrontOf(t, v).URL)
	allowConsole(t, p.ctx, "Failed to load resource")
	v.Pages(true)
	p.Visit("/")
	p.SignInWithKey(vendorKey, vendorPassword)
	p.SeeAlert("a web page may stand in between")
	v.Pages(false)
	p.see("button", "Sign in").click()
	p.SeeSidebar()
	p.SeeNoFavorite("Dora Dahl")
	v.Pages(true)
	p.Star("Dora Dahl")
	p.SeeWords("Dora Dahl could not be added to favorites.")
	p.SeeNoFavorite("Dora Dahl")
	p.Reload()
	p.SeeAlert("a web page may stand in between")
	v.Pages(false)
	p.see("button", "Try again").click()
	p.SeeNoFavorite("Dora Dahl")
}

// Everything that the Ozeki server names is reached through Starling, and nothing of the browser's gets there that need not.
func TestOzekiServerIsReachedThroughOneOrigin(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	server := inFrontOf(t, v)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/ozeki/index.php?srv=chatserver&api=chatlogin",
		strings.NewReader(fmt.Sprintf(`{"action":"login","apikey":%q}`, vendorKey)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Ozeki-Station": "801c91e6466a1ab34945d73ae4f762c6", "Origin": server.URL,
		"Cookie": "secret=of-this-origin", "Referer": server.URL + "/?c=secret", "Authorization": "Basic c2VjcmV0", "X-Forwarded-For": "192.0.2.1",
	} {
		req.Header.Set(name, value) // the vendor's server complains of each that arrives
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Status, UserID, RSAKey string
		URLs, Listeners        map[string]string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if answer.Status != "OK" || answer.UserID != v.me || answer.RSAKey != v.pem || !strings.Contains(string(body), `"elapsed"`) {
		t.Errorf("the answer was changed: %s", body)
	}
	if len(answer.URLs) != 9 || len(answer.Listeners) == 0 {
		t.Errorf("urls %v, listeners %v", answer.URLs, answer.Listeners)
	}
	for name, u := range answer.URLs {
		if want := server.URL + "/ozeki/index.php?srv=chatserver&api=chat" + name; u != want {
			t.Errorf("urls: %s is %q, want %q", name, u, want)
		}
	}
	socket := strings.Replace(server.URL, "http://", "ws://", 1) + "/ozeki/listener"
	for name, u := range answer.Listeners {
		if u != socket {
			t.Errorf("listeners: %s is %q, want %q", name, u, socket)
		}
	}
	if strings.Contains(string(body), "localhost") {
		t.Errorf("the answer still names localhost: %s", body)
	}
	if len(res.Cookies()) > 0 {
		t.Errorf("the upstream's cookies come through: %v", res.Cookies())
	}
	if kind := res.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") {
		t.Errorf("Content-Type: %s", kind)
	}
	if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the answer is not guarded: %v", res.Header)
	}
	if n := v.Calls("login"); n != 1 {
		t.Errorf("%d logins have come", n)
	}
}

// The notification socket of the Ozeki server is reached through Starling, by its own page only.
func TestOzekiServerListenerIsRelayed(t *testing.T) {
	t.Parallel()
	v := startVendor(t)
	server := inFrontOf(t, v)
	newAdmin(t, server.URL) // its login answer names the socket
	host := strings.TrimPrefix(server.URL, "http://")
	dial := func(origin string) (net.Conn, *bufio.Reader, *http.Response) {
		t.Helper()
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET /ozeki/listener HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: secret=of-this-origin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host, origin)
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, r, res
	}
	conn, r, res := dial(server.URL)
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	frame := func(want string) {
		t.Helper()
		got := make([]byte, 2+len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got[2:]) != want {
			t.Errorf("the frame is %q, want %q (%v)", got, want, err)
		}
	}
	frame("changed")
	masked := []byte{0x81, 0x80 | 4, 1, 2, 3, 4, 'p' ^ 1, 'i' ^ 2, 'n' ^ 3, 'g' ^ 4}
	if _, err := conn.Write(masked); err != nil {
		t.Fatal(err)
	}
	frame("ping")
	if _, _, res := dial("https://evil.example"); res.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site gets %s", res.Status)
	}
}
