package app

import goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

// el makes an element of any tag. One type for all of them: each of go-app's own element types that is used brings its
// hundred methods into the browser's program.
func el(tag string) goapp.HTMLElem { return goapp.Elem(tag) }
