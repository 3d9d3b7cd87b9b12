package e2e

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// inOwnBrowser is a person in a browser process of its own, on a profile that may be an earlier one's. close ends the
// process.
func inOwnBrowser(t *testing.T, profile, address string) (p *person, close func()) {
	t.Helper()
	root, stop, err := launch(profile)
	if err != nil {
		t.Fatal(err)
	}
	close = sync.OnceFunc(stop)
	t.Cleanup(close)
	p = &person{t, openTab(t, root, ""), address}
	allowConsole(t, p.ctx, "Failed to load resource")
	allowConsole(t, p.ctx, "WebSocket connection")
	return p, close
}

// onDevice waits until the device keeps texts for reading without a connection, in records whose names begin so. It opens
// what is kept as the program does, and sees to it that nothing of it stands there in clear.
func (p *person) onDevice(records string, texts ...string) {
	p.t.Helper()
	p.eventually("the device has kept what was read", func() error {
		var kept struct{ Open, Raw string }
		err := p.tryJS(`(async records => {
			const all = (name, store) => new Promise((good, bad) => {
				const r = indexedDB.open(name)
				r.onerror = bad
				r.onupgradeneeded = () => r.transaction.abort()
				r.onsuccess = () => {
					const s = r.result.transaction(store).objectStore(store), keys = s.getAllKeys(), values = s.getAll()
					values.onsuccess = () => { r.result.close(); good(Object.fromEntries(keys.result.map((k, i) => [k, values.result[i]]))) }
				}
			})
			const {key, ...sealed} = await all("starling-shelf", "shelf")
			if (key.extractable) throw new Error("the key can be read")
			const {station} = JSON.parse((await all("starling", "vault")).session.json)
			let open = "", raw = ""
			for (const [name, r] of Object.entries(sealed)) {
				const additionalData = new TextEncoder().encode(station + "/" + name)
				const text = new TextDecoder().decode(await crypto.subtle.decrypt({name: "AES-GCM", iv: r.iv, additionalData}, key, r.data))
				if (name.startsWith(records)) open += text
				raw += new TextDecoder("latin1").decode(r.data)
			}
			return {open, raw}
		})(`+strconv.Quote(records)+`)`, &kept)
		for _, text := range texts {
			if err == nil && strings.Contains(kept.Raw, text) {
				p.t.Fatalf("%q is kept in clear", text)
			}
			if err == nil && !strings.Contains(kept.Open, text) {
				err = fmt.Errorf("%q is not kept yet", text)
			}
		}
		return err
	})
}

// filesKept waits until the page starts without a network.
func (p *person) filesKept() {
	p.t.Helper()
	p.js(`navigator.serviceWorker.ready.then(() => 1)`, nil)
	p.eventually("the files are kept", func() error {
		var n int
		err := p.tryJS(`(async () => { let n = 0; for (const name of await caches.keys()) n += (await (await caches.open(name)).keys()).length; return n })()`, &n)
		if err != nil || n < 8 {
			return fmt.Errorf("%d files, %w", n, err)
		}
		return nil
	})
}

// Who starts the browser without a server reads what was there, writes, and it is delivered later; what came meanwhile is
// there too.
func TestConversationsAreReadAndWrittenInAFreshBrowserWithoutTheServer(t *testing.T) {
	t.Parallel()
	server := startDemo(t)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	profile := t.TempDir()
	p, closeBrowser := inOwnBrowser(t, profile, server.URL)
	newAlice(p)
	p.filesKept()
	p.OpenConversation("Bob Baker")
	p.Say("Bob Baker", "Remember this, Bob")
	p.SeeMessage("Remember this, Bob")
	p.OpenConversation("Priya Raman")
	p.Say("Priya Raman", "Remember this, Priya")
	p.SeeMessage("Remember this, Priya")
	p.onDevice("messages/", `"text":"Remember this, Bob"`, `"text":"Remember this, Priya"`)
	closeBrowser()
	server.Stop()

	p, _ = inOwnBrowser(t, profile, server.URL)
	p.Visit("/")
	p.SeeFavorite("Bob Baker")
	p.SeeOffline()
	p.OpenConversation("Bob Baker")
	p.SeeMessage("Remember this, Bob")
	p.OpenConversation("Priya Raman")
	p.SeeMessage("Remember this, Priya")
	p.Say("Priya Raman", "Written in the tunnel")
	p.SeeWaiting("Written in the tunnel")

	again := startAt(t, server.Data, net.JoinHostPort(u.Hostname(), u.Port()))
	other := newPerson(t, again.URL)
	other.Visit("/")
	other.SignIn(bob, demoPassword)
	other.OpenConversation("Alice Ashford")
	other.SeeMessage("Remember this, Bob")
	other.Say("Alice Ashford", "While you were away")
	p.SeeMessage("Written in the tunnel")
	p.SeeOnline()
	p.OpenConversation("Bob Baker")
	p.SeeMessage("While you were away")
	p.SignOut()
	p.eventually("the device is wiped", func() error {
		left, err := p.kept()
		if err == nil && left != "" {
			err = fmt.Errorf("left behind: %s", left)
		}
		return err
	})
}

// The browser is asked not to clear what is kept once there is something to keep, and not before.
func TestTheBrowserIsAskedToKeepWhatIsStored(t *testing.T) {
	t.Parallel()
	p := newPerson(t, startDemo(t).URL)
	p.Visit("/")
	p.SeeSignIn()
	p.js(`(() => { window.asked = 0; StorageManager.prototype.persist = async () => { asked++; return true } })()`, nil)
	p.SignIn(alice, demoPassword)
	p.SeeSidebar()
	p.eventually("it is asked", func() error { return p.holds(`asked === 1`) })
	p.Reload()
	p.js(`(() => { window.asked = 0; StorageManager.prototype.persist = async () => { asked++; return true } })()`, nil)
	p.SeeSidebar()
	p.Star("Priya Raman")
	p.SeeSettled("Priya Raman")
	if err := p.holds(`asked === 0`); err != nil {
		t.Error("it is asked at each start")
	}
}
