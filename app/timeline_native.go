//go:build !js

package app

import (
	"starling/app/state"
	"starling/ozeki"
)

// timeline is the native twin: there is no page to fill.
type timeline struct{}

func newTimeline(timelineActions) *timeline { return &timeline{} }
func (*timeline) attach(string)             {}
func (*timeline) detach()                   {}
func (*timeline) show(*state.Snapshot)      {}
func (*timeline) goTo(ozeki.MessageID)      {}
func (*timeline) toEnd()                    {}
func (*timeline) seen()                     {}
