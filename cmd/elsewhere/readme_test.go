package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// TestReadme runs what the README shows in blocks marked console, in order and
// in one folder, and compares what is printed, results before hints. A line …
// stands for any lines, and … in a line for any part of it.
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
	shell := newReadmeShell(t, serveBoth(t), dir)
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
				got, ok := shell.run(t, line)
				if !ok {
					continue
				}
				commands++
				if !matches(strings.TrimRight(want, "\n"), got) {
					t.Errorf("%s prints\n%s\nthe README shows\n%s", line, got, want)
				}
			}
		case "go", "ts":
			// These are compiled by tests of their own.
			file := map[string]string{"go": "client/example_test.go", "ts": "client/typescript/test/readme.ts"}[language]
			example, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(unindented(string(example)), unindented(body)) {
				t.Errorf("what the README shows is not part of %s", file)
			}
		}
	}
	if commands < 6 || shell.bash != "" && commands < 24 || len(files) > 0 {
		t.Errorf("%d commands run, files left: %q", commands, files)
	}
}

// readmeShell runs lines of console blocks.
type readmeShell struct {
	bash, dir   string // bash is "" where there is none, or no curl
	open, keyed string // addresses of REST; lines with a key go to that with keys
}

func newReadmeShell(t *testing.T, s *server.Server, dir string) *readmeShell {
	t.Helper()
	sh := &readmeShell{dir: dir, open: s.URL() + "/v1"}
	bash, err := exec.LookPath("bash")
	if _, curl := exec.LookPath("curl"); cmp.Or(err, curl) != nil {
		t.Log("the README's lines with curl were NOT run: there is no curl or no bash")
		return sh
	}
	k := serveKeyed(t)
	sh.bash, sh.keyed = bash, k.url+"/v1"
	for file, key := range map[string]elsewherev1.Key_builder{
		"auth": {Role: elsewherev1.Role_ROLE_ANALYST, Tenants: []string{"alder"}},
		"slow": {Role: elsewherev1.Role_ROLE_ANALYST, Tenants: []string{"alder"}, CallsPerSecond: 0.01, Burst: 1},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("Authorization: Bearer "+k.make(t, key)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return sh
}

// run runs a line and returns what it prints, or false where it cannot.
func (sh *readmeShell) run(t *testing.T, line string) (string, bool) {
	t.Helper()
	if !strings.Contains(line, "curl ") {
		return runLine(t, line), true
	}
	if sh.bash == "" {
		return "", false
	}
	url := sh.open
	if strings.Contains(line, "Authorization") || strings.Contains(line, "-sH @") {
		url = sh.keyed
	}
	// A file, because a curl that head has left behind goes on writing for a while.
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(t.Context(), sh.bash, "-c", line)
	cmd.Dir, cmd.Stdout, cmd.Stderr = sh.dir, out, out
	cmd.Env = append(os.Environ(), "U="+url, "J=Content-Type: application/json")
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return printed(string(text)), true
}

// printed is text as a terminal shows it.
func printed(s string) string {
	// What spreadsheets want of a table shows on none.
	return strings.TrimRight(strings.ReplaceAll(strings.TrimPrefix(s, "\ufeff"), "\r\n", "\n"), "\n")
}

// runLine runs a line with the command.
func runLine(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(strings.Replace(line, "go run ./cmd/elsewhere", "elsewhere", 1))
	if words[0] != "elsewhere" {
		t.Fatalf("the README shows the command %q", line)
	}
	_, out, errs := command(t.Context(), strings.NewReader(""), words[1:]...)
	errs = regexp.MustCompile(`(?m)^hint: .*\n`).ReplaceAllString(errs, "")
	return printed(out + errs)
}

// matches reports whether got is what is shown, where a line … stands for any
// number of lines, and … in a line for any part of it.
func matches(shown, got string) bool {
	var parts []string
	for _, line := range strings.Split(shown, "\n") {
		if line == "…" {
			parts = append(parts, `(?:.*\n)*?`)
		} else {
			parts = append(parts, strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")+`\n`)
		}
	}
	return regexp.MustCompile(`^(?:` + strings.Join(parts, "") + `)$`).MatchString(got + "\n")
}

func unindented(s string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(s, "")
}
