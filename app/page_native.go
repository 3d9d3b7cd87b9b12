//go:build !js

package app

import (
	"context"
	"sync"
	"time"

	"starling/ozeki"
)

// The native twin of page_js.go: a page that is not there. Components are tested over it.

var prefs sync.Map // of strings, by name

func readConfig() (pageConfig, string)            { return pageConfig{}, "" }
func onSubmit(func(submission))                   {}
func submitted(kind, words, field string)         {}
func setPhase(phase, reason string)               {}
func clickedStars() map[ozeki.ConversationID]bool { return nil }
func setTitle(string)                             {}
func setBadge(int)                                {}
func announce(string)                             {}
func setPref(name, value string)                  { prefs.Store(name, value) }
func setTheme(string)                             {}
func isTouch() bool                               { return false }
func openDialog(string)                           {}
func closeDialog(string)                          {}
func isDialogOpen(string) bool                    { return false }
func setChecked(id string, on bool)               {}
func inviteToken() string                         { return "" }
func inviteLink(token string) string              { return "/#invite=" + token }
func forgetInvite()                               {}
func onInvite(func())                             {}
func copyText(string) bool                        { return false }
func formatTime(t time.Time) string               { return t.UTC().Format("15:04") }
func formatDay(t time.Time) string                { return t.UTC().Format("Monday, 2 January 2006") }
func formatShort(t time.Time) string              { return t.UTC().Format("2 Jan") }
func localDay(t time.Time) string                 { return t.UTC().Format("2006-01-02") }
func openConversation() ozeki.ConversationID      { return "" }
func pushConversation(_, _ ozeki.ConversationID)  {}
func replaceAddress()                             {}
func onHistory(func())                            {}
func onOnline(func())                             {}
func painted(context.Context)                     {}
func calm(context.Context)                        {}
func onVisible(func(bool))                        {}
func onUsed(func())                               {}
func isVisible() bool                             { return true }
func value(string) string                         { return "" }
func setValue(id, v string)                       {}
func focusEnd(string)                             {}
func isNothingFocused() bool                      { return false }
func insertInto(id, text string)                  {}
func onLeave(func())                              {}
func focusOn(string)                              {}
func isFocused(string) bool                       { return false }
func onKey(func(key) bool)                        {}
func onTyped(string, func(string))                {}
func guardLinks(func(ozeki.ConversationID))       {}

// showEmoji shows nothing: there is no page.
func showEmoji(string, func(string)) {}

func pref(name string) string {
	value, _ := prefs.Load(name)
	text, _ := value.(string)
	return text
}

// Breathe does nothing where there is no browser.
func Breathe() {}
