//go:build js

package app

import "syscall/js"

// onLaunch gives f what the page was opened with, and what the installed program is opened with later while its window
// stays (launch_handler in the manifest).
func onLaunch(f func(launch)) {
	first := window.Get("location").Get("href").String()
	f(launchAt(first))
	queue := window.Get("launchQueue")
	if !queue.Truthy() {
		return
	}
	queue.Call("setConsumer", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if v := args[0].Get("targetURL"); v.Type() == js.TypeString && v.String() != first {
			f(launchAt(v.String()))
		}
		first = "" // told once: the same again is a new wish
		return nil
	}))
}

func launchAt(address string) launch {
	params := window.Get("URL").New(address).Get("searchParams")
	return launchOf(func(name string) string {
		if v := params.Call("get", name); v.Type() == js.TypeString {
			return v.String()
		}
		return ""
	}, func(name string) bool { return params.Call("has", name).Bool() })
}
