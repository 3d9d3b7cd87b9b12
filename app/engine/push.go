package engine

import (
	"context"

	"starling/ozeki"
)

// PushKey gives the key with which a browser subscribes to the server's push messages. It blocks, as the others here do, and
// gives an error for Words.
func (e *Engine) PushKey(ctx context.Context) (string, error) { return e.client.PushKey(ctx) }

// SubscribePush has this device told of messages while nobody looks. A repeat changes nothing.
func (e *Engine) SubscribePush(ctx context.Context, s ozeki.PushSubscription) error {
	return e.client.PushSubscribe(ctx, s)
}

// UnsubscribePush ends that. A repeat changes nothing.
func (e *Engine) UnsubscribePush(ctx context.Context) error { return e.client.PushUnsubscribe(ctx) }
