package app

import (
	"context"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// pushState is what has become of notifications on this device.
type pushState string

const (
	pushUnsupported pushState = "unsupported" // the browser has no push messages
	pushUnoffered   pushState = "unoffered"   // the server sends none
	pushBlocked     pushState = "blocked"     // the browser does not let this site show any
	pushOff         pushState = "off"
	pushOn          pushState = "on"
)

// words say what there is to know, and what to do.
func (p pushState) words() string {
	switch p {
	case pushUnsupported:
		return "This browser cannot be notified while Starling is closed. On an iPhone or iPad, add Starling to the Home Screen and open it from there."
	case pushUnoffered:
		return "This server does not send notifications."
	case pushBlocked:
		return "The browser blocks notifications of this site. Allow them in the browser's settings of this site, beside its address, and open these settings again."
	case pushOn:
		return "This device is notified of new messages while nobody looks at Starling. A notification shows no name and no text."
	case pushOff, "": // not known yet: it takes the room of what it most likely is
		return "Be notified of new messages on this device while nobody looks at Starling. A notification shows no name and no text."
	}
	return ""
}

// notifications is the part of the settings that turns notifications on and off.
type notifications struct {
	goapp.Compo

	State   pushState
	Actions *root

	task
}

// OnMount keeps the component's own context.
func (n *notifications) OnMount(ctx goapp.Context) { n.ctx = ctx }

// Render draws what the state is and the button that changes it.
func (n *notifications) Render() goapp.UI {
	label := map[pushState]string{"": "Turn on notifications", pushOff: "Turn on notifications", pushOn: "Turn off notifications"}[n.State]
	return el("div").Body(
		el("h3").Text("Notifications"),
		el("p").Class("hint").Attr("role", "status").Text(n.State.words()),
		n.trouble(),
		el("p").Body(goapp.If(label != "",
			el("button").ID("notifications").Attr("type", "button").Class("secondary").Aria("busy", boolText(n.busy || n.State == "")).Text(label).OnClick(n.toggle),
		)),
	)
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (n *notifications) toggle(goapp.Context, goapp.Event) {
	if n.State == "" {
		return
	}
	do := n.Actions.turnPushOn
	if n.State == pushOn {
		do = n.Actions.turnPushOff
	}
	n.work(do, func() { go n.Actions.lookAtPush() })
}

// turnPushOn asks the user for the permission, the browser for a subscription, and tells the server of it. It blocks.
func (r *root) turnPushOn() error {
	ctx := context.Background()
	if !askToNotify() {
		return nil // the state says that it is blocked, or the user has not decided
	}
	key, err := r.engine.PushKey(ctx)
	if err != nil {
		return err
	}
	s, err := subscribePush(key)
	if err != nil {
		return err
	}
	if err := r.engine.SubscribePush(ctx, s); err != nil {
		_ = unsubscribePush() // nobody would send to it
		return err
	}
	setPref("pushed", s.Endpoint)
	return nil
}

// turnPushOff ends the subscription here and on the server. It blocks.
func (r *root) turnPushOff() error {
	if err := unsubscribePush(); err != nil {
		return err
	}
	setPref("pushed", "")
	_ = r.engine.UnsubscribePush(context.Background()) // where this fails, the push service tells the server with the next push
	return nil
}

// lookAtPush finds out what the state of notifications is. It blocks.
func (r *root) lookAtPush() {
	is := pushPermission()
	if is == pushOff {
		if _, subscribed := pushSubscription(); subscribed {
			is = pushOn
		}
	}
	if is != pushUnsupported && !r.engine.Snapshot().Has(ozeki.ExtPush) {
		is = pushUnoffered
	}
	r.ctx.Dispatch(func(goapp.Context) { r.push = is })
}

// renewPush tells the server of a subscription that the browser has changed, and subscribes anew where the browser has lost
// the one that the user wanted. It blocks.
func (r *root) renewPush() {
	if !r.engine.Snapshot().Has(ozeki.ExtPush) {
		return
	}
	s, subscribed := pushSubscription()
	if !subscribed && pref("pushed") != "" && mayNotify() {
		key, err := r.engine.PushKey(context.Background())
		if err == nil {
			s, err = subscribePush(key)
		}
		subscribed = err == nil // else at the next start
	}
	if !subscribed || s.Endpoint == pref("pushed") {
		return
	}
	if err := r.engine.SubscribePush(context.Background(), s); err == nil { // else at the next start
		setPref("pushed", s.Endpoint)
	}
}

// endPush leaves nothing of the notifications on a device that has no session any more. The server forgets the subscription
// with the session. The user is told if he is to be, and there was one. It blocks.
func (r *root) endPush(tell bool) {
	if pref("pushed") != "" { // else the device is left with an entry that it had not
		setPref("pushed", "")
	}
	if _, had := pushSubscription(); had && tell {
		r.ctx.Dispatch(func(goapp.Context) {
			if r.phase == "out" {
				r.quiet = true
				setPhase(r.phase, r.signInReason())
			}
		})
	}
	_ = unsubscribePush() // of a device where it cannot be ended the push service has no keys that open anything any more
	closeNotifications(func(ozeki.ConversationID) bool { return true })
}

// closeRead takes away the notifications of conversations that have been read, here or on another device.
func closeRead(s *state.Snapshot) {
	closeNotifications(func(id ozeki.ConversationID) bool {
		row, known := s.Row(id)
		return known && row.Unread == 0
	})
}
