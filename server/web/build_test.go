package web_test

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs a tool of the page's packages and fails with what it said.
func run(t *testing.T, node, script string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node, append([]string{filepath.Join("node_modules", filepath.FromSlash(script))}, args...)...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "CI=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}

// TestUnits checks the types of the page and runs the tests of what it computes; with
// -short those of the frame and of the pieces that all parts share.
func TestUnits(t *testing.T) {
	node := nodeWithPackages(t)
	units := []string{"run", "--dir", "src", "--testTimeout", "120000"}
	if testing.Short() {
		// The parts have long tests of random input.
		units = append(units, "app/", "ui/")
	} else {
		run(t, node, "typescript/bin/tsc", "--noEmit")
	}
	run(t, node, "vitest/vitest.mjs", units...)
}

// TestBuiltFilesAreCurrent builds the page and compares it with what is committed.
func TestBuiltFilesAreCurrent(t *testing.T) {
	node := nodeWithPackages(t)
	fresh := filepath.Join(t.TempDir(), "dist")
	run(t, node, "vite/bin/vite.js", "build", "--logLevel", "warn", "--outDir", fresh)
	got, want := built(t, "dist"), built(t, fresh)
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("dist/%s is not what the sources make: run npm run build in server/web", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("dist/%s is left over: run npm run build in server/web", name)
		}
	}
}

// built reads a folder by path.
func built(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestBuiltFilesHaveNoNotes looks for what authors of libraries wrote for themselves:
// text of a shader is not made small by itself.
func TestBuiltFilesHaveNoNotes(t *testing.T) {
	note := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	for name, text := range built(t, "dist") {
		if at := note.FindIndex(text); at != nil {
			t.Errorf("dist/%s has a note: %s", name, text[at[0]:min(len(text), at[1]+60)])
		}
	}
}

// maxPage bounds what a browser loads of the page, in bytes of gzip, but for the library
// that draws graphs, which only the picture of an actor loads.
const maxPage = 300_000

// graphLibrary is the name of the chunk that the library is built into.
var graphLibrary = regexp.MustCompile(`^assets/graph-[\w-]+\.js$`)

func TestPageIsSmall(t *testing.T) {
	all := 0
	for name, text := range built(t, "dist") {
		if graphLibrary.MatchString(name) {
			continue
		}
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all += b.Len()
	}
	t.Logf("%d bytes in gzip", all)
	if all > maxPage {
		t.Errorf("%d bytes in gzip; %d at most", all, maxPage)
	}
}

// TestSources holds the sources of the page to what holds for the program.
func TestSources(t *testing.T) {
	loose := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	markup := regexp.MustCompile(`dangerouslySet` + `InnerHTML|\.(inner|outer)HTML\b|insertAdjacent` + `HTML|document\.write|\beval\(|new Function\(`)
	read := 0
	for _, dir := range []string{"src", "e2e", "../../client/typescript/src"} {
		for name, text := range built(t, dir) {
			test := strings.HasSuffix(name, ".test.ts")
			if n := bytes.Count(text, []byte("\n")); n > 500 && !test && name != "schema.ts" {
				t.Errorf("%s/%s has %d lines; 500 at most", dir, name, n)
			}
			if loose.Match(text) && name != "schema.ts" {
				t.Errorf("%s/%s has a loose end: %s", dir, name, loose.Find(text))
			}
			if dir != "e2e" && markup.Match(text) {
				t.Errorf("%s/%s turns text into markup or code: %s", dir, name, markup.Find(text))
			}
			read++
		}
	}
	if read < 30 {
		t.Errorf("only %d files read", read)
	}
}

// maxPicture bounds a picture for the README, in bytes.
const maxPicture = 150_000

func TestPicturesAreSmall(t *testing.T) {
	pictures := built(t, "screenshots")
	if len(pictures) == 0 {
		t.Error("there are no pictures")
	}
	for name, picture := range pictures {
		if len(picture) > maxPicture {
			t.Errorf("screenshots/%s has %d bytes; %d at most", name, len(picture), maxPicture)
		}
	}
}

// TestClientIsCurrent makes the types of the API anew and compares them.
func TestClientIsCurrent(t *testing.T) {
	node := nodeWithPackages(t)
	fresh := filepath.Join(t.TempDir(), "schema.ts")
	run(t, node, "../../../client/typescript/node_modules/openapi-typescript/bin/cli.js", "../rest/openapi/openapi.json", "-o", fresh)
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../client/typescript/src/schema.ts")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("client/typescript/src/schema.ts is not what the API has: run npm run generate in client/typescript")
	}
}
