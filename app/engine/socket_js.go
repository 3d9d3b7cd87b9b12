//go:build js

package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall/js"
)

// browserSocket is the browser's WebSocket.
type browserSocket struct {
	ws    js.Value
	texts chan string
	ended chan struct{}
	once  sync.Once
	funcs map[string]js.Func
}

// DialSocket opens a WebSocket. It is called from a goroutine, never directly from a JavaScript callback.
func DialSocket(ctx context.Context, url string) (_ Socket, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("open the notification socket: %v", r)
		}
	}()
	// A page that does not come to read so many texts is better off with a new socket and a poll.
	s := &browserSocket{ws: js.Global().Get("WebSocket").New(url), texts: make(chan string, 256), ended: make(chan struct{})}
	opened := make(chan struct{})
	s.funcs = map[string]js.Func{
		"onopen":  js.FuncOf(func(js.Value, []js.Value) any { close(opened); return nil }),
		"onclose": js.FuncOf(func(js.Value, []js.Value) any { s.end(); return nil }),
		"onmessage": js.FuncOf(func(_ js.Value, args []js.Value) any {
			data := args[0].Get("data")
			if data.Type() != js.TypeString {
				return nil
			}
			select {
			case s.texts <- data.String():
			default:
				s.end()
			}
			return nil
		}),
	}
	for name, f := range s.funcs {
		s.ws.Set(name, f)
	}
	select {
	case <-opened:
		return s, nil
	case <-s.ended:
		err = errors.New("the notification socket does not open")
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.Close()
	return nil, err
}

func (s *browserSocket) end() { s.once.Do(func() { close(s.ended) }) }

func (s *browserSocket) Read(ctx context.Context) (string, error) {
	select {
	case text := <-s.texts:
		return text, nil
	default:
	}
	select {
	case text := <-s.texts:
		return text, nil
	case <-s.ended:
		return "", errors.New("the notification socket has ended")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *browserSocket) Send(_ context.Context, text string) error {
	if s.ws.Get("readyState").Int() != 1 { // sending throws while it opens, and is in vain once it closes
		return errors.New("the notification socket is not open")
	}
	s.ws.Call("send", text)
	return nil
}

func (s *browserSocket) Close() {
	s.end()
	for name, f := range s.funcs {
		s.ws.Set(name, js.Null())
		f.Release()
	}
	s.funcs = nil
	s.ws.Call("close")
}
