// Package app is what the user sees: one component per file. Components read snapshots of the state and ask the engine to
// do things; what needs the browser itself stands in the files ending in _js.go, each with a native twin.
package app

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"
)

// Register registers the program's routes. There is one: conversations are named in the query (?c=), so that the page
// stays mounted while people go from one to the next.
func Register() {
	goapp.RouteFunc("/", func() goapp.Composer { return &root{} })
}
