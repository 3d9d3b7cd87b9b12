//go:build !js

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/app/state"
	"starling/ozeki"
)

// sick is a line to a server that cannot serve one conversation.
type sick struct {
	ozeki.Transport
	mu    sync.Mutex
	id    ozeki.ConversationID // empty: none
	fail  func(ctx context.Context) (*ozeki.Response, error)
	tried map[string]int // calls about it
}

func (s *sick) Post(ctx context.Context, url string, header map[string]string, body []byte) (*ozeki.Response, error) {
	s.mu.Lock()
	call := callName(url, body)
	ill := s.id != "" && bytes.Contains(body, []byte(`"conversationid":"`+string(s.id)))
	if ill {
		s.tried[call]++
	}
	fail := s.fail
	s.mu.Unlock()
	if ill {
		return fail(ctx)
	}
	return s.Transport.Post(ctx, url, header, body)
}

func (s *sick) set(id ozeki.ConversationID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = id
}

func (s *sick) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried[call]
}

func TestTroubleWithOneConversationLeavesTheOthersAlone(t *testing.T) {
	busy := func(context.Context) (*ozeki.Response, error) {
		b, err := json.Marshal(ozeki.Answer{Status: "ERROR", ErrorCode: ozeki.CodeInternal})
		return &ozeki.Response{Status: 503, ContentType: "application/json", Body: b}, err
	}
	late := func(context.Context) (*ozeki.Response, error) {
		return nil, fmt.Errorf("%w: %w", ozeki.ErrUnreachable, context.DeadlineExceeded)
	}
	for name, fail := range map[string]func(context.Context) (*ozeki.Response, error){"it is not available": busy, "it does not answer": late} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			a := s.account(0)
			ids := s.groups(a, 2)
			ill, well := ids[0], ids[1]
			line := &sick{fail: fail, tried: map[string]int{}}
			var offline atomic.Bool
			p := s.signedIn(a, func(o *Options) {
				line.Transport = ozeki.NewTransport()
				o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: line})
				o.Jitter = func(most time.Duration) time.Duration { return most / 4 }
				change := o.OnChange
				o.OnChange = func(v *state.Snapshot) {
					if v.Offline {
						offline.Store(true)
					}
					change(v)
				}
			})
			p.Mute(well, true)
			p.until("the server is heard", func(v *state.Snapshot) bool { return row(v, well).Muted && row(v, well).Saving == state.FlagSettled })
			line.set(ill)
			if err := p.Send(ill, "later"); err != nil {
				t.Fatal(err)
			}
			p.until("it is queued", func(v *state.Snapshot) bool { return v.Unsent == 1 && line.count("chatconversation add") == 1 })
			if err := p.Send(well, "now"); err != nil {
				t.Fatal(err)
			}
			p.Star(well, true)
			p.until("the star of the other is confirmed", settled(well, true))
			eventually(t, "the other's message is stored", func() bool { return len(s.messages(a, well)) == 1 })

			// Five eighths of 2, 4, 8, 16, 30 and 30 seconds: longer with each, and never longer than half a minute.
			for n, pause := range []time.Duration{1250, 2500, 5000, 10000, 18750, 18750} {
				pause *= time.Millisecond
				eventually(t, fmt.Sprint("there is a pause of ", pause), func() bool { return slices.Contains(p.timers.durations(), pause) })
				p.Wake() // polls get through, and it is left alone all the same
				eventually(t, "there is a poll to come", func() bool { return slices.Contains(p.timers.durations(), PollActive) })
				if tried := line.count("chatconversation add"); tried != n+1 {
					t.Fatalf("in the pause of %v it was tried for the %d. time", pause, tried)
				}
				p.timers.run(pause, pause)
				eventually(t, "it is tried again", func() bool { return line.count("chatconversation add") == n+2 })
			}
			if offline.Load() {
				t.Error("the line was called down")
			}
			line.set("")
			eventually(t, "the last pause is over", func() bool { return p.timers.run(18750*time.Millisecond, 18750*time.Millisecond) == 1 })
			p.until("all is sent", func(v *state.Snapshot) bool { return v.Unsent == 0 })
			if n := len(s.messages(a, ill)); n != 1 {
				t.Errorf("the server has it %d times", n)
			}
		})
	}
}

// A message whose conversation pauses says so, and the user need not wait for the end of the pause. Where it is the line, it
// waits for that.
func TestAPauseIsSaidAndEndsWhenTheUserWantsItTo(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	var cutOff atomic.Bool
	line := &sick{tried: map[string]int{}, fail: func(context.Context) (*ozeki.Response, error) {
		if cutOff.Load() {
			return nil, ozeki.ErrUnreachable
		}
		b, err := json.Marshal(ozeki.Answer{Status: "ERROR", ErrorCode: ozeki.CodeInternal})
		return &ozeki.Response{Status: 503, ContentType: "application/json", Body: b}, err
	}}
	p := s.signedIn(a, func(o *Options) {
		line.Transport = ozeki.NewTransport()
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: line})
	})
	p.Open(id)
	p.until("it is open", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Loaded })
	all := func(want state.MessageState) func(*state.Snapshot) bool {
		return func(v *state.Snapshot) bool {
			return len(v.Open.Messages) == 2 && !slices.ContainsFunc(v.Open.Messages, func(m state.Message) bool { return m.State != want })
		}
	}
	line.set(id)
	for _, text := range []string{"first", "second"} {
		if err := p.Send(id, text); err != nil {
			t.Fatal(err)
		}
	}
	p.until("both say that they wait for a pause to be over", all(state.MessagePaused))
	first := p.Engine.Snapshot().Open.Messages[0].ID
	tried := line.count("chatconversation add")
	p.Retry(id, first)
	eventually(t, "it is tried at once", func() bool { return line.count("chatconversation add") > tried })
	p.until("the pause goes on", all(state.MessagePaused))

	cutOff.Store(true)
	p.Retry(id, first)
	p.until("they wait for the connection", func(v *state.Snapshot) bool { return v.Open.Messages[0].State == state.MessageQueued })
	cutOff.Store(false)
	p.Wake()
	p.until("and pause again when it is back", all(state.MessagePaused))
	p.Discard(id, first)
	p.until("what may have arrived stays", func(v *state.Snapshot) bool {
		return len(v.Notices) == 1 && strings.Contains(v.Notices[0].Text, "when the server takes it")
	})

	line.set("")
	p.Retry(id, first)
	p.until("both are sent", func(v *state.Snapshot) bool { return v.Unsent == 0 })
	if n := len(s.messages(a, id)); n != 2 {
		t.Errorf("the server has %d messages, want 2", n)
	}
}

// What waits for the connection is never shown before the connection is said to be down: a poll that gets through in between
// would end nothing, and the line would be called down until the next.
func TestAMessageWaitsForTheConnectionOnlyWhileItIsDown(t *testing.T) {
	s := newServer(t)
	a := s.account(0)
	id := s.groups(a, 1)[0]
	line := &sick{tried: map[string]int{}, fail: func(context.Context) (*ozeki.Response, error) { return nil, ozeki.ErrUnreachable }}
	var early atomic.Bool
	p := s.signedIn(a, func(o *Options) {
		line.Transport = ozeki.NewTransport()
		o.Client = ozeki.NewClient(ozeki.Options{Base: s.http.URL + apiPath, Scheme: scheme, Transport: line})
		change := o.OnChange
		o.OnChange = func(v *state.Snapshot) {
			if o := v.Open; o != nil && len(o.Messages) == 1 && o.Messages[0].State == state.MessageQueued && !v.Offline {
				early.Store(true)
			}
			change(v)
		}
	})
	p.Open(id)
	p.until("it is open", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Loaded })
	line.set(id)
	if err := p.Send(id, "text"); err != nil {
		t.Fatal(err)
	}
	p.until("it waits for the connection", func(v *state.Snapshot) bool {
		return len(v.Open.Messages) == 1 && v.Open.Messages[0].State == state.MessageQueued
	})
	if early.Load() {
		t.Error("it was shown to wait while the connection was said to be there")
	}
}

// Between polls in vain the waits grow to half a minute and differ from client to client.
func TestPollsInVainComeLessAndLessOften(t *testing.T) {
	s := newServer(t)
	p := s.signedIn(s.account(0), func(o *Options) { o.Jitter = func(most time.Duration) time.Duration { return most / 4 } })
	eventually(t, "a poll has got through", func() bool { return slices.Contains(p.timers.durations(), PollActive) })
	p.wire.set(only(fault{before: true}, "poll")) // another call that fails asks for a poll by itself
	for _, wait := range []time.Duration{2000, 2000, 2500, 5000, 10000, 18750, 18750, 18750} {
		wait *= time.Millisecond
		n := p.wire.sent("poll")
		eventually(t, fmt.Sprint("there is a poll after ", wait), func() bool { return p.timers.run(wait, wait) == 1 })
		eventually(t, "it is made", func() bool { return p.wire.sent("poll") == n+1 })
	}
}
