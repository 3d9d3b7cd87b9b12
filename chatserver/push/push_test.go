package push

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// example is the browser of RFC 8291, 5.
var example = Subscription{
	Endpoint: "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
	P256dh:   "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
	Auth:     "BTBZMqHH6r4Tts7J_aSIgg",
}

func TestAMessageIsSealedAsInTheStandardsExample(t *testing.T) {
	own, err := ecdh.P256().NewPrivateKey(decode(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := example.seal([]byte("When I grow up, I want to be a watermelon"), own, decode(t, "DGv6ra1nlYgDCS1FRnbzlw"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if text := base64.RawURLEncoding.EncodeToString(got); text != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

func TestOnlyWhatIsASubscriptionIsTaken(t *testing.T) {
	if err := example.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Subscription){
		"http":            func(s *Subscription) { s.Endpoint = "http://push.example.net/x" },
		"another port":    func(s *Subscription) { s.Endpoint = "https://push.example.net:8443/x" },
		"a user":          func(s *Subscription) { s.Endpoint = "https://a@push.example.net/x" },
		"no host":         func(s *Subscription) { s.Endpoint = "https:///x" },
		"a long endpoint": func(s *Subscription) { s.Endpoint += strings.Repeat("x", 1024) },
		"no point":        func(s *Subscription) { s.P256dh = s.P256dh[:80] },
		"a wrong point":   func(s *Subscription) { s.P256dh = "BA" + strings.Repeat("A", 85) },
		"a short auth":    func(s *Subscription) { s.Auth = "AAAA" },
	} {
		s := example
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestAKeyIsKeptAndReadAgain(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKey(b)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := k.Public()
	if second, err := again.Public(); err != nil || first != second || len(decode(t, first)) != 65 {
		t.Errorf("%s %s %v", first, second, err)
	}
	if _, err := ParseKey(b[1:]); err == nil {
		t.Error("a damaged key is taken")
	}
}

func TestOnlyThePublicInternetIsReached(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2a00:1450:4001::1": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"192.88.99.1": false, "::7f00:1": false, "::a00:1": false, "::ffff:0:7f00:1": false, "64:ff9b:1::1": false, "100::1": false,
		"fec0::1": false, "3fff::1": false, "2001:db8::1": false, "2001::1": false, "4000::1": false,
		"fe80::1": false, "fd00::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public is %t", address, got)
		}
	}
	asked := false
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer inside.Close()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	client := NewHTTPClient()
	_, err = client.Get(inside.URL)
	if !errors.Is(err, errInside) || asked {
		t.Errorf("an address of this machine: %v", err)
	}
	c := Client{Key: k, HTTP: client, Now: time.Now}
	local := example
	local.Endpoint = "https://localhost/x"
	if err := c.Send(t.Context(), local, Message{TTL: time.Minute}); !errors.Is(err, errInside) {
		t.Errorf("a name of this machine: %v", err)
	}
}
