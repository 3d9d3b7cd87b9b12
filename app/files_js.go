//go:build js

package app

import (
	"syscall/js"

	"starling/app/engine"
	"starling/ozeki"
)

// onFiles gives f the files that the user chooses, pastes or drops on the page, where may allows it. A file that is dropped
// elsewhere does nothing: the browser would leave the page for it.
func onFiles(may func() bool, f func([]engine.Attachment)) {
	listen(document, "change", func(e js.Value) {
		if input := e.Get("target"); input.Get("id").Type() == js.TypeString && input.Get("id").String() == "files" {
			f(attachments(input.Get("files")))
			input.Set("value", "") // the same one can be chosen again
		}
	})
	listen(document, "paste", func(e js.Value) {
		data := e.Get("clipboardData")
		// What is copied from a text comes with a picture of it.
		if !data.Truthy() || data.Get("files").Length() == 0 || data.Get("types").Call("includes", "text/plain").Bool() || modal() || !may() {
			return
		}
		e.Call("preventDefault")
		f(attachments(data.Get("files")))
	})
	show := func(is bool) {
		if is {
			document.Get("documentElement").Get("dataset").Set("dropping", "")
		} else {
			document.Get("documentElement").Get("dataset").Delete("dropping")
		}
	}
	withFiles := func(e js.Value) bool {
		data := e.Get("dataTransfer")
		return data.Truthy() && data.Get("types").Call("includes", "Files").Bool()
	}
	listen(document, "dragover", func(e js.Value) {
		if !withFiles(e) {
			return
		}
		e.Call("preventDefault")
		effect := "none"
		if may() && !modal() {
			effect = "copy"
		}
		e.Get("dataTransfer").Set("dropEffect", effect)
		show(effect == "copy")
	})
	listen(document, "dragleave", func(e js.Value) {
		if !e.Get("relatedTarget").Truthy() {
			show(false)
		}
	})
	listen(document, "drop", func(e js.Value) {
		if !withFiles(e) {
			return
		}
		e.Call("preventDefault")
		show(false)
		if may() && !modal() {
			f(attachments(e.Get("dataTransfer").Get("files")))
		}
	})
}

func modal() bool { return document.Call("querySelector", "dialog[open]").Truthy() }

func attachments(list js.Value) (files []engine.Attachment) {
	for i := range list.Length() {
		file := list.Index(i)
		files = append(files, engine.Attachment{Name: file.Get("name").String(), Type: file.Get("type").String(), Data: ozeki.Blob{Value: file}})
	}
	return files
}

func chooseFiles(input string) { ifThere(input, func(e js.Value) { e.Call("click") }) }

// smallPicture makes a small copy of a picture, and tells the size of the picture itself; nothing of what is none. It
// waits, so that it is called from a goroutine.
func smallPicture(picture ozeki.Blob) (width, height int, small []byte) {
	bitmap, err := ozeki.Await(func() js.Value { return window.Call("createImageBitmap", picture.Value) })
	if err != nil {
		return 0, 0, nil
	}
	defer bitmap.Call("close")
	width, height = bitmap.Get("width").Int(), bitmap.Get("height").Int()
	const enough = 8 << 10
	for _, try := range []struct{ side, quality float64 }{{320, .6}, {240, .5}, {160, .4}, {96, .3}} {
		scale := min(1, try.side/float64(max(width, height)))
		w, h := max(1, int(float64(width)*scale)), max(1, int(float64(height)*scale))
		copied, err := ozeki.Await(func() js.Value {
			canvas := window.Get("OffscreenCanvas").New(w, h)
			canvas.Call("getContext", "2d").Call("drawImage", bitmap, 0, 0, w, h)
			return canvas.Call("convertToBlob", map[string]any{"type": "image/webp", "quality": try.quality})
		})
		if err != nil {
			return width, height, nil
		}
		if copied.Get("size").Int() > enough {
			continue
		}
		content, err := ozeki.Await(func() js.Value { return copied.Call("arrayBuffer") })
		if err != nil {
			return width, height, nil
		}
		bytes := window.Get("Uint8Array").New(content)
		small = make([]byte, bytes.Length())
		js.CopyBytesToGo(small, bytes)
		return width, height, small
	}
	return width, height, nil
}

// urlOf gives content an address in this page. A browser may only show it as what kind says.
func urlOf(content ozeki.Blob, kind string) string {
	blob := window.Get("Blob").New([]any{content.Value}, map[string]any{"type": kind})
	return window.Get("URL").Call("createObjectURL", blob).String()
}

// saveFile saves content among the person's downloads. It is of no type, so that no browser opens it as a page.
func saveFile(name string, content ozeki.Blob) {
	link := document.Call("createElement", "a")
	url := urlOf(content, "application/octet-stream")
	link.Set("href", url)
	link.Set("download", name)
	link.Call("click")
	var revoke js.Func
	revoke = js.FuncOf(func(js.Value, []js.Value) any {
		revoke.Release()
		window.Get("URL").Call("revokeObjectURL", url)
		return nil
	})
	window.Call("setTimeout", revoke, 60_000) // the browser reads it soon, and does not say when
}

// showPicture shows a picture of a kind that state.File.IsPicture allows in an element.
func showPicture(place, name, kind string, content ozeki.Blob) {
	clearPicture(place)
	ifThere(place, func(e js.Value) {
		img := document.Call("createElement", "img")
		img.Set("alt", name)
		img.Set("src", urlOf(content, kind))
		e.Call("append", img)
	})
}

// clearPicture removes it and lets the browser forget it.
func clearPicture(place string) {
	ifThere(place, func(e js.Value) {
		if img := e.Get("firstElementChild"); img.Truthy() {
			window.Get("URL").Call("revokeObjectURL", img.Get("src"))
			img.Call("remove")
		}
	})
}

// focusFile puts the focus on a file in the messages.
func focusFile(id ozeki.FileID) {
	if e := document.Call("querySelector", "#log [data-file='"+string(id)+"']"); e.Truthy() {
		e.Call("focus", map[string]any{"preventScroll": true})
	}
}

// warnBeforeLeaving lets the browser ask before the page is left while busy says so.
func warnBeforeLeaving(busy func() bool) {
	listen(window, "beforeunload", func(e js.Value) {
		if busy() {
			e.Call("preventDefault")
		}
	})
}
