package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// publisher offers a file, whatever name it is asked for, and fails in the ways
// that publishers do.
type publisher struct {
	mu    sync.Mutex
	fault string
	body  []byte
}

// publisherKey is where a script keeps its publisher.
type publisherKey struct{}

// publish offers a file from now on, at $PUBLISHER/ANY/NAME:
//
//	publish whole FILE        as it is, with an ETag
//	publish unmodified FILE   nothing but "304" for who has it, 500 for others
//	publish html|500|truncated|endless|silent FILE
func publish(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: publish whole|unmodified|html|500|truncated|endless|silent FILE")
	}
	p, ok := ts.Value(publisherKey{}).(*publisher)
	if !ok {
		ts.Fatalf("no publisher")
	}
	body, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if ts.Getenv("PUBLISHER") == "" {
		s := httptest.NewServer(p)
		ts.Defer(s.Close)
		ts.Setenv("PUBLISHER", s.URL)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.body = args[0], body
}

// ServeHTTP implements http.Handler.
func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault, body := p.fault, p.body
	p.mu.Unlock()
	etag := fmt.Sprintf("%q", path.Base(r.URL.Path)+strconv.Itoa(len(body)))
	switch fault {
	case "whole":
		w.Header().Set("ETag", etag)
		_, _ = w.Write(body)
	case "unmodified":
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		http.Error(w, "asked without the ETag", http.StatusInternalServerError)
	case "html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!DOCTYPE html><html><body><h1>Sign in to the hotel's network</h1></body></html>")
	case "500":
		http.Error(w, "down", http.StatusInternalServerError)
	case "truncated":
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
	case "endless":
		line := []byte(strings.Repeat("64500\n", 10_000))
		for {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	case "silent":
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	default:
		http.Error(w, "no such fault: "+fault, http.StatusTeapot)
	}
}
