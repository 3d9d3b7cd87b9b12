package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"starling/app/state"
	"starling/ozeki"
)

// forgetConversation forgets what this device holds of a conversation that is gone: messages that wait to be sent with their
// files, the draft, what was viewed, flags that were wished. A notice gives back the texts of messages that were not sent. A
// repeat changes nothing. The caller holds mu.
func (e *Engine) forgetConversation(gone state.Gone) {
	id := gone.ID
	files := idsOf(gone.Files)
	if e.kept != nil {
		files = append(files, e.kept.DraftFiles[id]...)
	}
	if o := e.sender[id]; o != nil {
		for _, stop := range o.uploads {
			stop()
		}
		files = slices.AppendSeq(files, maps.Keys(o.files))
		o.gone, o.waiting = true, nil
		clear(o.files)
		delete(e.sender, id)
	}
	if p := e.reporters[id]; p != nil {
		if p.stop != nil {
			p.stop()
		}
		delete(e.reporters, id)
	}
	if stop := e.rekeys[id]; stop != nil {
		stop()
		delete(e.rekeys, id)
	}
	for who, last := range e.typists {
		if who.conversation == id {
			last.stop()
			delete(e.typists, who)
		}
	}
	e.overviews = slices.DeleteFunc(slices.Clone(e.overviews), func(x ozeki.ConversationID) bool { return x == id })
	delete(e.poll.due, id)
	delete(e.farewells, id)
	delete(e.drafts, id)
	delete(e.keeping, id)
	maps.DeleteFunc(e.wishing, func(at wishAt, _ string) bool { return at.id == id })
	delete(e.read, id)
	e.saveLater(func(k *Kept) {
		k.Drafts = withDrafts(k.Drafts, map[ozeki.ConversationID]string{id: ""})
		k.Read, k.Wishes, k.DraftFiles = maps.Clone(k.Read), maps.Clone(k.Wishes), maps.Clone(k.DraftFiles)
		delete(k.DraftFiles, id)
		delete(k.Read, id)
		delete(k.Wishes, id)
	})
	if e.kept != nil {
		e.goIn(e.run, func(ctx context.Context, _ int) {
			e.vaultMu.Lock()
			defer e.vaultMu.Unlock()
			// What stays, encrypted under keys that are gone, goes at the next start or when the user signs out.
			queued, _ := e.vault.Queued(ctx)
			for _, w := range queued {
				if w.Conversation == id {
					files = append(files, w.Files...)
				}
			}
			_ = e.vault.UnqueueAll(ctx, id)
			if len(files) > 0 {
				_ = e.vault.ForgetFiles(ctx, files)
			}
		})
	}
	if gone.Unsent > 0 {
		e.state.Apply(state.NoticeAdded{Text: goneWords(gone)})
	}
}

// goneWords says what was lost with a conversation, with the texts as far as they are at hand.
func goneWords(gone state.Gone) string {
	name, lost := "A conversation", "a message of yours that was not sent"
	if gone.Name != "" {
		name = "“" + gone.Name + "”"
	}
	if gone.Unsent > 1 {
		lost = fmt.Sprint(gone.Unsent, " messages of yours that were not sent")
	}
	words := name + " is not among your conversations any more. With it went " + lost
	if len(gone.Texts) == 0 {
		return words + "."
	}
	words += ":"
	for _, text := range gone.Texts {
		words += " “" + text + "”"
		if len(words) > maxGoneWords {
			return strings.ToValidUTF8(words[:maxGoneWords], "") + "…"
		}
	}
	return words
}

// maxGoneWords is the length of the longest notice of what went with a conversation, in bytes.
const maxGoneWords = 600

// forgetLost forgets what an earlier run of the program kept for conversations that the whole list, which has just been
// loaded, does not know any more. The caller holds mu.
func (e *Engine) forgetLost(kept *Kept, waiting []Waiting) {
	lost := map[ozeki.ConversationID]int{}
	see := func(id ozeki.ConversationID, unsent int) {
		if !e.state.Timeline(id).Known {
			lost[id] += unsent
		}
	}
	for _, w := range waiting {
		see(w.Conversation, 1)
	}
	for id := range kept.Drafts {
		see(id, 0)
	}
	for id := range kept.Read {
		see(id, 0)
	}
	for id, unsent := range lost {
		gone := state.Gone{ID: id, Unsent: unsent}
		for _, file := range kept.DraftFiles[id] {
			gone.Files = append(gone.Files, ozeki.File{ID: file})
		}
		e.forgetConversation(gone)
	}
}
