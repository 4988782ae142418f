package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityTests: every test that SECURITY.md names is there, in the package that
// it names, and every command of its tables names one.
func TestSecurityTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("`go test (\\S+) -run '([^']*)'( -bench '([^']*)')?[^`]*`")
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	known := make(map[string]map[string]bool)
	of := func(dir string) map[string]bool {
		if known[dir] != nil {
			return known[dir]
		}
		known[dir] = make(map[string]bool)
		files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				known[dir][m[1]] = true
			}
		}
		return known[dir]
	}
	rows, named := 0, 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| |") {
			continue
		}
		rows++
		commands := command.FindAllStringSubmatch(line, -1)
		if len(commands) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, c := range commands {
			for name := range strings.SplitSeq(strings.ReplaceAll(c[2]+"|"+c[4], `\|`, "|"), "|") {
				name, script, _ := strings.Cut(name, "/")
				if name == "" || name == "^$" {
					continue
				}
				named++
				if !of(c[1])[name] {
					t.Errorf("%s has no %s", c[1], name)
				}
				if script != "" {
					if _, err := os.Stat(filepath.Join("..", c[1], "testdata", "script", script+".txtar")); err != nil {
						t.Errorf("%s has no script %s", c[1], script)
					}
				}
			}
		}
	}
	if rows < 20 || named < 40 {
		t.Errorf("%d rows with %d tests were found", rows, named)
	}
}
