//go:build !js

package app

import "starling/ozeki"

// The native twin of push_js.go: a browser without notifications.

func pushPermission() pushState                                { return pushUnsupported }
func mayNotify() bool                                          { return false }
func askToNotify() bool                                        { return false }
func subscribePush(string) (s ozeki.PushSubscription, _ error) { return s, nil }
func pushSubscription() (s ozeki.PushSubscription, is bool)    { return s, false }
func unsubscribePush() error                                   { return nil }
func closeNotifications(func(ozeki.ConversationID) bool)       {}
func onWorker(func(ozeki.ConversationID), func())              {}
