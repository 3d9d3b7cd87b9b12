// Package bustest is the contract of bus.Bus as tests: every implementation passes the same ones.
package bustest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/chatserver/bus"
	"starling/ozeki"
)

const patience = 10 * time.Second

// Run holds an implementation to the contract. open returns two ends of one bus, as two nodes have them (the same one
// twice, if it has one end only), and closes them at the end of the test.
func Run(t *testing.T, open func(t *testing.T) (here, there bus.Bus)) {
	hint := func(n int) bus.Hint {
		return bus.Hint{Users: []ozeki.UserID{ozeki.UserIDOf(fmt.Sprint(n)), ozeki.UserIDOf("Ő")}}
	}
	receive := func(t *testing.T, c <-chan bus.Hint, want bus.Hint) {
		t.Helper()
		select {
		case got := <-c:
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		case <-time.After(patience):
			t.Error("the hint did not come")
		}
	}

	t.Run("a hint reaches every subscriber on every node", func(t *testing.T) {
		here, there := open(t)
		var all []chan bus.Hint
		for _, b := range []bus.Bus{here, here, there} {
			c := make(chan bus.Hint, 10)
			defer b.Subscribe(func(h bus.Hint) { c <- h })()
			all = append(all, c)
		}
		typing, signedOut := hint(2), hint(3)
		typing.Typing = &bus.Typing{Conversation: ozeki.NewConversationID(), User: ozeki.UserIDOf("typist")}
		signedOut.SignedOut = ozeki.NewStationID()
		for _, h := range []bus.Hint{hint(0), typing, signedOut, hint(1)} {
			for _, b := range []bus.Bus{here, there} {
				if err := b.Publish(t.Context(), h); err != nil {
					t.Fatal(err)
				}
				for _, c := range all {
					receive(t, c, h)
				}
			}
		}
	})

	t.Run("nobody has to listen", func(t *testing.T) {
		here, _ := open(t)
		if err := here.Publish(t.Context(), hint(1)); err != nil {
			t.Error(err)
		}
		if err := here.Publish(t.Context(), bus.Hint{}); err != nil {
			t.Error(err)
		}
	})

	t.Run("after cancel nothing comes any more", func(t *testing.T) {
		here, _ := open(t)
		var ended atomic.Bool
		cancel := here.Subscribe(func(bus.Hint) {
			if ended.Load() {
				t.Error("called after cancel")
			}
		})
		still := make(chan bus.Hint, 1000)
		defer here.Subscribe(func(h bus.Hint) { still <- h })()
		var publishers sync.WaitGroup
		for i := range 4 {
			publishers.Go(func() {
				for range 50 {
					if err := here.Publish(t.Context(), hint(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		cancel()
		ended.Store(true)
		cancel()
		publishers.Wait()
		for range 200 {
			select {
			case <-still:
			case <-time.After(patience):
				t.Fatal("the other subscriber was cancelled as well")
			}
		}
	})

	t.Run("a closed bus says so", func(t *testing.T) {
		here, _ := open(t)
		cancel := here.Subscribe(func(bus.Hint) { t.Error("called") })
		for range 2 {
			if err := here.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := here.Publish(t.Context(), hint(1)); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("error %v", err)
		}
		cancel()
		here.Subscribe(func(bus.Hint) { t.Error("called") })()
	})
}
