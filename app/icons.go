package app

import goapp "github.com/maxence-charriere/go-app/v9/pkg/app"

// Icon paths, drawn as lines in a box of 24 by 24.
const (
	starPath   = "m12 3.600 2.600 5.300 5.800.8-4.200 4.100 1 5.800-5.200-2.700-5.200 2.700 1-5.800-4.200-4.100 5.800-.8z"
	pencil     = "M12 5v14M5 12h14"
	gear       = "M4 7h9m4 0h3M4 17h3m4 0h9M15 4.500v5m-6 5v5"
	arrowBack  = "m14 6-6 6 6 6"
	dots       = "M6 12h.010M12 12h.010M18 12h.010"
	people     = "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zm-6.500 9c0-3.600 2.900-6 6.500-6s6.500 2.400 6.500 6M16 11a3 3 0 1 0-1-5.800M17.500 14.300c2.400.6 4 2.500 4 5.200"
	cross      = "m6 6 12 12M18 6 6 18"
	tick       = "m5 12.500 4.500 4.500L19 7.500"
	ticks      = "m2 12.500 4.500 4.500L16 7.500M12 17l9.500-9.500"
	eye        = "M2.500 12s3.500-6 9.500-6 9.500 6 9.500 6-3.500 6-9.500 6-9.500-6-9.500-6zM12 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z"
	paperclip  = "m20 11.500-8.300 8.300a5 5 0 0 1-7.100-7.100l8.600-8.600a3.300 3.300 0 0 1 4.700 4.700l-8.500 8.500a1.700 1.700 0 0 1-2.400-2.400l7.800-7.800"
	replyArrow = "m9 6-5 5 5 5M4 11h10a6 6 0 0 1 6 6v1"
	hourglass  = "M7 3h10M7 21h10M8 3v3l4 6-4 6v3M16 3v3l-4 6 4 6v3"
	smile      = "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.500 14.500s1.200 2 3.500 2 3.500-2 3.500-2M9 9.500h.010M15 9.500h.010"
)

// svgIcon draws a path. go-app has no type for SVG's elements; Elem gives them their namespace.
func svgIcon(path string) goapp.UI {
	const ns = "http://www.w3.org/2000/svg"
	return el("svg").XMLNS(ns).Attr("viewBox", "0 0 24 24").Attr("aria-hidden", "true").Body(
		el("path").XMLNS(ns).Attr("d", path),
	)
}
