//go:build !js

package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"
)

func serve() {
	program, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	const icon = "/web/icon.svg" // its own would be fetched from elsewhere
	http.Handle("/", &app.Handler{Name: "Hello", ShortName: "Hello", Version: "1", Icon: app.Icon{Default: icon, AppleTouch: icon, SVG: icon, Large: icon}})
	http.HandleFunc(icon, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = w.Write([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>`)) // the browser may have gone
	})
	http.HandleFunc("/web/app.wasm", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/wasm")
		w.Header().Set("Content-Encoding", "br")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(program))
	})
	fmt.Println("http://" + l.Addr().String())
	log.Fatal(http.Serve(l, nil))
}
