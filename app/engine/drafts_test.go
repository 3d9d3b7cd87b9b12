//go:build !js

package engine

import (
	"reflect"
	"strings"
	"testing"

	"starling/app/state"
	"starling/ozeki"
)

func TestChosenFilesAndABegunChangeSurviveTheProgram(t *testing.T) {
	s, id, alice, bob := people(t)
	if err := alice.Send(id, "see you at nien"); err != nil {
		t.Fatal(err)
	}
	v := alice.until("it is stored", shows("see you at nien"))
	picture := Attachment{Name: "cat.png", Type: "image/png", Data: ozeki.NewBlob([]byte("pixels")), Width: 640, Height: 480, Thumb: []byte("thumb")}
	var files []ozeki.File
	for _, a := range []Attachment{note("notes.txt"), picture} {
		f, err := alice.KeepFile(t.Context(), id, a)
		if err != nil {
			t.Fatal(err)
		}
		if sealed, ok, err := alice.vault.File(t.Context(), f.ID); err != nil || !ok || strings.Contains(string(sealed.Bytes()), "what stands") {
			t.Fatalf("it is kept %t, perhaps in clear, %v", ok, err)
		}
		files = append(files, *f)
	}
	d := state.Draft{Text: "look", Files: files, Edit: &state.Edit{ID: last(v).ID, Was: "see you at nien", Now: "see you at nine"}}
	alice.SetDraft(id, &d)
	alice.KeepDrafts()
	eventually(t, "it is kept", func() bool { return keptOf(alice).Drafts[id] != "" })
	if kept := keptOf(alice).Drafts[id]; strings.Contains(kept, "nine") || strings.Contains(kept, "notes") {
		t.Error("it is kept in clear")
	}
	alice.Close()

	again := s.device(alice.account, alice.vault)
	again.Open(id)
	v = again.until("the draft is there", func(v *state.Snapshot) bool { return v.Open != nil && v.Open.Draft != nil })
	if !reflect.DeepEqual(*v.Open.Draft, d) {
		t.Fatalf("it has become %+v", *v.Open.Draft)
	}
	again.reading(id)
	if again.Unkept() {
		t.Error("something would be lost with the page")
	}
	w := Writing{Text: d.Text}
	for i := range files {
		w.Files = append(w.Files, Attachment{Kept: &files[i]})
	}
	if err := again.Write(id, w); err != nil {
		t.Fatal(err)
	}
	again.SetDraft(id, nil)
	again.until("all of it is stored", filesAre("notes.txt", "cat.png"))
	bob.Wake()
	v = bob.until("both have come", filesAre("notes.txt", "cat.png"))
	if f := filesIn(last(v)); f[1].Width != 640 || f[1].Thumb == "" {
		t.Errorf("the picture is %+v", f[1])
	}
	if got, ok := bob.get(id, 0); !ok || got != "what stands in notes.txt" {
		t.Errorf("got %q", got)
	}
	eventually(t, "nothing is left on the device", func() bool { return !keepsFiles(again.vault) })
}

func TestAFileThatIsNotSentAfterAllLeavesTheDevice(t *testing.T) {
	_, id, alice, _ := people(t)
	f, err := alice.KeepFile(t.Context(), id, note("notes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	alice.ForgetKept([]ozeki.File{*f})
	eventually(t, "it is gone", func() bool { return !keepsFiles(alice.vault) })
	if _, err := alice.KeepFile(t.Context(), "no conversation", note("notes.txt")); err == nil {
		t.Error("a file is kept for a conversation that is not there")
	}
	eventually(t, "that is gone, too", func() bool { return !keepsFiles(alice.vault) })
	if _, err := alice.KeepFile(t.Context(), id, note("notes.txt")); err != nil {
		t.Fatal(err)
	}
	alice.SignOut()
	eventually(t, "it goes when she signs out", func() bool { return !keepsFiles(alice.vault) })
}
