package main

import (
	"fmt"
	"time"
)

// progressEvery is how often the line of progress changes.
const progressEvery = 200 * time.Millisecond

// progress is one line on stderr that says how far a command is, if stderr is a
// terminal.
type progress struct {
	app   *app
	shown bool
	next  time.Time
}

func (a *app) newProgress() *progress { return &progress{app: a} }

// show replaces the line, unless it did so a moment ago.
func (p *progress) show(format string, args ...any) {
	now := time.Now()
	if !p.app.progress || now.Before(p.next) {
		return
	}
	p.next, p.shown = now.Add(progressEvery), true
	fmt.Fprintf(p.app.stderr, "\r\x1b[K"+format, args...)
}

// clear makes room for another line.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.app.stderr, "\r\x1b[K")
		p.shown, p.next = false, time.Time{}
	}
}
