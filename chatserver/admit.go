package chatserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"starling/chatserver/store"
	"starling/ozeki"
)

// repeatGrace is how long a request without a requestid may be repeated: the timestamp has a resolution of one second, so
// a second click soon after the first one is the same bytes.
const repeatGrace = 2 * time.Second

// admit decides whether a signed request is the named user's, from his station, and recent. All ways in which signature,
// user and station can be wrong give the same errSignature, so that nothing can be probed; the log has the reason.
func (s *Server) admit(ctx context.Context, req *request) error {
	reason, err := s.verify(ctx, req)
	if err := s.admitted(req, reason, err); err != nil {
		return err
	}
	return s.recent(req)
}

// admitBare decides whether a signed request that names no station and no time is the named user's.
func (s *Server) admitBare(ctx context.Context, req *request) error {
	if !req.user.Valid() {
		return s.admitted(req, "header not of the form", nil)
	}
	reason, err := s.verifySignature(ctx, req)
	if errors.Is(err, store.ErrNotFound) {
		reason, err = "no such user", nil
	}
	return s.admitted(req, reason, err)
}

// admitted words why a request is not the user's; with neither a reason nor an error it is.
func (s *Server) admitted(req *request, reason string, err error) error {
	if err == nil && reason != "" {
		s.log.Debug("signature refused", "call", req.route.call.Name, "reason", reason)
		err = errSignature
	}
	return err
}

// verify returns why the request is not the user's, empty if it is.
func (s *Server) verify(ctx context.Context, req *request) (reason string, err error) {
	if !req.user.Valid() || !req.station.Valid() {
		return "header not of the form", nil
	}
	station, err := s.store.Station(ctx, req.station)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "station not signed in", nil
	case err != nil:
		return "", err
	case station.UserID != req.user:
		return "station of another user", nil
	}
	return s.verifySignature(ctx, req)
}

// verifySignature returns why the signature is not the named user's, empty if it is.
func (s *Server) verifySignature(ctx context.Context, req *request) (reason string, err error) {
	key, err := s.keys.get(ctx, s, req.user)
	if err != nil {
		return "", err
	}
	if err := s.scheme.Verify(ctx, key, req.body, req.signature); err != nil {
		return "signature does not fit", nil
	}
	return "", nil
}

// recent decides whether the request's timestamp is within the window.
func (s *Server) recent(req *request) error {
	at := req.common.Timestamp
	if at.IsZero() {
		return errInvalid.saying("The request has no timestamp. Send one of the form yyyy-MM-dd HH:mm:ss in UTC.")
	}
	if req.now.Sub(at.Time).Abs() > s.window {
		return errClock
	}
	return nil
}

// identity names a request for the memory of requests: its id, and a fingerprint of what it asks for. With a requestid
// the timestamp is left out of the fingerprint, since a later repeat of the same request bears a new one. Without, the
// bytes are the request.
func (r *request) identity() (id, fingerprint string) {
	if r.common.RequestID == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s;%s;%s", r.user, r.route.call.Name, r.body))
		fingerprint = hex.EncodeToString(sum[:])
		return "body:" + fingerprint, fingerprint
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(r.body, &fields) // parsed before
	delete(fields, "timestamp")
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(h, "%q:%d:%s\n", name, len(fields[name]), fields[name])
	}
	return r.common.RequestID, hex.EncodeToString(h.Sum(nil))
}

// once runs a change so that it takes effect once for its requestid: the claim of the id, the effect and the answer are
// one transaction. A repeat gets the first answer, a refusal as well; the same id with something else asked is refused. A
// fault (not a refusal) leaves nothing behind, so that the repeat is the first again.
func (s *Server) once(ctx context.Context, req *request, effect func(context.Context, store.Tx) (any, error)) ([]byte, error) {
	id, fingerprint := req.identity()
	call := req.route.call.Name
	var answer []byte
	// Who has gone away meanwhile does not break off what others' changes may share a commit with.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), updateWithin)
	defer cancel()
	err := s.update(ctx, func(tx store.Tx) error {
		ctx := work
		req.committed = nil // of a run that was undone
		was, first, err := tx.ClaimRequest(ctx, store.Request{UserID: req.user, ID: id, Call: call, Fingerprint: fingerprint, SeenAt: req.now})
		if err != nil {
			return err
		}
		if !first {
			switch {
			case was.Call != call || was.Fingerprint != fingerprint:
				return errReplayed
			case req.common.RequestID != "":
				answer = was.Answer
				return nil
			case req.now.Sub(was.SeenAt) > repeatGrace:
				return errReplayed
			}
		}
		err = tx.Nested(ctx, func() error {
			v, err := effect(ctx, tx)
			if err == nil {
				answer = encode(v)
			}
			return err
		})
		if err != nil {
			refusal, known := refusalOf(err)
			if !known {
				return err
			}
			s.log.Debug("refused", "call", call, "code", refusal.code, "error", err)
			answer = encode(refusal.answer())
		}
		if !first {
			return nil
		}
		return tx.AnswerRequest(ctx, req.user, id, answer)
	})
	return answer, err
}

// seenIDs remembers in memory the ids of signed requests that change nothing. The zero value is ready.
type seenIDs struct {
	mu       sync.Mutex
	now, old map[[sha256.Size]byte]seenID // old is the generation before
	since    time.Time                    // when now began
}

type seenID struct {
	fingerprint [sha256.Size]byte
	at          time.Time
}

// first remembers the request for at least the given time. again: it is a repeat, with the same content. errReplayed: it
// was seen with other content, or without a requestid and too long ago.
func (s *seenIDs) first(req *request, memory time.Duration) (again bool, err error) {
	id, fingerprint := req.identity()
	return s.remember(req, id, sha256.Sum256([]byte(req.route.call.Name+";"+fingerprint)), memory)
}

// once remembers a reading request for at least the given time. errReplayed: it is a repeat, whatever its content; one
// without a requestid may come again soon after the first.
func (s *seenIDs) once(req *request, memory time.Duration) error {
	id := req.common.RequestID
	if id == "" {
		id, _ = req.identity()
	}
	if again, err := s.remember(req, id, [sha256.Size]byte{}, memory); err != nil || again {
		return errReplayed
	}
	return nil
}

func (s *seenIDs) remember(req *request, id string, print [sha256.Size]byte, memory time.Duration) (again bool, err error) {
	key := sha256.Sum256([]byte(string(req.user) + ";" + id))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || req.now.Sub(s.since) >= memory {
		s.old, s.now, s.since = s.now, map[[sha256.Size]byte]seenID{}, req.now
	}
	was, found := s.now[key]
	if !found {
		was, found = s.old[key]
	}
	switch {
	case !found:
		s.now[key] = seenID{print, req.now}
		return false, nil
	case was.fingerprint != print:
		return false, errReplayed
	case req.common.RequestID != "":
		return true, nil
	case req.now.Sub(was.at) > repeatGrace:
		return false, errReplayed
	}
	return false, nil
}

// keyCache holds parsed public keys. A user's key never changes. The zero value is ready.
type keyCache struct {
	mu   sync.RWMutex
	keys map[ozeki.UserID]*ozeki.PublicKey
}

const maxKeys = 10_000

func (c *keyCache) get(ctx context.Context, s *Server, user ozeki.UserID) (*ozeki.PublicKey, error) {
	c.mu.RLock()
	key := c.keys[user]
	c.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	account, err := s.store.Account(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("account of the signer: %w", err)
	}
	if key, err = importPublicKey(ctx, s.scheme, account.PublicKey); err != nil {
		return nil, fmt.Errorf("stored public key: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = map[ozeki.UserID]*ozeki.PublicKey{} // crude, and rare
	}
	c.keys[user] = key
	return key, nil
}

func importPublicKey(ctx context.Context, scheme ozeki.Scheme, text string) (*ozeki.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return scheme.ImportPublicKey(ctx, der)
}
