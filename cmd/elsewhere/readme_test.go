package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/server"
)

// TestReadme runs what the README shows in blocks marked console, in order and
// in one folder, and compares what is printed, results before hints. A line …
// stands for any lines.
func TestReadme(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1)
	files := []string{"case.json", "broken.json"}
	ctx, stop := context.WithCancel(t.Context())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Setenv("ELSEWHERE_SERVER", s.Addr())
	t.Chdir(dir)
	commands := 0
	for _, b := range blocks {
		switch language, body := b[1], b[2]; language {
		case "json":
			if len(files) == 0 {
				t.Fatal("the README shows a file that this test does not know")
			}
			if err := os.WriteFile(files[0], []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			files = files[1:]
		case "console":
			shownCommands := strings.Split("\n"+body, "\n$ ")[1:]
			if strings.HasPrefix(body, "$ go run ./cmd/elsewhere demo") {
				// The demo itself shows commands.
				shownCommands = []string{strings.TrimPrefix(body, "$ ")}
			}
			for _, shown := range shownCommands {
				line, want, _ := strings.Cut(shown, "\n")
				got := runLine(t, line)
				commands++
				if !matches(strings.TrimRight(want, "\n"), got) {
					t.Errorf("%s prints\n%s\nthe README shows\n%s", line, got, want)
				}
			}
		case "go":
			example, err := os.ReadFile(filepath.Join(root, "client", "example_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(unindented(string(example)), unindented(body)) {
				t.Error("the README's Go is not part of client/example_test.go")
			}
		}
	}
	if commands < 6 || len(files) > 0 {
		t.Errorf("%d commands run, files left: %q", commands, files)
	}
}

// runLine runs a line of a console block.
func runLine(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(strings.Replace(line, "go run ./cmd/elsewhere", "elsewhere", 1))
	if words[0] != "elsewhere" {
		t.Fatalf("the README shows the command %q", line)
	}
	_, out, errs := command(t.Context(), strings.NewReader(""), words[1:]...)
	errs = regexp.MustCompile(`(?m)^hint: .*\n`).ReplaceAllString(errs, "")
	// What spreadsheets want of a table shows on no terminal.
	out = strings.ReplaceAll(strings.TrimPrefix(out, "\ufeff"), "\r\n", "\n")
	return strings.TrimRight(out+errs, "\n")
}

// matches reports whether got is what is shown, where a line … stands for any
// number of lines.
func matches(shown, got string) bool {
	var parts []string
	for _, line := range strings.Split(shown, "\n") {
		if line == "…" {
			parts = append(parts, `(?:.*\n)*?`)
		} else {
			parts = append(parts, regexp.QuoteMeta(line)+`\n`)
		}
	}
	return regexp.MustCompile(`^(?:` + strings.Join(parts, "") + `)$`).MatchString(got + "\n")
}

func unindented(s string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(s, "")
}
