//go:build !js

package ozeki

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"starling/ozeki/json/jsontest"
)

// ofTheWire has a value of each type that goes over the wire or stands in a sealed text.
var ofTheWire = []any{
	Common{}, Answer{}, EmptyRequest{}, PlainAnswer{}, BlocklistAnswer{}, BlockRequest{},
	Conversation{}, Participant{}, Property{}, ListRequest{}, ConversationsAnswer{}, ConversationRequest{}, ClearRequest{}, ColorRequest{},
	HideRequest{}, ConversationAnswer{}, ConversationCreateRequest{}, Member{},
	File{}, FileCreateRequest{}, FileFetchRequest{}, FileAnswer{},
	FriendsAnswer{}, FriendAvailability{}, FriendAddRequest{}, FriendAddAnswer{},
	EpochSecret{}, GroupMember{}, MembersAnswer{}, GroupMembersRequest{}, RenameRequest{},
	Frame{}, TicketAnswer{}, LoginRequest{}, LoginAnswer{}, AccountCreateRequest{},
	Message{}, Report{}, Content{}, AddRequest{}, AddAnswer{}, DownloadRequest{}, DownloadPartialRequest{}, DownloadAnswer{}, ReportRequest{},
	MessageEditRequest{}, MessageDeleteRequest{}, Reply{}, NotificationRequest{}, NotificationAnswer{},
	PushSubscription{}, PushSubscribeRequest{}, PushKeyAnswer{},
	WorkspaceRegisterRequest{}, WorkspaceRequest{}, InvitationRequest{}, Workspace{}, WorkspacesAnswer{}, InviteAnswer{}, InvitationAnswer{},
}

func TestTheWireIsWrittenAndReadAsEncodingJSONDoes(t *testing.T) {
	jsontest.Same(t, ofTheWire...)
	var compared []string
	for _, v := range ofTheWire {
		compared = append(compared, reflect.TypeOf(v).Name())
	}
	for _, name := range typesWithTags(t) {
		if !slices.Contains(compared, name) {
			t.Errorf("%s is not compared", name)
		}
	}
}

// typesWithTags are the struct types of this directory whose fields have names in JSON.
func typesWithTags(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			d, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range d.Specs {
				of, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				s, ok := of.Type.(*ast.StructType)
				if ok && slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, "json:") }) {
					names = append(names, of.Name.Name)
				}
			}
		}
	}
	return names
}
