//go:build !js

package app

import (
	"starling/app/engine"
	"starling/ozeki"
)

// The native twin of files_js.go: there is no page, no picture and no place to save to.

func onFiles(func() bool, func([]engine.Attachment))              {}
func chooseFiles(string)                                          {}
func smallPicture(ozeki.Blob) (width, height int, picture []byte) { return 0, 0, nil }
func saveFile(string, ozeki.Blob)                                 {}
func showPicture(place, name, kind string, content ozeki.Blob)    {}
func clearPicture(string)                                         {}
func focusFile(ozeki.FileID)                                      {}
func warnBeforeLeaving(func() bool)                               {}
