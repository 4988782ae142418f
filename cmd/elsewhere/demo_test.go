package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestDemoStays tells the story, finds it on the page's side, and ends it.
func TestDemoStays(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stderr, w := io.Pipe()
	code := make(chan int, 1)
	var told strings.Builder
	go func() {
		code <- run(ctx, []string{"demo", "--serve", "--http", "127.0.0.1:0"}, strings.NewReader(""), &told, w)
		w.Close()
	}()
	at := regexp.MustCompile(`^(the page|the search|the link|actors) +(http://127\.0\.0\.1:\d+)/(#/\S+)$`)
	states, url := make(map[string]string), ""
	var said []string
	for in := bufio.NewScanner(stderr); in.Scan(); {
		said = append(said, in.Text())
		if m := at.FindStringSubmatch(in.Text()); m != nil {
			states[m[1]], url = m[3], m[2]
		}
		if strings.Contains(in.Text(), "forgotten at the end") {
			checkDemo(t, url)
			stop()
		}
	}
	if got := <-code; got != exitAnswered {
		t.Errorf("exit code %d after %q", got, said)
	}
	if states["the search"] != "#/seen?q=104.161.20.102+20.232.202.245+185.241.149.122" || states["the link"] != "#/links/alder/2023-0117/birch/2023-0142" || len(states) != 4 {
		t.Errorf("the story goes on at %q", states)
	}
	if !strings.Contains(told.String(), "likelihood of same actor") {
		t.Errorf("the story is %q", told.String())
	}
}

// checkDemo asks the demo for its page, and for an actor with the published cases.
func checkDemo(t *testing.T, url string) {
	for path, want := range map[string]string{
		"/": `<div id="page">`, "/v1/actors": `"alder/2023-0117"`, "/v1/cases/elm/2023-0188": "Made up", "/v1/cases/dogwood/gmail": `"dogwood"`,
	} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %v %.300s", path, res.Status, err, body)
		}
		if path == "/v1/actors" {
			var list struct {
				Actors []struct{ Members []string }
			}
			if err := json.Unmarshal(body, &list); err != nil || len(list.Actors) != 1 || len(list.Actors[0].Members) != 3 {
				t.Errorf("actors: %v %s", err, body)
			}
		}
	}
}
