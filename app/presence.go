package app

import (
	"fmt"
	"strings"

	"starling/app/state"
)

// presenceWords says a presence; empty where there is nothing to say.
func presenceWords(p state.Presence) string {
	switch p {
	case state.Present:
		return "Available"
	case state.Away:
		return "Away"
	}
	return ""
}

// presenceMark is the shape of a presence in a row: a full dot or a ring, so that it is not told by the colour alone.
func presenceMark(p state.Presence) string {
	switch p {
	case state.Present:
		return "present"
	case state.Away:
		return "away"
	}
	return ""
}

// noteOf is the line under the name of the open conversation: who is typing, or whether the other one is there.
func noteOf(v *state.Open) string {
	if len(v.Typing) > 0 {
		return typingWords(v.Typing)
	}
	return presenceWords(v.Row.Presence)
}

// typingWords says who is typing. Three names at most are read at a glance.
func typingWords(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0] + " is typing…"
	case n <= 3:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1] + " are typing…"
	default:
		return fmt.Sprintf("%s and %d others are typing…", strings.Join(names[:2], ", "), n-2)
	}
}
