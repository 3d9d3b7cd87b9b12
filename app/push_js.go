//go:build js

package app

import (
	"errors"
	"syscall/js"

	"starling/ozeki"
)

// The browser's side of notifications. What waits for the browser blocks, so it is called in the background.

// worker is the registration of the service worker; false where there is none.
func worker() (js.Value, bool) {
	workers := window.Get("navigator").Get("serviceWorker")
	if !workers.Truthy() {
		return workers, false
	}
	r, err := ozeki.Await(func() js.Value { return workers.Call("getRegistration") })
	return r, err == nil && r.Truthy()
}

// pushPermission says what the browser lets this site do: pushOff is that it may ask, or is allowed already.
func pushPermission() pushState {
	notification := window.Get("Notification")
	r, there := worker()
	switch {
	case !notification.Truthy() || !there || !r.Get("pushManager").Truthy():
		return pushUnsupported
	case notification.Get("permission").String() == "denied":
		return pushBlocked
	}
	return pushOff
}

// askToNotify asks the user, if he has not said yes or no yet.
func askToNotify() bool {
	v, err := ozeki.Await(func() js.Value { return window.Get("Notification").Call("requestPermission") })
	return err == nil && v.Type() == js.TypeString && v.String() == "granted"
}

// mayNotify reports whether the user has allowed notifications. It does not ask.
func mayNotify() bool {
	n := window.Get("Notification")
	return n.Truthy() && n.Get("permission").String() == "granted"
}

func subscribePush(key string) (ozeki.PushSubscription, error) {
	r, there := worker()
	if !there {
		return ozeki.PushSubscription{}, errors.New("the service worker is missing: reload the page and try again")
	}
	subscribe := func() (js.Value, error) {
		return ozeki.Await(func() js.Value {
			return r.Get("pushManager").Call("subscribe", map[string]any{"userVisibleOnly": true, "applicationServerKey": key})
		})
	}
	v, err := subscribe()
	if err != nil && unsubscribePush() == nil { // one that was made for another key is in the way
		v, err = subscribe()
	}
	if err != nil {
		return ozeki.PushSubscription{}, err
	}
	return subscriptionOf(v), nil
}

func subscriptionOf(v js.Value) ozeki.PushSubscription {
	o := v.Call("toJSON")
	keys := o.Get("keys")
	return ozeki.PushSubscription{Endpoint: o.Get("endpoint").String(), P256dh: keys.Get("p256dh").String(), Auth: keys.Get("auth").String()}
}

func subscribed() (js.Value, bool) {
	r, there := worker()
	if !there || !r.Get("pushManager").Truthy() {
		return r, false
	}
	v, err := ozeki.Await(func() js.Value { return r.Get("pushManager").Call("getSubscription") })
	return v, err == nil && v.Truthy()
}

// pushSubscription is the one that the browser has, if it has one.
func pushSubscription() (ozeki.PushSubscription, bool) {
	v, is := subscribed()
	if !is {
		return ozeki.PushSubscription{}, false
	}
	return subscriptionOf(v), true
}

// unsubscribePush ends the browser's subscription; where there is none it does nothing.
func unsubscribePush() error {
	v, is := subscribed()
	if !is {
		return nil
	}
	_, err := ozeki.Await(func() js.Value { return v.Call("unsubscribe") })
	return err
}

// closeNotifications takes away those of the conversations that f picks.
func closeNotifications(f func(ozeki.ConversationID) bool) {
	r, there := worker()
	if !there || !r.Get("getNotifications").Truthy() {
		return
	}
	list, err := ozeki.Await(func() js.Value { return r.Call("getNotifications") })
	if err != nil {
		return
	}
	for i := range list.Length() {
		if n := list.Index(i); f(ozeki.ConversationID(n.Get("tag").String())) {
			n.Call("close")
		}
	}
}

// onWorker calls open when a notification is clicked, and changed when the browser has changed its subscription.
func onWorker(open func(ozeki.ConversationID), changed func()) {
	workers := window.Get("navigator").Get("serviceWorker")
	if !workers.Truthy() {
		return
	}
	listen(workers, "message", func(e js.Value) {
		data := e.Get("data")
		if data.Type() != js.TypeObject {
			return
		}
		if v := data.Get("open"); v.Type() == js.TypeString {
			open(ozeki.ConversationID(v.String()))
		}
		if data.Get("resubscribed").Truthy() {
			changed()
		}
	})
}
