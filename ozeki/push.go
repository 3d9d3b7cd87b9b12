package ozeki

import (
	"context"
	"fmt"

	"starling/ozeki/json"
)

// PushSubscription (extension ExtPush) is a browser's web push subscription: where its push service takes messages, and the
// keys that they are encrypted with for this browser alone (RFC 8291), in base64url without padding.
type PushSubscription struct {
	Endpoint string `json:"endpoint"`
	P256dh   string `json:"p256dh"`
	Auth     string `json:"auth"`
}

// PushSubscribeRequest (CallPushSubscribe) has the station told by web push of messages that come while the user looks at no
// page. It replaces the station's subscription.
type PushSubscribeRequest struct {
	Common
	PushSubscription
}

// PushKeyAnswer (CallPushKey) gives the key with which a browser subscribes: an uncompressed point in base64url.
type PushKeyAnswer struct {
	Answer
	Key   string `json:"key"`
	Extra Extra  `json:"-"`
}

func (a *PushKeyAnswer) UnmarshalJSON(b []byte) error { return json.Read(b, a) }

func (a PushKeyAnswer) MarshalJSON() ([]byte, error) { return json.Marshal(a) }

// PushKey (extension ExtPush) gives the server's key for web push.
func (c *Client) PushKey(ctx context.Context) (string, error) {
	var a PushKeyAnswer
	if err := c.call(ctx, CallPushKey, "", &EmptyRequest{}, &a); err != nil {
		return "", err
	}
	if a.Key == "" {
		return "", fmt.Errorf("push key: %w (no key in the answer)", ErrNotJSON)
	}
	return a.Key, nil
}

// PushSubscribe (extension ExtPush) has this station told by web push. A repeat changes nothing; another subscription
// replaces the one before.
func (c *Client) PushSubscribe(ctx context.Context, s PushSubscription) error {
	return c.call(ctx, CallPushSubscribe, "", &PushSubscribeRequest{PushSubscription: s}, &PlainAnswer{})
}

// PushUnsubscribe (extension ExtPush) ends that. A repeat changes nothing. Signing out ends it as well.
func (c *Client) PushUnsubscribe(ctx context.Context) error {
	return c.call(ctx, CallPushUnsubscribe, "", &EmptyRequest{}, &PlainAnswer{})
}
