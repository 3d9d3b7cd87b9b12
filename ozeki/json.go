package ozeki

import "starling/ozeki/json"

// Extra holds the fields of an object that this package does not know, so that they survive decoding and encoding.
// The MarshalJSON and UnmarshalJSON of types that have one are for encoding/json, which does not know it.
type Extra = json.Extra
