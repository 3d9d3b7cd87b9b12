//go:build !js

package app

import (
	"slices"
	"testing"

	"starling/app/state"
)

func TestTheMarkOfAMessageSaysWhoHasIt(t *testing.T) {
	for _, c := range []struct {
		change func(*state.Message)
		want   string
	}{
		{func(m *state.Message) {}, "Sent"},
		{func(m *state.Message) { m.Receipt, m.DeliveredTo, m.Others = state.ReceiptDelivered, 1, 1 }, "Delivered"},
		{func(m *state.Message) {
			m.Receipt, m.DeliveredTo, m.ViewedBy, m.Others = state.ReceiptViewed, 4, 4, 4
		}, "Viewed"},
		{func(m *state.Message) { m.DeliveredTo, m.Others = 2, 4 }, "Delivered to 2 of 4"},
		{func(m *state.Message) { m.DeliveredTo, m.ViewedBy, m.Others = 3, 1, 4 }, "Delivered to 3 of 4, viewed by 1 of 4"},
		{func(m *state.Message) {
			m.Receipt, m.DeliveredTo, m.ViewedBy, m.Others = state.ReceiptDelivered, 4, 2, 4
		}, "Delivered, viewed by 2 of 4"},
	} {
		parts := receiptParts(entry{Message: saying(1, 0, mine, c.change)})
		if len(parts) != 1 || parts[0].icon == "" || !slices.Equal(parts[0].attributes, []string{"role", "img", "aria-label", c.want, "title", c.want}) {
			t.Errorf("want %q: %+v", c.want, parts)
		}
	}
	for _, m := range []state.Message{saying(1, 0), saying(1, 0, mine, func(m *state.Message) { m.State = state.MessageQueued })} {
		if parts := receiptParts(entry{Message: m}); parts != nil {
			t.Errorf("%+v has the mark %+v", m, parts)
		}
	}
}

func TestARowSaysHowMuchIsUnread(t *testing.T) {
	for n, want := range map[int][2]string{0: {"", ""}, 1: {"1", ", 1 unread"}, 99: {"99", ", 99 unread"}, 100: {"99+", ", more than 99 unread"}} {
		if badge, words := unreadOf(state.Row{Unread: n}); badge != want[0] || words != want[1] {
			t.Errorf("%d: %q %q", n, badge, words)
		}
	}
}

func TestTheTitleSaysHowMuchIsUnread(t *testing.T) {
	open := &state.Open{Row: state.Row{Name: "Anna"}}
	for _, c := range []struct {
		snap state.Snapshot
		want string
	}{
		{state.Snapshot{Phase: state.SignedOut, Unread: 3}, "Starling"},
		{state.Snapshot{Phase: state.SignedIn}, "Starling"},
		{state.Snapshot{Phase: state.SignedIn, Unread: 3}, "(3) Starling"},
		{state.Snapshot{Phase: state.SignedIn, Unread: 300, Open: open}, "(99+) Anna · Starling"},
		{state.Snapshot{Phase: state.SignedIn, Open: open}, "Anna · Starling"},
	} {
		if got := titleOf(&c.snap); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestOnlyRowsThatAreSeenAreAskedFor(t *testing.T) {
	for _, c := range []struct {
		total                int
		height, top, visible float64
		from, to             int
	}{
		{10, 56, 0, 200, 0, 4}, {10, 56, 100, 200, 1, 6}, {3, 56, 0, 900, 0, 3}, {10, 56, 9000, 200, 10, 10}, {10, 0, 0, 900, 0, 0}, {0, 56, 0, 900, 0, 0},
	} {
		if from, to := inView(c.total, c.height, c.top, c.visible); from != c.from || to != c.to {
			t.Errorf("%+v: %d to %d", c, from, to)
		}
	}
}
