//go:build !js

package ozeki

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/protocol.md is what somebody builds a server from: it must not say what is not so.
func TestTheProtocolPageIsTrue(t *testing.T) {
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	unfolded := regexp.MustCompile(`\n +`).ReplaceAllString(page, "")
	says := func(what, text string) {
		t.Helper()
		if !strings.Contains(page, text) && !strings.Contains(unfolded, text) {
			t.Errorf("it does not have %s: %s", what, text)
		}
	}

	v := readVectors(t)
	says("the signature", v.Signatures[0].Signature)
	says("the signed body", v.Signatures[0].Body)
	for _, s := range v.Sealed[:2] {
		says("the sealed "+s.What, "`"+s.AD+"` | `"+s.Plaintext+"` | `"+s.Sealed+"`")
	}
	says("the api key", v.Credentials[0].APIKey)
	says("the encryption password", v.Credentials[0].EncryptionPassword)
	says("the user id", string(v.IDs.Users[0].ID))
	for _, constant := range []string{CredentialSalt, labelAPIKey, labelEncryption, "600,000", HeaderStation, HeaderUser, HeaderSignature} {
		says("the constant", constant)
	}
	for _, code := range []string{
		CodeSignature, CodeClock, CodeReplayed, CodeLogin, CodeExists, CodeNotFound, CodeConflict, CodeInvalid, CodeForbidden, CodeLimit, CodeInternal, CodeFull,
	} {
		says("the error code", "| `"+code+"` |")
	}
	for _, name := range []string{ExtRequestID, ExtCursor, ExtSender, ExtLogout, ExtFriendAdd, ExtConversationCreate, ExtReceipts, ExtOverview, ExtTicket, ExtTyping, ExtAway, ExtBlock, ExtGroups, ExtWorkspaces, ExtFiles, ExtMessageChange, ExtPush} {
		says("the extension", "`"+name+"`")
	}
	for _, m := range methods {
		says("the row of a call", "| `"+m.call.API+"`, `"+m.call.Action+"` |")
	}
	says("the row of a call", "| `"+CallAccountCreate.API+"`, `"+CallAccountCreate.Action+"` |")

	tests := map[string]bool{}
	files := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		files[strings.TrimPrefix(filepath.ToSlash(path), "../")] = true
		if name := entry.Name(); entry.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(page, -1) {
		if !tests[name[1]] {
			t.Errorf("it names the test %s, which is not there", name[1])
		}
	}
	for _, name := range regexp.MustCompile("`((?:chatserver|ozeki)/[\\w/]+\\.\\w+)`").FindAllStringSubmatch(page, -1) {
		if !files[name[1]] {
			t.Errorf("it names the file %s, which is not there", name[1])
		}
	}
}
