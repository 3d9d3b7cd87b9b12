// Command wasm is the program in the browser.
package main

import (
	goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

	"starling/app"
)

func main() {
	app.Register()
	app.Breathe() // between the runtime's start and the page's
	goapp.RunWhenOnBrowser()
}
