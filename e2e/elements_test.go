package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a story waits for the page to become as expected.
const patience = 15 * time.Second

// person is somebody in front of a page. What the person sees and touches is found as assistive technology finds it: by
// role and name in the accessibility tree.
type person struct {
	t   *testing.T
	ctx context.Context
	url string // of the server, without a slash at the end
}

// newPerson is somebody with a device that was never used, in front of an empty page.
func newPerson(t *testing.T, url string) *person {
	t.Helper()
	return &person{t, newBrowser(t), url}
}

// anotherTab opens one more page on the same device.
func (p *person) anotherTab() *person {
	p.t.Helper()
	return &person{p.t, newTab(p.t, p.ctx), p.url}
}

// run carries out browser actions, which must succeed.
func (p *person) run(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.t.Fatalf("%v%s", err, p.screen())
	}
}

// js evaluates an expression in the page and decodes its value into out, which may be nil. Promises are waited for.
func (p *person) js(expression string, out any) {
	p.t.Helper()
	if err := p.tryJS(expression, out); err != nil {
		p.t.Fatalf("%v\nin: %s%s", err, expression, p.screen())
	}
}

// awaited has an evaluation wait for the promise that it gives.
func awaited(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }

func (p *person) tryJS(expression string, out any) error {
	var raw []byte
	err := chromedp.Run(p.ctx, chromedp.Evaluate("(async () => JSON.stringify((await ("+expression+")) ?? null))()", &raw, awaited))
	if err != nil || out == nil {
		return err
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), out)
}

// eventually waits until f finds nothing wrong.
func (p *person) eventually(what string, f func() error) {
	p.t.Helper()
	p.within(patience, what, f)
}

func (p *person) within(d time.Duration, what string, f func() error) {
	p.t.Helper()
	if err := poll(p.ctx, d, f); err != nil {
		p.t.Fatalf("%s: %v%s", what, err, p.screen())
	}
}

// poll calls f until it returns nil; after d it returns f's last error.
func poll(ctx context.Context, d time.Duration, f func() error) error {
	end := time.Now().Add(d)
	for {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// screen is the page's text, for a failure's report.
func (p *person) screen() string {
	var text string
	if err := p.tryJS(`location.href + "\n" + document.body.innerText.replace(/\s*\n\s*/g, " | ") + "\n[announced] " + document.getElementById("live")?.textContent`, &text); err != nil {
		return ""
	}
	if len(text) > 2000 {
		text = text[:700] + "\n…\n" + text[len(text)-1200:]
	}
	return "\nthe page shows: " + text
}

// element is something in the page, found by role and name.
type element struct {
	p    *person
	Role string
	Name string
	in   *element // found inside of it
	id   cdp.BackendNodeID
}

func (e *element) String() string { return fmt.Sprintf("%s %q", e.Role, e.Name) }

type axNode struct {
	Ignored bool    `json:"ignored"`
	Role    axValue `json:"role"`
	Name    axValue `json:"name"`
	ID      int64   `json:"backendDOMNodeId"`
}

type axValue struct {
	Value any `json:"value"`
}

// find returns everything of a role whose name is name, or begins with it where name ends in "…"; the empty name fits all.
// With in, only what is inside of it.
func (p *person) find(role, name string, in *element) ([]*element, error) {
	prefix, byPrefix := strings.CutSuffix(name, "…")
	var out []*element
	err := chromedp.Run(p.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		query := map[string]any{"role": role}
		if in != nil {
			query["backendNodeId"] = in.id
		} else {
			document, _, err := runtime.Evaluate("document").WithObjectGroup("find").Do(ctx)
			if err != nil {
				return err
			}
			query["objectId"] = document.ObjectID
		}
		if name != "" && !byPrefix {
			query["accessibleName"] = name
		}
		// Not the typed call: it fails on every property that is newer than the library.
		var res struct {
			Nodes []axNode `json:"nodes"`
		}
		if err := cdp.Execute(ctx, "Accessibility.queryAXTree", query, &res); err != nil {
			return err
		}
		for _, n := range res.Nodes {
			text, _ := n.Name.Value.(string)
			if n.Ignored || n.Role.Value != role || (byPrefix && !strings.HasPrefix(text, prefix)) {
				continue
			}
			out = append(out, &element{p, role, text, in, cdp.BackendNodeID(n.ID)})
		}
		return nil
	}))
	return out, err
}

// see waits until there is exactly one such element and returns it.
func (p *person) see(role, name string) *element {
	p.t.Helper()
	return p.seeIn(nil, role, name)
}

func (p *person) seeIn(in *element, role, name string) *element {
	p.t.Helper()
	var found *element
	p.eventually(fmt.Sprintf("see one %s %q", role, name), func() (err error) {
		found, err = p.one(in, role, name)
		return err
	})
	return found
}

func (p *person) one(in *element, role, name string) (*element, error) {
	all, err := p.find(role, name, in)
	switch {
	case err != nil:
		return nil, err
	case len(all) != 1:
		return nil, fmt.Errorf("there are %d: %v", len(all), all)
	}
	return all[0], nil
}

// dontSee waits until there is no such element.
func (p *person) dontSee(role, name string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("see no %s %q", role, name), func() error { return p.none(nil, role, name) })
}

func (p *person) none(in *element, role, name string) error {
	all, err := p.find(role, name, in)
	if err == nil && len(all) > 0 {
		err = fmt.Errorf("there are %v", all)
	}
	return err
}

// call runs a JavaScript function with the element as this.
func (e *element) call(function string, out any) error {
	return chromedp.Run(e.p.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		var node struct {
			Object struct {
				ID string `json:"objectId"`
			} `json:"object"`
		}
		if err := cdp.Execute(ctx, "DOM.resolveNode", map[string]any{"backendNodeId": e.id, "objectGroup": "find"}, &node); err != nil {
			return err
		}
		res, exception, err := runtime.CallFunctionOn(function).WithObjectID(runtime.RemoteObjectID(node.Object.ID)).
			WithReturnByValue(true).WithAwaitPromise(true).Do(ctx)
		switch {
		case err != nil:
			return err
		case exception != nil:
			return exception
		case out == nil || len(res.Value) == 0:
			return nil
		}
		return json.Unmarshal(res.Value, out)
	}))
}

func (e *element) mustCall(function string, out any) {
	e.p.t.Helper()
	if err := e.call(function, out); err != nil {
		e.p.t.Fatalf("%s: %v%s", e, err, e.p.screen())
	}
}

// attr is the value of an attribute, empty where it is missing.
func (e *element) attr(name string) string {
	e.p.t.Helper()
	var v string
	e.mustCall(fmt.Sprintf("function() { return this.getAttribute(%q) ?? '' }", name), &v)
	return v
}

// text is what is written in the element.
func (e *element) text() string {
	e.p.t.Helper()
	var v string
	e.mustCall("function() { return this.innerText ?? this.textContent }", &v)
	return v
}

// point is a place on the element where a click hits it.
func (e *element) point() (x, y float64, err error) {
	var at struct {
		X, Y float64
		Hit  bool
		By   string
	}
	err = e.call(`async function() {
		this.scrollIntoView({block: "center"})
		const before = this.getBoundingClientRect()
		await new Promise(done => document.hidden ? done() : requestAnimationFrame(() => requestAnimationFrame(done)))
		const r = this.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2
		if (r.x !== before.x || r.y !== before.y) return {X: x, Y: y, By: "itself, moving"}
		const on = document.elementFromPoint(x, y)
		return {X: x, Y: y, Hit: r.width > 0 && !!on && (this.contains(on) || on.contains(this) || on.closest("label")?.control === this), By: on ? on.outerHTML.slice(0, 120) : ""}
	}`, &at)
	if err == nil && !at.Hit {
		err = fmt.Errorf("%s cannot be clicked: at %.0f, %.0f is %s", e, at.X, at.Y, at.By)
	}
	return at.X, at.Y, err
}

// at waits until the element stands still with nothing in front of it, and is the middle of it.
func (e *element) at() (x, y float64) {
	e.p.t.Helper()
	e.p.eventually("point at "+e.String(), func() (err error) {
		if x, y, err = e.point(); err != nil {
			// It may be drawn anew meanwhile: the name counts, not the node.
			if again, err := e.p.one(e.in, e.Role, e.Name); err == nil {
				e.id = again.id
			}
		}
		return err
	})
	return x, y
}

// click clicks with the mouse.
func (e *element) click() {
	e.p.t.Helper()
	x, y := e.at()
	e.p.run(chromedp.MouseClickXY(x, y))
}

// hover moves the mouse there.
func (e *element) hover() {
	e.p.t.Helper()
	x, y := e.at()
	e.p.run(input.DispatchMouseEvent(input.MouseMoved, x, y))
}

// fill replaces what stands in a field.
func (e *element) fill(text string) {
	e.p.t.Helper()
	e.mustCall("function() { this.focus(); this.select() }", nil)
	if text == "" {
		e.p.press("\b")
		return
	}
	e.p.run(input.InsertText(text))
}

// value is what stands in a field.
func (e *element) value() string {
	e.p.t.Helper()
	var v string
	e.mustCall("function() { return this.value }", &v)
	return v
}

// focused says whether the element has the focus.
func (e *element) focused() error {
	var is bool
	var on string
	if err := e.call("function() { return document.activeElement === this }", &is); err != nil {
		return err
	}
	if !is {
		_ = e.p.tryJS("document.activeElement?.outerHTML.slice(0, 200)", &on)
		return fmt.Errorf("%s has no focus; it is on %s", e, on)
	}
	return nil
}

// Modifier keys.
const (
	ctrl  = input.ModifierCtrl
	alt   = input.ModifierAlt
	shift = input.ModifierShift
)

// press presses a key of the kb package, or a character, with modifiers. With Ctrl or Alt it writes no character, as on a
// real keyboard.
func (p *person) press(key string, modifiers ...input.Modifier) {
	p.t.Helper()
	var all input.Modifier
	for _, m := range modifiers {
		all |= m
	}
	if all&(ctrl|alt) == 0 {
		p.run(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
		return
	}
	for _, event := range kb.Encode([]rune(key)[0]) {
		if event.Type == input.KeyChar {
			continue
		}
		if event.Type == input.KeyDown {
			event.Type = input.KeyRawDown
		}
		event.Text, event.UnmodifiedText = "", ""
		p.run(event.WithModifiers(event.Modifiers | all))
	}
}

var errNotYet = errors.New("not yet")

// navigate opens an address without waiting for the program.
func (p *person) navigate(path string) {
	p.t.Helper()
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, text, _, err := page.Navigate(p.url + path).Do(ctx)
		if err == nil && text != "" {
			err = errors.New(text)
		}
		return err
	}))
}

// slowly lets f happen while the program is still on its way.
func (p *person) slowly(f func()) {
	p.t.Helper()
	p.run(fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: "*.wasm"}}))
	f()
	p.run(fetch.Disable()) // lets it go on
}
