package chatserver

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/ozeki"
)

// signedCalls are all calls that bear a signature and a station and are offered.
var signedCalls = slices.Concat(groupCalls, workspaceCalls, []ozeki.Call{
	ozeki.CallAvailability, ozeki.CallLogout, ozeki.CallFriends, ozeki.CallFriendAdd, ozeki.CallConversations, ozeki.CallConversationCreate,
	ozeki.CallFavorite, ozeki.CallUnfavorite, ozeki.CallMute, ozeki.CallUnmute, ozeki.CallColor, ozeki.CallHide, ozeki.CallUnhide,
	ozeki.CallAdd, ozeki.CallDownload, ozeki.CallDownloadPartial, ozeki.CallBlocklist, ozeki.CallBlock, ozeki.CallUnblock,
	ozeki.CallMessageEdit, ozeki.CallMessageDelete,
})

func TestOnlyTheUserOfTheStationMayCall(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	alice2 := alice.signIn()
	gone := alice.signIn()
	if err := gone.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	nobody := *alice
	nobody.id = ozeki.UserIDOf("nobody@example.com")
	c := f.direct(alice, bob)
	ids := map[string]ozeki.UserID{"Alice": alice.id, "Bob": bob.id, "nobody": nobody.id, "none": "", "capitals": ozeki.UserID(strings.ToUpper(string(alice.id)))}
	stations := map[string]ozeki.StationID{"Alice": alice.station, "Alice's second": alice2.station, "Bob": bob.station,
		"unknown": ozeki.NewStationID(), "signed out": gone.station, "none": "", "capitals": ozeki.StationID(strings.ToUpper(string(alice.station)))}
	signers := map[string]*user{"Alice": alice, "Bob": bob}
	words := map[string]bool{}
	for idName, id := range ids {
		for stationName, station := range stations {
			for signerName, signer := range signers {
				body := f.body(ozeki.CallUnfavorite, field("conversationid", c.ID), field("requestid", ozeki.NewRequestID()))
				r := signer.raw(ozeki.CallUnfavorite, body)
				r.header[ozeki.HeaderUser], r.header[ozeki.HeaderStation] = string(id), string(station)
				want := ozeki.CodeSignature
				if idName == signerName && (stationName == idName || idName == "Alice" && stationName == "Alice's second") {
					want = ""
				}
				a := f.send(r)
				if a.ErrorCode != want || a.http != 200 {
					t.Errorf("user %s, station %s, signed by %s: %s, want %q", idName, stationName, signerName, a.body, want)
				}
				if want != "" {
					words[a.body] = true
				}
			}
		}
	}
	if len(words) != 1 {
		t.Errorf("refusals can be told apart: %v", words)
	}
	for _, call := range signedCalls {
		r := alice.raw(call, f.body(call))
		r.header[ozeki.HeaderUser] = string(bob.id)
		f.send(r).want(t, ozeki.CodeSignature)
		r = bob.raw(call, f.body(call))
		r.header[ozeki.HeaderStation] = string(alice.station)
		f.send(r).want(t, ozeki.CodeSignature)
		for _, signature := range []string{"", "x", "####", "AAAA", strings.Repeat("A", 344)} {
			r = alice.raw(call, f.body(call))
			r.header[ozeki.HeaderSignature] = signature
			f.send(r).want(t, ozeki.CodeSignature)
		}
	}
}

func TestOneChangedByteIsRefused(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	body := f.body(ozeki.CallFavorite, field("requestid", ozeki.NewRequestID()), field("conversationid", c.ID))
	good := alice.raw(ozeki.CallFavorite, body)
	random := rand.New(rand.NewPCG(1, 2))
	send := func(body, signature string) answer {
		r := raw{good.method, good.query, body, map[string]string{}}
		for k, v := range good.header {
			r.header[k] = v
		}
		r.header[ozeki.HeaderSignature] = signature
		return f.send(r)
	}
	for i := range body {
		b := []byte(body)
		b[i] ^= 1 << random.IntN(8)
		if a := send(string(b), good.header[ozeki.HeaderSignature]); a.Status == "OK" || a.ErrorCode != ozeki.CodeSignature && a.ErrorCode != ozeki.CodeInvalid {
			t.Errorf("body byte %d: %s", i, a.body)
		}
	}
	for _, b := range []string{body + " ", " " + body, strings.Replace(body, ",", ", ", 1)} {
		send(b, good.header[ozeki.HeaderSignature]).want(t, ozeki.CodeSignature)
	}
	signature, err := base64.StdEncoding.DecodeString(good.header[ozeki.HeaderSignature])
	if err != nil {
		t.Fatal(err)
	}
	for i := range signature {
		s := append([]byte(nil), signature...)
		s[i] ^= 1 << random.IntN(8)
		send(body, base64.StdEncoding.EncodeToString(s)).want(t, ozeki.CodeSignature)
	}
	send(body, base64.StdEncoding.EncodeToString(signature[1:])).want(t, ozeki.CodeSignature)
	send(body, base64.StdEncoding.EncodeToString(append(signature, 0))).want(t, ozeki.CodeSignature)
	if got, _ := f.store.Conversation(t.Context(), alice.id, c.ID); got.Favorite {
		t.Error("a forged request had an effect")
	}
	send(body, good.header[ozeki.HeaderSignature]).want(t, "")
}

func TestAStaleClockIsRefusedBothWays(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.user("Alice", 0), f.user("Bob", 1)
	c := f.direct(alice, bob)
	for off, code := range map[time.Duration]string{
		-5*time.Minute - time.Second: ozeki.CodeClock, -5 * time.Minute: "", -time.Minute: "", 0: "",
		5 * time.Minute: "", 5*time.Minute + time.Second: ozeki.CodeClock, 24 * time.Hour: ozeki.CodeClock, -24 * time.Hour: ozeki.CodeClock,
	} {
		for _, call := range []ozeki.Call{ozeki.CallFavorite, ozeki.CallFriends} {
			body := fmt.Sprintf(`{"action":%q,"timestamp":%q,"requestid":%q,"conversationid":%q}`, call.Action,
				ozeki.TimeOf(f.clock.now().Add(off)), ozeki.NewRequestID(), c.ID)
			f.send(alice.raw(call, body)).want(t, code)
		}
	}
	f.send(alice.raw(ozeki.CallFriends, `{"action":"list"}`)).want(t, ozeki.CodeInvalid)
	f.send(alice.raw(ozeki.CallFriends, `{"action":"list","timestamp":""}`)).want(t, ozeki.CodeInvalid)
}

// A forged request with a stale clock is refused for its signature: the clock is told to the owner of the key only.
func TestTheSignatureIsLookedAtBeforeTheClock(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	r := alice.raw(ozeki.CallFriends, `{"action":"list","timestamp":"2020-01-01 00:00:00"}`)
	f.send(r).want(t, ozeki.CodeClock)
	r.header[ozeki.HeaderSignature] = alice.raw(ozeki.CallFriends, "{}").header[ozeki.HeaderSignature]
	f.send(r).want(t, ozeki.CodeSignature)
}

func TestAClientWithAWrongClockCorrectsItself(t *testing.T) {
	f := newFixture(t)
	alice := f.user("Alice", 0)
	c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Clock: func() time.Time { return f.clock.now().Add(-3 * time.Hour) }})
	c.SetSession(alice.Session())
	if _, err := c.Friends(t.Context()); err != nil {
		t.Error(err)
	}
	if off := c.ClockOffset(); off < 3*time.Hour-time.Second || off > 3*time.Hour+time.Second {
		t.Errorf("offset %v", off)
	}
}

func TestTheOtherSchemesAreVerifiedToo(t *testing.T) {
	for _, name := range []string{"sha1", "sha512"} {
		f := newFixture(t)
		alice := f.user("Alice", 0)
		other, err := ozeki.SchemeByName(name)
		if err != nil {
			t.Fatal(err)
		}
		srv := New(Config{Store: f.store, Scheme: other, Clock: f.clock.now, PublicPath: testPath})
		f.http.Config.Handler = srv
		if _, err := alice.Friends(t.Context()); err == nil {
			t.Errorf("%s took a signature of %s", name, scheme.Name())
		}
		key, err := other.ImportKey(t.Context(), alice.key.pkcs1)
		if err != nil {
			t.Fatal(err)
		}
		c := ozeki.NewClient(ozeki.Options{Base: f.http.URL + testPath, Scheme: other, Clock: f.clock.now})
		c.SetSession(&ozeki.Session{UserID: alice.id, Station: alice.station, Key: key})
		if _, err := c.Friends(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}
}
