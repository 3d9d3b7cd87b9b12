package ozeki

import "starling/ozeki/json"

// Extra holds the fields of an object that this package does not know, so that they survive decoding and encoding.
type Extra = json.Extra
