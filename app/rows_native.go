//go:build !js

package app

import (
	"starling/app/state"
	"starling/ozeki"
)

// island is the native twin: there is no page to fill.
type island struct{}

func newIsland(islandActions) *island                    { return &island{} }
func (*island) attach(string)                            {}
func (*island) detach()                                  {}
func (*island) show(*state.Snapshot)                     {}
func (*island) focusRow(ozeki.ConversationID)            {}
func (*island) picture() []byte                          { return nil }
func (*island) focusFirst()                              {}
func (*island) focusedRow() (ozeki.ConversationID, bool) { return "", false }
