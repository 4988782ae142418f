package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
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
