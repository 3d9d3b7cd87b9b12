package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
)

// noticeList shows the notices over the page. They are announced by the live region, not by themselves.
type noticeList struct {
	goapp.Compo

	Notices []state.Notice
	Actions *root
}

// maxNotices is the largest number in the page; older ones come back when newer ones are gone.
const maxNotices = 3

// Render draws the notices, the newest last.
func (n *noticeList) Render() goapp.UI {
	shown := n.Notices[max(0, len(n.Notices)-maxNotices):]
	return el("section").Class("notices").Aria("label", "Notices").Body(
		goapp.Range(shown).Slice(func(i int) goapp.UI {
			return &notice{Notice: shown[i], Actions: n.Actions}
		}),
	)
}

// notice is one of them. Its clock stands still while it is hovered or focused.
type notice struct {
	goapp.Compo

	Notice  state.Notice
	Actions *root
}

// Render draws the notice.
func (n *notice) Render() goapp.UI {
	return el("div").Class("notice").
		OnMouseEnter(n.enter).OnMouseLeave(n.leave).On("focusin", n.focus).On("focusout", n.blur).Body(
		el("p").Text(n.Notice.Text),
		goapp.If(n.Notice.Kind == state.NoticeUndo,
			el("button").Attr("type", "button").Text("Undo").OnClick(n.undo),
		),
		el("button").Attr("type", "button").Class("icon").Aria("label", "Dismiss").OnClick(n.dismiss).Body(svgIcon(cross)),
	)
}

// holder is what holds a notice.
type holder int

const (
	byHover holder = 1 << iota
	byFocus
)

func (n *notice) enter(goapp.Context, goapp.Event)   { n.Actions.hold(n.Notice.ID, byHover, true) }
func (n *notice) leave(goapp.Context, goapp.Event)   { n.Actions.hold(n.Notice.ID, byHover, false) }
func (n *notice) focus(goapp.Context, goapp.Event)   { n.Actions.hold(n.Notice.ID, byFocus, true) }
func (n *notice) blur(goapp.Context, goapp.Event)    { n.Actions.hold(n.Notice.ID, byFocus, false) }
func (n *notice) undo(goapp.Context, goapp.Event)    { n.Actions.undo(n.Notice) }
func (n *notice) dismiss(goapp.Context, goapp.Event) { n.Actions.dismiss(n.Notice) }
