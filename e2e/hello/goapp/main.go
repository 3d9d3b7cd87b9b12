// Command goapp is a hello world of go-app as it is published: a line of text, and a button that counts. `make bench` measures it
// beside Starling, as what a page takes that does nothing else (BenchmarkHello). Built for js and wasm it is the program in the page;
// otherwise the server, which is given the file with that program, compressed by brotli, and prints the address it serves at.
package main

import "github.com/maxence-charriere/go-app/v9/pkg/app"

type hello struct {
	app.Compo
	n int
}

func (h *hello) Render() app.UI {
	if app.IsServer {
		return app.Div() // what the program draws is what counts
	}
	return app.Div().Body(
		app.P().ID("hello").Text("Hello"),
		app.Button().ID("press").Text(h.n).OnClick(func(app.Context, app.Event) { h.n++ }),
	)
}

func main() {
	app.Route("/", &hello{})
	app.RunWhenOnBrowser()
	serve()
}
