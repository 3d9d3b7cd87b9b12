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

// Render draws the notices, the newest last.
func (n *noticeList) Render() goapp.UI {
	return el("section").Class("notices").Aria("label", "Notices").Body(
		goapp.Range(n.Notices).Slice(func(i int) goapp.UI {
			return &notice{Notice: n.Notices[i], Actions: n.Actions}
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
		OnMouseEnter(n.hold).OnMouseLeave(n.release).
		On("focusin", n.hold).On("focusout", n.release).Body(
		el("p").Dir("auto").Text(n.Notice.Text),
		goapp.If(n.Notice.Kind == state.NoticeUndo,
			el("button").Attr("type", "button").Text("Undo").OnClick(n.undo),
		),
		el("button").Attr("type", "button").Class("icon").Aria("label", "Dismiss").OnClick(n.dismiss).Body(svgIcon(cross)),
	)
}

func (n *notice) hold(goapp.Context, goapp.Event)    { n.Actions.hold(n.Notice.ID, true) }
func (n *notice) release(goapp.Context, goapp.Event) { n.Actions.hold(n.Notice.ID, false) }
func (n *notice) undo(goapp.Context, goapp.Event)    { n.Actions.undo(n.Notice.Conversation) }
func (n *notice) dismiss(goapp.Context, goapp.Event) { n.Actions.dismiss(n.Notice.ID) }
