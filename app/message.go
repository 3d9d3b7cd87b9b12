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
	return goapp.Article().Class(class+state1).Body(
		goapp.If(m.First && !v.Mine, goapp.P().Class("from").Dir("auto").Text(sender)),
		goapp.If(!m.First || v.Mine, goapp.Span().Class("visually-hidden").Text(sender+": ")),
		goapp.P().Class("body").Text(v.Text),
		goapp.Div().Class("meta").Body(
			goapp.Time().DateTime(v.Created.UTC().Format("2006-01-02T15:04:05Z")).Text(formatTime(v.Created)),
			goapp.If(words != "", goapp.Span().Text(words)),
			goapp.If(v.State == state.MessageFailed,
				goapp.Span().Class("error").Text("Not sent. "+v.Why),
				goapp.Button().Type("button").Class("secondary").Text("Try again").OnClick(m.retry),
				goapp.Button().Type("button").Class("secondary").Text("Delete").OnClick(m.discard),
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
