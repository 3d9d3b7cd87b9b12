package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app/state"
	"starling/ozeki"
)

// messageRow is one message of the timeline.
type messageRow struct {
	goapp.Compo

	Message      state.Message
	First        bool // of several by the same sender: it bears the name
	Conversation ozeki.ConversationID
	Actions      *root
}

// Render draws the message. Its text is only ever a text node.
func (m *messageRow) Render() goapp.UI {
	v := m.Message
	class := "message"
	if v.Mine {
		class += " own"
	}
	if v.Trouble {
		class += " trouble"
	}
	state1, words := "", ""
	switch v.State {
	case state.MessageSending:
		state1, words = " waiting", "Sending…"
	case state.MessageQueued:
		state1, words = " waiting", "Waiting for the connection"
	case state.MessageFailed:
		state1 = " failed"
	}
	sender := v.Sender
	if v.Mine {
		sender = "You"
	}
	return el("article").Class(class+state1).Body(
		goapp.If(m.First && !v.Mine, el("p").Class("from").Dir("auto").Text(sender)),
		goapp.If(!m.First || v.Mine, el("span").Class("visually-hidden").Text(sender+": ")),
		el("p").Class("body").Text(v.Text),
		el("div").Class("meta").Body(
			el("time").Attr("datetime", v.Created.UTC().Format("2006-01-02T15:04:05Z")).Text(formatTime(v.Created)),
			goapp.If(words != "", el("span").Text(words)),
			goapp.If(v.State == state.MessageFailed,
				el("span").Class("error").Text("Not sent. "+v.Why),
				el("button").Attr("type", "button").Class("secondary").Text("Try again").OnClick(m.retry),
			),
			goapp.If(v.State == state.MessageFailed || v.State == state.MessageQueued,
				el("button").Attr("type", "button").Class("secondary").Text("Delete").OnClick(m.discard),
			),
		),
	)
}

func (m *messageRow) retry(goapp.Context, goapp.Event) {
	m.Actions.retry(m.Conversation, m.Message.ID)
}

func (m *messageRow) discard(goapp.Context, goapp.Event) {
	m.Actions.discard(m.Conversation, m.Message.ID)
}
