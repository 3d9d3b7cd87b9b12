//go:build js

package app

import (
	"context"
	"strings"
	"sync"
	"syscall/js"
	"time"

	"starling/ozeki"
	"starling/ozeki/json"
)

// The page, as far as the program touches it outside of its components. Listeners here live as long as the program.

var (
	window   = js.Global()
	document = window.Get("document")
	starling = window.Get("starling") // of first.js
)

func readConfig() (c pageConfig, origin string) {
	text := document.Call("getElementById", "config").Get("textContent").String()
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		panic("the page's configuration is damaged: " + err.Error())
	}
	return c, window.Get("location").Get("origin").String()
}

// announce gives a text to the live region. The same text again is told apart by an invisible space, or it would not be
// read again.
func announce(text string) {
	live := byID("live")
	if live.Get("textContent").String() == text {
		text += "\u00a0"
	}
	live.Set("textContent", text)
}

// onSubmit gives each submitted sign-in form to f, the one that waited for the program first.
func onSubmit(f func(submission)) {
	take := func(kind, fields js.Value, begun func() []byte) {
		m := map[string]string{}
		keys := window.Get("Object").Call("keys", fields)
		for i := range keys.Length() {
			k := keys.Index(i).String()
			m[k] = fields.Get(k).String()
		}
		go f(submission{kind.String(), m, begun})
	}
	starling.Set("submit", js.FuncOf(func(_ js.Value, args []js.Value) any {
		take(args[0], args[1], nil)
		return nil
	}))
	if w := starling.Get("waiting"); w.Truthy() {
		starling.Delete("waiting")
		take(w.Index(0), w.Index(1), func() (master []byte) {
			derived, err := ozeki.Await(func() js.Value { return w.Index(2) })
			if err != nil || !derived.Truthy() {
				return nil
			}
			view := window.Get("Uint8Array").New(derived)
			master = make([]byte, view.Length())
			js.CopyBytesToGo(master, view)
			view.Call("fill", 0)
			return master
		})
	}
}

// clickedStars are the stars that were clicked before the program was there: favorites or not, by conversation. A repeat
// has none.
func clickedStars() map[ozeki.ConversationID]bool {
	stars, list := map[ozeki.ConversationID]bool{}, starling.Call("clickedStars")
	for i := range list.Length() {
		stars[ozeki.ConversationID(list.Index(i).Index(0).String())] = list.Index(i).Index(1).Truthy()
	}
	return stars
}

func submitted(kind, words, field string) { starling.Call("submitted", kind, words, field) }
func setPhase(phase, reason string)       { starling.Call("phase", phase, reason) }

// setBadge shows a number at the installed program's icon, where the system can; 0 takes it away.
func setBadge(n int) {
	if navigator := window.Get("navigator"); navigator.Get("setAppBadge").Truthy() {
		navigator.Call("setAppBadge", n).Call("catch", ignore) // where the program is not installed it may be refused
	}
}

var ignore = js.FuncOf(func(js.Value, []js.Value) any { return nil })

func byID(id string) js.Value    { return document.Call("getElementById", id) }
func pref(name string) string    { return storage("get", "starling."+name).String() }
func setPref(name, value string) { storage("set", "starling."+name, value) }
func setTheme(theme string)      { document.Get("documentElement").Get("dataset").Set("theme", theme) }
func isTouch() bool              { return window.Call("matchMedia", "(pointer: coarse)").Get("matches").Bool() }
func openDialog(id string)       { callDialog(id, "showModal", false) }
func closeDialog(id string)      { callDialog(id, "close", true) }
func formatTime(t time.Time) string {
	return intl(&timeFormat, t, map[string]any{"timeStyle": "short"})
}
func formatDay(t time.Time) string { return intl(&dayFormat, t, map[string]any{"dateStyle": "full"}) }
func formatShort(t time.Time) string {
	return intl(&shortFormat, t, map[string]any{"day": "numeric", "month": "short"})
}

var timeFormat, dayFormat, shortFormat js.Value

// intl formats in the browser's language and time zone.
func intl(format *js.Value, t time.Time, options map[string]any) string {
	if format.IsUndefined() {
		*format = window.Get("Intl").Get("DateTimeFormat").New(js.Undefined(), options)
	}
	return format.Call("format", t.UnixMilli()).String()
}

// localDay names the day of a moment in the browser's time zone, for grouping.
func localDay(t time.Time) string {
	return window.Get("Date").New(t.UnixMilli()).Call("toDateString").String()
}

// storage calls first.js's localStorage, which never throws: where storage is switched off or full, preferences last as
// long as the page.
func storage(call string, args ...any) js.Value { return starling.Get("storage").Call(call, args...) }

func callDialog(id, method string, open bool) {
	if d := byID(id); d.Truthy() && d.Get("open").Bool() == open {
		d.Call(method)
	}
}

func isDialogOpen(id string) bool {
	d := byID(id)
	return d.Truthy() && d.Get("open").Bool()
}

func setChecked(id string, on bool) { ifThere(id, func(e js.Value) { e.Set("checked", on) }) }

// An invite link is this page's address with the token in its fragment, which browsers send to nobody.
const inviteMark = "#invite="

// inviteToken returns the token of the invite link in the address bar, empty for none.
func inviteToken() string {
	token, found := strings.CutPrefix(window.Get("location").Get("hash").String(), inviteMark)
	if !found {
		return ""
	}
	return token
}

func inviteLink(token string) string {
	return window.Get("location").Get("origin").String() + "/" + inviteMark + token
}

// forgetInvite takes the invite link out of the address bar.
func forgetInvite() {
	if inviteToken() != "" {
		location := window.Get("location")
		window.Get("history").Call("replaceState", nil, "", location.Get("pathname").String()+location.Get("search").String())
	}
}

// onInvite calls f when another fragment has come into the address bar.
func onInvite(f func()) { listen(window, "hashchange", func(js.Value) { f() }) }

// copyText puts a text into the clipboard; false where the browser does not let it. It waits, so it is called in the
// background.
func copyText(text string) bool {
	clipboard := window.Get("navigator").Get("clipboard")
	if !clipboard.Truthy() {
		return false
	}
	copied := make(chan bool, 1)
	done := js.FuncOf(func(js.Value, []js.Value) any { copied <- true; return nil })
	failed := js.FuncOf(func(js.Value, []js.Value) any { copied <- false; return nil })
	defer done.Release()
	defer failed.Release()
	clipboard.Call("writeText", text).Call("then", done, failed)
	return <-copied
}

// openConversation returns the conversation that the address bar names, empty for none.
func openConversation() ozeki.ConversationID {
	params := window.Get("URLSearchParams").New(window.Get("location").Get("search"))
	if v := params.Call("get", "c"); v.Type() == js.TypeString {
		return ozeki.ConversationID(v.String())
	}
	return ""
}

// step is a conversation that is still to be put into the address bar, and the page's title with it.
type step struct {
	id    ozeki.ConversationID
	title string
}

var (
	steps     []step
	stepsFrom ozeki.ConversationID // what the address bar names before the first of them
)

// pushConversation puts a conversation into the address bar in the place of another one, as a new step of the history, once the page
// shows it: the browser takes about as long for that as for the messages. What is opened from the list is there at once, since
// the step back from it is the way to the list.
func pushConversation(from, id ozeki.ConversationID) {
	if len(steps) == 0 {
		stepsFrom = from
	}
	steps = append(steps, step{id: id})
	switch {
	case from == "":
		takeSteps()
	case len(steps) == 1:
		go func() {
			_, _ = ozeki.Await(func() js.Value { return starling.Call("shown") }) // which is never refused
			takeSteps()
		}()
	}
}

func takeSteps() {
	taken := steps
	steps = nil
	for _, s := range taken {
		if openConversation() != s.id {
			url := "/"
			if s.id != "" {
				url = hrefOf(s.id)
			}
			window.Get("history").Call("pushState", nil, "", url)
		}
		if s.title != "" {
			setTitle(s.title)
		}
	}
}

// setTitle names the page, and with it the present step of its history.
func setTitle(text string) {
	if n := len(steps); n > 0 {
		steps[n-1].title = text
		return
	}
	document.Set("title", text)
}

// replaceAddress puts the page without a conversation in the place of this step of the history.
func replaceAddress() {
	steps = nil
	window.Get("history").Call("replaceState", nil, "", "/")
}

func listen(target js.Value, event string, f func(e js.Value)) {
	target.Call("addEventListener", event, js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	}))
}

// callbacks are functions that the page was given and that are let go together.
type callbacks []js.Func

// on makes one.
func (c *callbacks) on(f func(args []js.Value)) js.Func {
	fn := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args)
		return nil
	})
	*c = append(*c, fn)
	return fn
}

// release lets them go.
func (c *callbacks) release() {
	for _, f := range *c {
		f.Release()
	}
	*c = nil
}

// letGo takes listeners off once what is running has ended, since it may be one of them.
func letGo(offs []func()) {
	var later js.Func
	later = js.FuncOf(func(js.Value, []js.Value) any {
		later.Release()
		for _, off := range offs {
			off()
		}
		return nil
	})
	window.Call("setTimeout", later, 0)
}

func onHistory(f func()) {
	listen(window, "popstate", func(js.Value) {
		if len(steps) > 0 && openConversation() == stepsFrom {
			return // no step back, but another part of the same address
		}
		steps = nil
		f()
	})
}

// onOnline calls f when the browser says that the network came or went.
func onOnline(f func()) {
	listen(window, "online", func(js.Value) { f() })
	listen(window, "offline", func(js.Value) { f() })
}

// onUsed calls f when the user does something in the page, once in a few seconds at most.
func onUsed(f func()) {
	starling.Call("onUsed", js.FuncOf(func(js.Value, []js.Value) any {
		f()
		return nil
	}))
}

// painting is closed when the page has shown what it held when somebody first waited for that; nil where nobody waits.
var painting chan struct{}

var paintedNow = sync.OnceValue(func() js.Func {
	return js.FuncOf(func(js.Value, []js.Value) any {
		close(painting)
		painting = nil
		return nil
	})
})

// Breathe lets the browser draw, and answer the user, before it returns.
func Breathe() {
	_, _ = ozeki.Await(func() js.Value { return starling.Call("after", 0) }) // which is never refused
}

// calm returns when the user has done nothing in the page for a moment, or after two seconds.
func calm(context.Context) {
	_, _ = ozeki.Await(func() js.Value { return starling.Call("calm") }) // which is never refused
}

// painted returns when the page shows what it holds now, or when ctx ends.
func painted(ctx context.Context) {
	if painting == nil {
		painting = make(chan struct{})
		starling.Call("painted").Call("then", paintedNow())
	}
	select {
	case <-painting:
	case <-ctx.Done():
	}
}

func onVisible(f func(bool)) { listen(document, "visibilitychange", func(js.Value) { f(isVisible()) }) }
func isVisible() bool        { return document.Get("visibilityState").String() == "visible" }
func value(id string) (v string) {
	ifThere(id, func(e js.Value) { v = e.Get("value").String() })
	return v
}
func setValue(id, v string) {
	ifThere(id, func(e js.Value) {
		if e.Get("value").String() != v {
			e.Set("value", v)
		}
	})
}
func focusOn(id string)        { ifThere(id, func(e js.Value) { e.Call("focus") }) }
func isFocused(id string) bool { return document.Get("activeElement").Get("id").String() == id }
func isNothingFocused() bool {
	a := document.Get("activeElement")
	return !a.Truthy() || a.Equal(document.Get("body"))
}
func focusEnd(id string) {
	ifThere(id, func(e js.Value) {
		e.Call("focus")
		e.Call("setSelectionRange", 1<<30, 1<<30) // as far as there is text
	})
}

// insertInto puts a text where the caret of a field is, as if it was typed.
func insertInto(id, text string) {
	ifThere(id, func(e js.Value) {
		e.Call("setRangeText", text, e.Get("selectionStart"), e.Get("selectionEnd"), "end")
		e.Call("dispatchEvent", window.Get("InputEvent").New("input", map[string]any{"bubbles": true}))
		e.Call("focus")
	})
}

// onLeave calls f when the page may be about to go.
func onLeave(f func()) {
	listen(window, "pagehide", func(js.Value) { f() })
	onVisible(func(is bool) {
		if !is {
			f()
		}
	})
}

func ifThere(id string, f func(js.Value)) {
	if e := byID(id); e.Truthy() {
		f(e)
	}
}

// onKey gives key presses to f; one that f takes goes nowhere else.
func onKey(f func(key) bool) {
	listen(document, "keydown", func(e js.Value) {
		if e.Get("isComposing").Bool() || e.Get("key").Type() != js.TypeString {
			return
		}
		target := e.Get("target")
		typing := target.Truthy() && target.Get("matches").Truthy() &&
			target.Call("matches", "input:not([type=radio], [type=checkbox]), textarea, [contenteditable]").Bool()
		k := key{
			Name: e.Get("key").String(), Code: e.Get("code").String(), Typing: typing,
			Ctrl: e.Get("ctrlKey").Bool(), Alt: e.Get("altKey").Bool(), Shift: e.Get("shiftKey").Bool(), Meta: e.Get("metaKey").Bool(),
			Text:   typing && target.Get("value").String() != "",
			Target: target.Get("id").String(), Repeat: e.Get("repeat").Bool(),
			Modal: document.Call("querySelector", "dialog[open]").Truthy(),
		}
		if f(k) {
			e.Call("preventDefault")
		}
	})
}

// guardLinks keeps the framework from taking clicks on links: those of this program are opened by it, all others by the
// browser, in a new tab without a way back (the framework would end the program on some of them).
func guardLinks(open func(ozeki.ConversationID)) {
	document.Call("addEventListener", "click", js.FuncOf(func(_ js.Value, args []js.Value) any {
		e := args[0]
		target := e.Get("target")
		if !target.Truthy() || !target.Get("closest").Truthy() {
			return nil
		}
		a := target.Call("closest", "a[href]")
		if !a.Truthy() {
			return nil
		}
		e.Call("stopPropagation")
		plain := e.Get("button").Int() == 0
		for _, modifier := range []string{"ctrlKey", "metaKey", "shiftKey", "altKey"} {
			plain = plain && !e.Get(modifier).Bool()
		}
		href, ok := parseURL(a.Get("href"))
		if !ok {
			e.Call("preventDefault") // it leads nowhere
			return nil
		}
		own := href.Get("origin").Equal(window.Get("location").Get("origin"))
		if own && plain && href.Get("pathname").String() == "/" {
			e.Call("preventDefault")
			if hash := href.Get("hash").String(); strings.HasPrefix(hash, inviteMark) {
				window.Get("location").Set("hash", hash)
				return nil
			}
			id := href.Get("searchParams").Call("get", "c")
			if id.Type() == js.TypeString {
				open(ozeki.ConversationID(id.String()))
			} else {
				open("")
			}
		}
		return nil
	}), map[string]any{"capture": true})
}

// parseURL returns a URL object; false for what is none, on which the browser throws.
func parseURL(text js.Value) (u js.Value, ok bool) {
	defer func() { _ = recover() }()
	return window.Get("URL").New(text), true
}

// onTyped gives the text of a field to f whenever the user changes it.
func onTyped(id string, f func(string)) {
	listen(document, "input", func(e js.Value) {
		if target := e.Get("target"); target.Get("id").String() == id {
			f(target.Get("value").String())
		}
	})
}

// hrefOf is the address of a conversation in this program.
func hrefOf(id ozeki.ConversationID) string { return "/?c=" + string(id) }
