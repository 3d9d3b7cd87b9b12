// Package ozeki is the Ozeki Chat API in Go: the types of its 19 published calls, the ids, the scheme that signs
// requests and seals texts, the encrypted PEM of the user's key, and a client with one method per call.
//
// The package is used by both sides and imports neither. It holds no network or cryptography library of its own: what
// differs between a browser and a native program (fetch or net/http, WebCrypto or crypto/rsa) stands in the twins
// platform_js.go and platform_native.go, which provide the same functions and pass the same tests.
//
// What the vendor publishes and what this project chose where the publication is silent is told apart in
// docs/protocol.md. Sources named "published" refer to the vendor's public "Ozeki Chat API" reference, server
// version 2.0.0.
package ozeki
