package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestServeJSON: with a log in JSON every line on stderr is JSON.
func TestServeJSON(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		args := []string{"serve", "--memory", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "json", "--log-level", "debug"}
		code <- run(ctx, args, strings.NewReader(""), io.Discard, w)
		w.Close()
	}()
	var said []string
	for in := bufio.NewScanner(stderr); in.Scan(); {
		var line struct{ Level, Msg, GRPC string }
		if err := json.Unmarshal(in.Bytes(), &line); err != nil || line.Level == "" {
			t.Errorf("%q: %v", in.Text(), err)
		}
		said = append(said, line.Msg)
		if line.Msg == "serving" && strings.HasPrefix(line.GRPC, "127.0.0.1:") {
			cancel()
		}
	}
	if got := <-code; got != exitAnswered || len(said) == 0 || said[len(said)-1] != "stopped" {
		t.Errorf("exit code %d after %q", got, said)
	}
}

// TestServeKeepsRequestsToItself: what the libraries below have to say of requests is
// not printed, as it has parts of them in it.
func TestServeKeepsRequestsToItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "serve", "--memory", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "debug")
	cmd.Args[0] = "elsewhere" // see TestMain
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	said, url := "", ""
	for in := bufio.NewScanner(stderr); in.Scan(); said += in.Text() + "\n" {
		if m := listeningHTTP.FindStringSubmatch(in.Text()); m != nil {
			url = "http://" + m[1] + "/v1"
		}
		if !listening.MatchString(in.Text()) {
			continue
		}
		for _, r := range []struct{ method, path, kind, body, id string }{
			{"POST", "/imports", "application/x-ndjson", `{"robin-quill":1}`, "x"},
			{"POST", "/cases:batch", "application/x-ndjson", `{"robin-quill":1}`, "x"},
			{"GET", "/links:watch?robin-quill=1", "", "", "x"},
			{"GET", "/cases?page_size=robin-quill", "", "", "robin-quill\xff"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), r.method, url+r.path, strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", r.kind)
			req.Header.Set("X-Request-Id", r.id)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s: %s", r.method, r.path, res.Status)
			}
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil || url == "" || strings.Contains(said, "quill") || strings.Contains(said, "ERROR:") {
		t.Errorf("%v; it says\n%s", err, said)
	}
}
