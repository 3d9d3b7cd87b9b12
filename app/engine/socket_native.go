//go:build !js

package engine

import (
	"context"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// nativeSocket is the native twin of the browser's WebSocket.
type nativeSocket struct{ conn *websocket.Conn }

// DialSocket opens a WebSocket as a page of the address's own origin does.
func DialSocket(ctx context.Context, address string) (Socket, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPHeader: map[string][]string{"Origin": {"http" + strings.TrimPrefix(u.Scheme, "ws") + "://" + u.Host}},
	})
	if err != nil {
		return nil, err
	}
	return nativeSocket{conn}, nil
}

func (s nativeSocket) Read(ctx context.Context) (string, error) {
	_, text, err := s.conn.Read(ctx)
	return string(text), err
}

func (s nativeSocket) Send(ctx context.Context, text string) error {
	return s.conn.Write(ctx, websocket.MessageText, []byte(text))
}

func (s nativeSocket) Close() { _ = s.conn.CloseNow() }
