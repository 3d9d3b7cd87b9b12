//go:build !js

package ozeki

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestABlocklistOfAnyShapeIsUnderstoodAsFarAsItGoes(t *testing.T) {
	const alice, conversation = "aa68d2204cb2bb85f2de3b9aad0d86d7", "8ca16186c36a4e0a1ef2096e6c60b613"
	for body, want := range map[string]int{
		`{"status":"OK","errormessage":"File does not exist"}`:                                                                                                      0,
		`{"status":"OK","errormessage":"File does not exist","blockedusers":null,"blockedconversations":null}`:                                                      0,
		`{"status":"OK","blockedusers":[],"blockedconversations":[]}`:                                                                                               0,
		`{"status":"OK","blockedusers":["` + alice + `",{"userid":"x"},7,null,"nonsense",["` + alice + `"]],"blockedconversations":["` + conversation + `",false]}`: 1,
	} {
		var a BlocklistAnswer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		users, conversations := a.Users(), a.Conversations()
		if len(users) != want || len(conversations) != want {
			t.Errorf("%s: %v %v", body, users, conversations)
		}
		if want == 1 && (!slices.Equal(users, []UserID{alice}) || !slices.Equal(conversations, []ConversationID{conversation})) {
			t.Errorf("%s: %v %v", body, users, conversations)
		}
		if want == 1 {
			again, err := json.Marshal(a)
			if err != nil || !json.Valid(again) || len(a.BlockedUsers) != 6 {
				t.Errorf("what is not understood is lost: %s, %v", again, err)
			}
		}
	}
}
