//go:build !js

package engine

import (
	"context"
	"slices"
	"testing"

	"starling/app/state"
)

// A long list is shown as it comes, what is seen first in front, and is whole in the end.
func TestALongListComesInPages(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	const n = listFirst + 2*listPage + 5
	ids := s.groups(a, n)
	for name, at := range map[string]func(call int) fault{
		"":               func(int) fault { return fault{} },
		"a page is lost": func(call int) fault { return fault{before: call == 3} },
	} {
		t.Run(name, func(t *testing.T) {
			p := s.device(a, nil)
			p.until("it asks to sign in", signedOut)
			hold := make(chan struct{})
			p.wire.set(func(call string, n int) fault {
				if call != "chatconversation list" {
					return fault{}
				}
				f := at(n)
				if n == 2 {
					f.first = hold
				}
				return f
			})
			if err := p.SignInWithKey(t.Context(), p.cred.APIKey, p.cred.EncryptionPassword); err != nil {
				t.Fatal(err)
			}
			v := p.until("the first page is there", func(v *state.Snapshot) bool { return v.Total == listFirst })
			if v.Loaded {
				t.Error("it is said to be whole")
			}
			id := slices.Concat(v.Favorites, v.Conversations)[0].ID
			on := name == ""
			p.Star(id, on)
			p.until("a star is set meanwhile", settled(id, on))
			p.Open(id)
			p.until("it can be written in meanwhile", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Loaded && !v.Open.Opening })
			close(hold)
			eventually(t, "all of it is there", func() bool {
				p.timers.run(PollActive, maxPollDelay)
				v := p.Snapshot()
				return v.Loaded && v.Total == n && v.Trouble == ""
			})
			for _, id := range ids {
				if _, ok := p.Snapshot().Row(id); !ok {
					t.Fatalf("%s is missing", id)
				}
			}
			if !settled(id, on)(p.Snapshot()) {
				t.Error("a later page has taken the star back")
			}
		})
	}
}

// The other pages of a long list leave the user alone while he is in the middle of something.
func TestALongListWaitsForTheUser(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	const n = listFirst + listPage + 5
	s.groups(a, n)
	calm := make(chan struct{})
	p := s.device(a, nil, func(o *Options) {
		o.Calm = func(ctx context.Context) {
			select {
			case <-calm:
			case <-ctx.Done():
			}
		}
	})
	p.until("it asks to sign in", signedOut)
	if err := p.SignInWithKey(t.Context(), p.cred.APIKey, p.cred.EncryptionPassword); err != nil {
		t.Fatal(err)
	}
	v := p.until("the first page is there, with what is seen of it", func(v *state.Snapshot) bool {
		return v.Total == listFirst && slices.ContainsFunc(v.Conversations, func(r *state.Row) bool { return r.Opened })
	})
	id := slices.Concat(v.Favorites, v.Conversations)[0].ID
	p.Star(id, true)
	p.until("a star is set meanwhile", settled(id, true))
	if v := p.Snapshot(); v.Total != listFirst || v.Loaded {
		t.Errorf("%d conversations are there before the user pauses", v.Total)
	}
	close(calm)
	eventually(t, "all of it is there", func() bool {
		p.timers.run(PollActive, maxPollDelay)
		v := p.Snapshot()
		return v.Loaded && v.Total == n
	})
}
