package engine

import (
	"testing"

	"starling/app/state"
	"starling/ozeki/json/jsontest"
)

func TestWhatTheDeviceKeepsIsWrittenAndReadAsEncodingJSONDoes(t *testing.T) {
	jsontest.Same(t, Waiting{}, Read{}, Note{}, jotted{}, keptDraft{}, about{},
		state.KeptConversation{}, state.KeptMessage{}, state.KeptMessages{}, state.Wishes{}, state.Edit{}, []state.KeptConversation{})
}
