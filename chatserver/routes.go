package chatserver

import (
	"context"
	"encoding/json"

	"starling/chatserver/store"
	"starling/ozeki"
)

type routeKey struct{ service, api, action string }

// route is one call with its way through the server: who may send it and what it does.
type route struct {
	call  ozeki.Call
	serve func(context.Context, *request) ([]byte, error)
}

// table lists all calls. What a call needs (station, signature) and whether it changes anything is said by its ozeki.Call.
func (s *Server) table() map[routeKey]route {
	routes := []route{
		open(ozeki.CallLogin, s.login),
		open(ozeki.CallAccountCreate, s.createAccount),
		open(ozeki.CallNotification, s.notification),

		read(s, ozeki.CallTicket, s.ticket),

		light(s, ozeki.CallAvailability, s.available),
		light(s, ozeki.CallAway, s.away),
		change(s, ozeki.CallLogout, s.logout),

		read(s, ozeki.CallFriends, s.friends),
		change(s, ozeki.CallFriendAdd, s.addFriend),

		read(s, ozeki.CallConversations, s.conversations),
		change(s, ozeki.CallConversationCreate, s.createConversation),
		change(s, ozeki.CallFavorite, s.favorite),
		change(s, ozeki.CallUnfavorite, s.unfavorite),
		change(s, ozeki.CallMute, s.mute),
		change(s, ozeki.CallUnmute, s.unmute),
		change(s, ozeki.CallColor, s.setColor),
		change(s, ozeki.CallHide, s.hide),
		change(s, ozeki.CallUnhide, s.unhide),
		change(s, ozeki.CallClear, s.clear),

		read(s, ozeki.CallMembers, s.members),
		change(s, ozeki.CallMemberAdd, s.addMembers),
		change(s, ozeki.CallRename, s.rename),
		change(s, ozeki.CallLeave, s.leave),
		change(s, ozeki.CallRekey, s.rekey),

		change(s, ozeki.CallAdd, s.addMessage),
		change(s, ozeki.CallMessageEdit, s.editMessage),
		change(s, ozeki.CallMessageDelete, s.deleteMessage),
		read(s, ozeki.CallDownload, s.download),
		read(s, ozeki.CallDownloadPartial, s.downloadPartial),
		change(s, ozeki.CallReport, s.report),

		read(s, ozeki.CallBlocklist, s.blocklist),
		change(s, ozeki.CallBlock, s.block),
		change(s, ozeki.CallUnblock, s.unblock),

		bare(s, ozeki.CallWorkspaceRegister, s.registerWorkspace),
		read(s, ozeki.CallWorkspaces, s.workspaces),
		change(s, ozeki.CallWorkspaceInvite, s.inviteToWorkspace),
		read(s, ozeki.CallWorkspaceInvitation, s.invitation),
		change(s, ozeki.CallWorkspaceJoin, s.joinWorkspace),
		change(s, ozeki.CallWorkspaceLeave, s.leaveWorkspace),
	}
	if s.files != nil {
		routes = append(routes, change(s, ozeki.CallFileCreate, s.createFile), read(s, ozeki.CallFileFetch, s.fetchFile))
	}
	if s.pushes != nil {
		routes = append(routes, read(s, ozeki.CallPushKey, s.pushKey), change(s, ozeki.CallPushSubscribe, s.subscribePush),
			change(s, ozeki.CallPushUnsubscribe, s.unsubscribePush))
	}
	m := make(map[routeKey]route, len(routes))
	for _, r := range routes {
		m[routeKey{r.call.Service, r.call.API, r.call.Action}] = r
	}
	return m
}

// open is an unsigned call: the handler itself decides who may send it.
func open[T any](call ozeki.Call, handle func(context.Context, *request, *T) (any, error)) route {
	return route{call, func(ctx context.Context, req *request) ([]byte, error) {
		body, err := decode[T](req)
		if err != nil {
			return nil, err
		}
		answer, err := handle(ctx, req, body)
		if err != nil {
			return nil, err
		}
		return encode(answer), nil
	}}
}

// read is a signed call that changes nothing.
func read[T any](s *Server, call ozeki.Call, handle func(context.Context, *request, *T) (any, error)) route {
	answered := open(call, handle)
	return route{call, func(ctx context.Context, req *request) ([]byte, error) {
		if err := s.admit(ctx, req); err != nil {
			return nil, err
		}
		if err := s.seen.once(req, s.memory()); err != nil {
			return nil, err
		}
		return answered.serve(ctx, req)
	}}
}

// light is a signed call whose effect is not stored for itself, and so neither is its request id: a repeat has no second effect and
// the same answer.
func light[T any](s *Server, call ozeki.Call, handle func(ctx context.Context, req *request, body *T)) route {
	return route{call, func(ctx context.Context, req *request) ([]byte, error) {
		if err := s.admit(ctx, req); err != nil {
			return nil, err
		}
		body, err := decode[T](req)
		if err != nil {
			return nil, err
		}
		again, err := s.seen.first(req, s.memory())
		if err != nil {
			return nil, err
		}
		if !again {
			handle(ctx, req, body)
		}
		return encode(ozeki.PlainAnswer{Answer: ok}), nil
	}}
}

// change is a signed call that changes the store: effect, request id and answer are one transaction.
func change[T any](s *Server, call ozeki.Call, handle func(context.Context, store.Tx, *request, *T) (any, error)) route {
	return route{call, func(ctx context.Context, req *request) ([]byte, error) {
		if err := s.admit(ctx, req); err != nil {
			return nil, err
		}
		body, err := decode[T](req)
		if err != nil {
			return nil, err
		}
		answer, err := s.once(ctx, req, func(ctx context.Context, tx store.Tx) (any, error) { return handle(ctx, tx, req, body) })
		if err == nil && req.committed != nil {
			req.committed(context.WithoutCancel(ctx))
		}
		return answer, err
	}}
}

// bare is a signed call without station, time and requestid, as published for workspace register: who has seen one can send
// it again at any time, so its effect must be one that a repeat does not change.
func bare[T any](s *Server, call ozeki.Call, handle func(context.Context, store.Tx, *request, *T) (any, error)) route {
	answered := open(call, func(ctx context.Context, req *request, body *T) (answer any, err error) {
		err = s.update(ctx, func(tx store.Tx) error {
			answer, err = handle(ctx, tx, req, body)
			return err
		})
		return answer, err
	})
	return route{call, func(ctx context.Context, req *request) ([]byte, error) {
		if err := s.admitBare(ctx, req); err != nil {
			return nil, err
		}
		return answered.serve(ctx, req)
	}}
}

func decode[T any](req *request) (*T, error) {
	body := new(T)
	if err := json.Unmarshal(req.body, body); err != nil {
		return nil, errInvalid
	}
	return body, nil
}
