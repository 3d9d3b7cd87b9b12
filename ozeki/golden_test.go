package ozeki

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The published samples of all 19 calls.
//
//go:embed testdata/published/*.json
var publishedFiles embed.FS

type publishedSample struct {
	file     string
	Call     string
	URL      string
	Headers  []string
	Request  json.RawMessage
	Response json.RawMessage
}

func publishedSamples(t testing.TB) []publishedSample {
	t.Helper()
	files, err := publishedFiles.ReadDir("testdata/published")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(Published) {
		t.Fatalf("%d samples for %d calls", len(files), len(Published))
	}
	samples := make([]publishedSample, len(files))
	for i, f := range files { // their numbers give the order of the reference
		text, err := publishedFiles.ReadFile("testdata/published/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &samples[i]); err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		samples[i].file = f.Name()
	}
	return samples
}

// typesOf are the Go types of each published call, by its API and action.
var typesOf = map[Call]struct{ request, response any }{
	CallLogin:             {LoginRequest{}, LoginAnswer{}},
	CallAvailability:      {EmptyRequest{}, PlainAnswer{}},
	CallFriends:           {EmptyRequest{}, FriendsAnswer{}},
	CallReport:            {ReportRequest{}, PlainAnswer{}},
	CallNotification:      {NotificationRequest{}, NotificationAnswer{}},
	CallConversations:     {EmptyRequest{}, ConversationsAnswer{}},
	CallDownloadPartial:   {DownloadPartialRequest{}, DownloadAnswer{}},
	CallAdd:               {AddRequest{}, AddAnswer{}},
	CallClear:             {ClearRequest{}, ConversationAnswer{}},
	CallFavorite:          {ConversationRequest{}, ConversationAnswer{}},
	CallUnfavorite:        {ConversationRequest{}, ConversationAnswer{}},
	CallColor:             {ColorRequest{}, ConversationAnswer{}},
	CallDownload:          {DownloadRequest{}, DownloadAnswer{}},
	CallMute:              {ConversationRequest{}, ConversationAnswer{}},
	CallUnmute:            {ConversationRequest{}, ConversationAnswer{}},
	CallHide:              {HideRequest{}, ConversationAnswer{}},
	CallUnhide:            {ConversationRequest{}, ConversationAnswer{}},
	CallBlocklist:         {EmptyRequest{}, BlocklistAnswer{}},
	CallWorkspaceRegister: {WorkspaceRegisterRequest{}, PlainAnswer{}},
}

func TestPublishedRequestsAndAnswersSurviveUnchanged(t *testing.T) {
	for i, s := range publishedSamples(t) {
		call := Published[i]
		types := typesOf[call]
		if got := roundTrip(t, types.request, s.Request); !sameJSON(t, got, s.Request) {
			t.Errorf("%s: the request came back as %s", s.file, got)
		}
		if got := roundTrip(t, types.response, s.Response); !sameJSON(t, got, s.Response) {
			t.Errorf("%s: the answer came back as %s", s.file, got)
		}
	}
}

func TestPublishedRequestsAreTheCallsOfTheTable(t *testing.T) {
	for i, s := range publishedSamples(t) {
		call := Published[i]
		var request struct{ Action string }
		if err := json.Unmarshal(s.Request, &request); err != nil {
			t.Fatal(err)
		}
		if s.URL != call.Query() || request.Action != call.Action {
			t.Errorf("%s: %s with action %s; the table says %s with %s", s.file, s.URL, request.Action, call.Query(), call.Action)
		}
		want := []string{"Content-Type"}
		if call.Station {
			want = append(want, HeaderStation)
		}
		if call.Signed {
			want = append(want, HeaderUser, HeaderSignature)
		}
		if !slices.Equal(slices.Sorted(slices.Values(s.Headers)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: headers %q, the table says %q", s.file, s.Headers, want)
		}
		common := strings.Contains(string(s.Request), `"clientversioncode": 3`)
		_, hasCommon := reflect.New(reflect.TypeOf(typesOf[call].request)).Interface().(commonFields)
		if common != hasCommon {
			t.Errorf("%s: common fields %t, the type says %t", s.file, common, hasCommon)
		}
	}
}

func TestThePublishedMessageInAStringSurvives(t *testing.T) {
	for i, s := range publishedSamples(t) {
		if Published[i] != CallAdd {
			continue
		}
		var request AddRequest
		if err := json.Unmarshal(s.Request, &request); err != nil {
			t.Fatal(err)
		}
		if got := roundTrip(t, Message{}, []byte(request.Message)); !sameJSON(t, got, []byte(request.Message)) {
			t.Errorf("the message came back as %s", got)
		}
	}
}

// A later server says more than this client knows. Nothing of it is lost, at any depth.
func TestUnknownFieldsSurviveAtEveryDepth(t *testing.T) {
	objects := 0
	for i, s := range publishedSamples(t) {
		var answer any
		if err := json.Unmarshal(s.Response, &answer); err != nil {
			t.Fatal(err)
		}
		objects += addUnknown(answer)
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if got := roundTrip(t, typesOf[Published[i]].response, text); !sameJSON(t, got, text) {
			t.Errorf("%s: went in as\n%s\nand came back as\n%s", s.file, text, got)
		}
	}
	if objects < 60 {
		t.Errorf("unknown fields were added to %d objects only", objects)
	}
	for _, c := range []struct {
		v    any
		text string
	}{
		{FriendAddAnswer{}, `{"status":"OK","errormessage":"","new":1,"friend":{"friendid":"a","friendname":"b","publickey":"","availability":"x","new":{}}}`},
		{Content{}, `{"v":1,"text":"hi","from":"a","new":[1,2.50,{"a":null}]}`},
		{Message{}, `{"ID":"","Type":"Burn","Created":"","new":"<&>"}`},
		{BlocklistAnswer{}, `{"status":"OK","errormessage":"","blockedusers":["a",{"id":1}],"blockedconversations":[{"x":[]},2]}`},
	} {
		if got := roundTrip(t, c.v, []byte(c.text)); !sameJSON(t, got, []byte(c.text)) {
			t.Errorf("%s came back as %s", c.text, got)
		}
	}
}

// addUnknown adds unknown fields to every object in v and returns to how many. The maps of the API (urls, listeners,
// friends) hold texts and get a text.
func addUnknown(v any) (objects int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			objects += addUnknown(e)
		}
	case map[string]any:
		texts := true
		for _, e := range v {
			_, isText := e.(string)
			texts = texts && isText
			objects += addUnknown(e)
		}
		v["x-text"] = "said later"
		_, isAnswer := v["status"]
		_, isReport := v["ID"]
		if !texts || isAnswer || isReport {
			v["x-number"], v["x-null"], v["x-list"] = 17.25, nil, []any{true, map[string]any{"deep": "er"}}
			v["x-object"] = map[string]any{"id": "not ours"}
		}
		objects++
	}
	return objects
}

func TestMissingAndNullListsAreEmptyAndStaySo(t *testing.T) {
	for _, text := range []string{
		`{"status":"OK","errormessage":""}`,
		`{"status":"OK","errormessage":"","friends":null,"availabilities":null}`,
		`{"status":"OK","errormessage":"","friends":{},"availabilities":[]}`,
		`{"status":"OK","errormessage":"","friends":[],"availabilities":[]}`, // PHP has one sign for both kinds of empty
	} {
		var a FriendsAnswer
		if err := json.Unmarshal([]byte(text), &a); err != nil || len(a.Friends) != 0 || len(a.Availabilities) != 0 {
			t.Errorf("%s: %v, %v, %v", text, a.Friends, a.Availabilities, err)
		}
	}
	const bare = `{"messages":[{"ID":"x","Type":"Message","Created":"2024-03-08 15:37:00"}]}`
	if got := roundTrip(t, DownloadAnswer{}, []byte(bare)); !sameJSON(t, got, []byte(bare)) {
		t.Errorf("%s came back as %s", bare, got)
	}
}

// What a participant writes must not hide the others' messages.
func TestAMalformedMessageHidesNoOther(t *testing.T) {
	const text = `{"messages":[
		{"ID":"fc2515cb-e483-4f64-936b-98f680565c96","Type":"Message","Created":"2024-03-08 14:12:48","Data":"b25l"},
		{"ID":7,"Type":["Message"],"Created":"0000-00-00 00:00:00","ValidUntil":false,"Data":{"a":1},"From":null},
		{"ID":"470fa27b-7ecb-4cde-9b49-173c0fca14cb","Type":"Message","Created":"2024-03-11 07:23:46","Data":"dHdv"}],
		"reports":[{"ID":"a","Created":"soon"},{"ID":"b","Type":"viewed"}]}`
	var a DownloadAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Messages) != 3 || a.Messages[0].Data != "b25l" || a.Messages[2].Data != "dHdv" || len(a.Reports) != 2 || a.Reports[1].Type != "viewed" {
		t.Errorf("got %+v", a)
	}
	odd := a.Messages[1]
	if odd.ID != "" || odd.Type != "" || !odd.Created.IsZero() || !odd.ValidUntil.IsZero() || odd.Data != "" {
		t.Errorf("the odd message was understood as %+v", odd)
	}
	want := []string{"Created", "Data", "ID", "Type", "ValidUntil"}
	if got := slices.Sorted(maps.Keys(odd.Extra)); !slices.Equal(got, want) {
		t.Errorf("the odd message keeps %q, want %q", got, want)
	}
	again := roundTrip(t, DownloadAnswer{}, []byte(text))
	var b DownloadAnswer
	if err := json.Unmarshal(again, &b); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("came back as %s (%v)", again, err)
	}
	// What the server adds to a message counts, whatever the writer put there.
	odd.ID, odd.From = "b3f0e9c0-0000-4000-8000-000000000000", "aa68d2204cb2bb85f2de3b9aad0d86d7"
	odd.Extra["From"] = []byte(`"d574638619cbff603bf857164c47e850"`)
	forged, err := json.Marshal(odd)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(forged, &odd); err != nil || odd.From != "aa68d2204cb2bb85f2de3b9aad0d86d7" || odd.ID == "" {
		t.Errorf("the sender became %q (%v)", odd.From, err)
	}
}

func TestWrongKindsInAnAnswerAreErrors(t *testing.T) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{ConversationsAnswer{}, `{"status":5}`},
		{ConversationsAnswer{}, `{"status":"OK","conversations":{}}`},
		{ConversationsAnswer{}, `{"status":"OK","conversations":"none"}`},
		{ConversationsAnswer{}, `{"status":"OK","conversations":[7]}`},
		{ConversationsAnswer{}, `{"status":"OK","conversations":[{"isgroup":"no"}]}`},
		{ConversationsAnswer{}, `{"status":"OK","conversations":[{"lastaccess":"then"}]}`},
		{ConversationsAnswer{}, `{"status":"OK","conversations":[{"lastaccess":1.5}]}`},
		{FriendsAnswer{}, `{"status":"OK","friends":["a"]}`},
		{FriendsAnswer{}, `{"status":"OK","friends":{"a":1}}`},
		{PlainAnswer{}, `[]`},
		{PlainAnswer{}, `"OK"`},
	} {
		v := reflect.New(reflect.TypeOf(c.v)).Interface()
		if err := json.Unmarshal([]byte(c.text), v); err == nil {
			t.Errorf("%s was understood as %+v", c.text, v)
		}
	}
}

// roundTrip decodes text into a new value of v's type and encodes it again.
func roundTrip(t testing.TB, v any, text []byte) []byte {
	t.Helper()
	p := reflect.New(reflect.TypeOf(v))
	if err := json.Unmarshal(text, p.Interface()); err != nil {
		t.Fatalf("decode %s into %T: %v", text, v, err)
	}
	got, err := json.Marshal(p.Elem().Interface())
	if err != nil {
		t.Fatalf("encode %T: %v", v, err)
	}
	return got
}

// sameJSON compares what two texts mean.
func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	for text, v := range map[*[]byte]*any{&a: &x, &b: &y} {
		if err := json.Unmarshal(*text, v); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", *text, err))
		}
	}
	return reflect.DeepEqual(x, y)
}
