package bus_test

import (
	"testing"

	"go.uber.org/goleak"

	"starling/chatserver/bus"
	"starling/chatserver/bus/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLocalKeepsTheContract(t *testing.T) {
	bustest.Run(t, func(t *testing.T) (here, there bus.Bus) {
		b := bus.NewLocal()
		t.Cleanup(func() { _ = b.Close() })
		return b, b
	})
}
