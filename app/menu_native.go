//go:build !js

package app

// The native twin of menu_js.go: there is no page to show a menu in.

func showMenu(string, []menuEntry, point) {}
