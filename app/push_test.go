package app

import (
	"net/url"
	"testing"
)

func TestAnAddressSaysWhatTheProgramIsOpenedFor(t *testing.T) {
	for address, want := range map[string]launch{
		"/":                          {},
		"/?c=abc":                    {open: "abc"},
		"/?new":                      {begin: true},
		"/?unread=":                  {unread: true},
		"/?text=+hello+":             {shared: "hello"},
		"/?title=A&text=B&url=C":     {shared: "A\nB\nC"},
		"/?title=&text=see+C&url=C":  {shared: "see C"},
		"/?text=http%3A%2F%2Fx%2F&c": {shared: "http://x/"},
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if got := launchOf(q.Get, q.Has); got != want {
			t.Errorf("%s: %+v, want %+v", address, got, want)
		}
	}
}

func TestEveryStateOfNotificationsHasItsWords(t *testing.T) {
	seen := map[string]bool{}
	for _, is := range []pushState{pushUnsupported, pushUnoffered, pushBlocked, pushOff, pushOn} {
		if words := is.words(); words == "" || seen[words] {
			t.Errorf("%q says %q", is, words)
		} else {
			seen[words] = true
		}
	}
}
