// Command wasm is the program in the browser.
package main

import (
	"time"

	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app"
)

func main() {
	app.Register()
	time.Sleep(time.Nanosecond) // lets the browser draw, and answer the user, between the runtime's start and the page's
	goapp.RunWhenOnBrowser()
}
