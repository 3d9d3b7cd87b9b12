//go:build !js

package ozeki

import (
	"net/http/httptest"
	"testing"

	"starling/ozeki/ozekitest"
)

// answers serves package ozekitest's answers for the length of a test and returns where.
func answers(t testing.TB) string {
	server := httptest.NewServer(ozekitest.Handler())
	t.Cleanup(server.Close)
	return server.URL + ozekitest.Path
}
