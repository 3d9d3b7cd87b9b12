package chatserver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"starling/chatserver/bus"
	"starling/chatserver/store"
	"starling/ozeki"
)

// serverVersion is the version of the published reference that this server follows.
const serverVersion = "2.0.0"

// extensions names what every such server offers beside the published calls.
var extensions = []string{
	ozeki.ExtRequestID, ozeki.ExtCursor, ozeki.ExtListOf, ozeki.ExtListSince, ozeki.ExtListPage, ozeki.ExtSender, ozeki.ExtLogout, ozeki.ExtFriendAdd, ozeki.ExtConversationCreate,
	ozeki.ExtReceipts, ozeki.ExtOverview, ozeki.ExtBlock, ozeki.ExtAway, ozeki.ExtMessageChange,
	ozeki.ExtGroups, ozeki.ExtWorkspaces,
}

// extensions names what this one offers.
func (s *Server) extensions() []string {
	offered := slices.Clone(extensions)
	if s.listenerPath != "" {
		offered = append(offered, ozeki.ExtTicket, ozeki.ExtTyping)
	}
	if s.pushes != nil {
		offered = append(offered, ozeki.ExtPush)
	}
	if s.files != nil {
		offered = append(offered, ozeki.ExtFiles)
	}
	return offered
}

// limits are what a client must know before it sends something.
func (s *Server) limits() map[string]int64 {
	if s.files == nil {
		return nil
	}
	return map[string]int64{ozeki.LimitFile: s.maxFile}
}

// login tells the owner of an api key who he is and binds the station to him. Unsigned. errLogin: the key is unknown.
// errBound: another user is signed in on the station. errLimit: too many failures from the address. A repeat signs in
// again: the station's notifications start anew.
func (s *Server) login(ctx context.Context, req *request, body *ozeki.LoginRequest) (any, error) {
	if !req.station.Valid() {
		return nil, errStation
	}
	attempt := s.failures.attempt(req.remote, req.now)
	if !attempt.allowed {
		return nil, errLimit
	}
	account, err := s.store.AccountByAPIKey(ctx, hashAPIKey(body.APIKey))
	if errors.Is(err, store.ErrNotFound) {
		return nil, errLogin
	}
	attempt.takeBack()
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx store.Tx) error { return tx.BindStation(ctx, req.station, account.UserID, req.now) })
	if err != nil {
		return nil, err
	}
	return ozeki.LoginAnswer{
		Answer: ok, Server: serverVersion, Listeners: s.listeners(req.origin), Registration: "true", RSAKey: account.RSAKey,
		UserID: account.UserID, FullName: account.FullName, Nick: account.Nick, URLs: s.urls(req.origin), Extensions: s.extensions(), Limits: s.limits(),
	}, nil
}

var errStation = errInvalid.saying("The header Ozeki-Station is missing or not of 32 lower-case hexadecimal digits. Send this installation's id.")

// logout unbinds the station from its user, who signs in again to go on. He is not there any more at once, and the station's
// sockets end.
func (s *Server) logout(ctx context.Context, tx store.Tx, req *request, _ *ozeki.EmptyRequest) (any, error) {
	if err := tx.UnbindStation(ctx, req.station, req.user); err != nil {
		return nil, err
	}
	req.committed = func(ctx context.Context) {
		s.publish(ctx, bus.Hint{Users: []ozeki.UserID{req.user}, SignedOut: req.station})
		s.presence.left(req.user, req.station)
		s.tellFriends(ctx, req.user)
	}
	return ozeki.PlainAnswer{Answer: ok}, nil
}

// listeners names the notification socket under the scheme that the caller's page can use.
func (s *Server) listeners(origin string) map[string]string {
	if s.listenerPath == "" {
		return map[string]string{}
	}
	if host, secure := strings.CutPrefix(origin, "https://"); secure {
		return map[string]string{"wss": "wss://" + host + s.listenerPath}
	}
	return map[string]string{"ws": "ws" + strings.TrimPrefix(origin, "http") + s.listenerPath}
}

// urls names where the services are, by the names of the published login answer.
func (s *Server) urls(origin string) map[string]string {
	urls := map[string]string{}
	for name, call := range map[string]ozeki.Call{
		"login": ozeki.CallLogin, "availability": ozeki.CallAvailability, "friends": ozeki.CallFriends,
		"conversation": ozeki.CallConversations, "blocklist": ozeki.CallBlocklist, "notification": ozeki.CallNotification,
	} {
		urls[name] = origin + s.path + call.Query()
	}
	return urls
}

// hashAPIKey returns what is stored of an api key. The key has 256 random-looking bits, so a plain hash is enough.
func hashAPIKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Failed sign-ins that an address has at once, and how soon one more.
const (
	failureBurst = 10
	failureEvery = 6 * time.Second
	maxAddresses = 10_000
)

// failures counts failed sign-ins per address, or something else with another burst. The zero value is ready.
type failures struct {
	burst  int           // 0 is failureBurst
	every  time.Duration // 0 is failureEvery
	mu     sync.Mutex
	by     map[string]*rate.Limiter
	others *rate.Limiter // shared by the addresses that find no place
}

type attempt struct {
	allowed bool
	at      time.Time
	token   *rate.Reservation
}

// attempt takes a token for a sign-in that may fail; takeBack returns it when it did not.
func (f *failures) attempt(remote string, now time.Time) attempt {
	token := f.of(remote, now).ReserveN(now, 1)
	if token.DelayFrom(now) > 0 {
		token.CancelAt(now)
		return attempt{}
	}
	return attempt{true, now, token}
}

func (a attempt) takeBack() { a.token.CancelAt(a.at) }

func (f *failures) of(remote string, now time.Time) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.by[remote]; l != nil {
		return l
	}
	if f.by == nil {
		f.by = map[string]*rate.Limiter{}
		f.others = f.newLimiter()
	}
	if len(f.by) >= maxAddresses {
		for r, l := range f.by {
			if l.TokensAt(now) >= float64(l.Burst()) {
				delete(f.by, r)
			}
		}
		if len(f.by) >= maxAddresses {
			return f.others
		}
	}
	f.by[remote] = f.newLimiter()
	return f.by[remote]
}

func (f *failures) newLimiter() *rate.Limiter {
	return rate.NewLimiter(rate.Every(cmp.Or(f.every, failureEvery)), cmp.Or(f.burst, failureBurst))
}
