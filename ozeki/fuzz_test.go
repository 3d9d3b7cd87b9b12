package ozeki

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// The seeds run with every `go test`; `go test -fuzz FuzzTime ./ozeki` looks for more.

// Whatever a server calls a key: either it opens to something of a key's form, or there is an error.
func FuzzOpenPEM(f *testing.F) {
	v := readVectors(f)
	for _, p := range v.PEM {
		f.Add(p.PEM, p.Password)
		f.Add(p.PEM, "")
		f.Add(p.PEM[:len(p.PEM)/2], p.Password)
		f.Add(strings.ReplaceAll(p.PEM, "\r\n", "\n"), p.Password)
	}
	f.Add("", "")
	f.Add(pemBegin+"\n"+pemEnd, "x")
	f.Add(pemBegin+"\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CFB,"+strings.Repeat("0", 32)+"\n\nAAAA\n"+pemEnd, "x")
	f.Add(pemBegin+"\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CFB,\n\n\n"+pemEnd, "x")
	f.Fuzz(func(t *testing.T, text, password string) {
		der, err := OpenPEM(text, password)
		if err != nil {
			if der != nil {
				t.Fatalf("an error (%v) with a key", err)
			}
			return
		}
		if !looksLikePKCS1(der) {
			t.Fatalf("opened as %x", der)
		}
		again, err := SealPEM(der, password)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := OpenPEM(again, password); err != nil || !bytes.Equal(back, der) {
			t.Fatalf("sealed again it does not open: %v", err)
		}
	})
}

// No bytes look like success that an independent reading does not find to say so.
func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range publishedSamples(f) {
		f.Add(200, []byte(s.Response))
		f.Add(502, []byte(s.Response))
	}
	for _, text := range []string{
		"", "null", "[]", `"OK"`, "{}", `{"status":"OK"}`, `{"Status":"OK"}`, `{"status":"OK","status":"ERROR"}`, `{"status":["OK"]}`,
		`{"\u0073tatus":"\u004fK"}`, `{"status":"ERROR","errorcode":"clock"}`, `{"messages":[{}],"reports":null}`, `{"messages":5}`,
		`{"status":7,"messages":[]}`, `{"status":"OK","conversations":[{"properties":[{"ismuted":true}]}]}`, `{"status":"OK"}}`, "<html>",
		`{"status":"OK","conversation":{"id":1}}`, "{\"status\":\"OK\xff\"}", `{"status":"OK","listeners":[],"urls":[]}`,
	} {
		f.Add(200, []byte(text))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var fields map[string]any
		isObject := json.Unmarshal(body, &fields) == nil
		says, _ := fields["status"].(string)
		for _, call := range Published {
			answer := reflect.New(reflect.TypeOf(typesOf[call].response)).Interface().(json.Unmarshaler)
			err := decodeAnswer(call, &Response{Status: status, Body: body}, answer)
			if err != nil {
				if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrNotJSON) && !errors.Is(err, ErrUnavailable) {
					t.Fatalf("%s: an error of no kind: %v", call.Name, err)
				}
				continue
			}
			_, messages := fields["messages"]
			_, reports := fields["reports"]
			bare := (call == CallDownload || call == CallDownloadPartial) && fields["status"] == nil && (messages || reports)
			if status < 200 || status > 299 || !isObject || (says != StatusOK && !bare) {
				t.Fatalf("%s: HTTP %d %q looks like success", call.Name, status, body)
			}
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"", "2024-03-08 13:55:47", "2024-02-29 23:59:59", "2023-02-29 00:00:00", "0000-00-00 00:00:00", "0001-01-01 00:00:00",
		"9999-12-31 23:59:59", "2024-03-08T13:55:47Z", "2024-03-08 13:55:47.999999", "2024-03-08 24:00:00", "2024-03-08 23:59:60",
		" 2024-03-08 13:55:47", "2024-3-8 1:2:3", "2024-03-08 13:55:47,5", "\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseTime(s)
		if err != nil {
			if !v.IsZero() {
				t.Fatalf("%q: an error with the time %v", s, v)
			}
			return
		}
		if v.Nanosecond() != 0 || !v.Equal(TimeOf(v.Time).Time) {
			t.Fatalf("%q became %v, which is finer than a second", s, v.Time)
		}
		if again, err := ParseTime(v.String()); err != nil || !again.Equal(v.Time) {
			t.Fatalf("%q became %q, which is %v, %v", s, v.String(), again, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back Time
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(v.Time) {
			t.Fatalf("%q became %s, which is %v, %v", s, text, back, err)
		}
	})
}

// What was not sealed under the key for the place does not open, and nothing makes Open panic.
func FuzzOpen(f *testing.F) {
	v := readVectors(f).Sealed
	s := schemeNamed(f, "")
	key := v[0].ConversationKey
	for _, c := range v {
		f.Add(c.AD, c.Sealed)
		f.Add(c.AD+"x", c.Sealed)
		f.Add(c.AD, c.Sealed[:len(c.Sealed)-4])
	}
	f.Add("", "")
	f.Add("", "AAAA")
	f.Add("", base64.StdEncoding.EncodeToString(make([]byte, nonceSize+16)))
	f.Fuzz(func(t *testing.T, ad, data string) {
		opened := s.Open(t.Context(), []Sealed{{key, ad, data}, {nil, ad, data}, {key, v[0].AD, v[0].Sealed}})
		raw, err := base64.StdEncoding.DecodeString(data)
		genuine := false
		for _, c := range v {
			genuine = genuine || (err == nil && ad == c.AD && bytes.Equal(raw, unbase64(t, c.Sealed)))
		}
		if got := opened[0]; genuine != (got.Err == nil) || (got.Err != nil && (!errors.Is(got.Err, ErrUndecryptable) || got.Plaintext != nil)) {
			t.Fatalf("%q in %q opened as %q, %v", data, ad, got.Plaintext, got.Err)
		}
		if !errors.Is(opened[1].Err, ErrUndecryptable) {
			t.Fatal("opened without a key")
		}
		if opened[2].Err != nil || string(opened[2].Plaintext) != v[0].Plaintext {
			t.Fatalf("the text beside it opened as %q, %v", opened[2].Plaintext, opened[2].Err)
		}
	})
}

// A conversation that was understood once stays what it is, and none of its unknown fields is lost.
func FuzzConversationRoundTrip(f *testing.F) {
	for _, s := range publishedSamples(f) {
		var answer struct {
			Conversation  json.RawMessage
			Conversations []json.RawMessage
		}
		if err := json.Unmarshal(s.Response, &answer); err != nil {
			f.Fatal(err)
		}
		for _, c := range append(answer.Conversations, answer.Conversation) {
			if c != nil {
				f.Add([]byte(c))
			}
		}
	}
	for _, text := range []string{
		`{}`, `null`, `{"id":null,"properties":[null],"mutedby":null}`, `{"id":"a","ID":"b","x":{"id":1}}`, `{"lastaccess":-9223372036854775808}`,
		`{"properties":[{"hideid":"a;","new":[{"deep":"er"}]}],"new":1e400}`, ` { "x" : "\ud83d\udc26 \\ \" <" , "" : [ ] } `, "{\"x\xff\":\"\xfe\"}",
		`{"isgroup":1}`, `{"participants":{}}`, `{"\u0069d":"escaped"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c Conversation
		if err := json.Unmarshal(text, &c); err != nil {
			return
		}
		once, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("%s does not encode: %v", text, err)
		}
		var again Conversation
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("%s came back as %s: %v", text, once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s came back as\n%s, then as\n%s (%v)", text, once, twice, err)
		}
		if !utf8.Valid(text) {
			return // encoding/json mends it in names and texts, and leaves it in what is kept unread
		}
		var before, after map[string]any
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(once, &after) != nil {
			return // a number that no float holds
		}
		for name := range c.Extra {
			if !reflect.DeepEqual(before[name], after[name]) {
				t.Fatalf("%s lost %q: %s", text, name, once)
			}
		}
	})
}
