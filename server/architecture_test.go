package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/elsewhere-project/elsewhere"

// goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath, Dir, Name, Doc string
	Imports                    []string
	GoFiles                    []string
	TestGoFiles, XTestGoFiles  []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", module+"/...", module+"/testdata")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages listed", len(all))
	}
	return all
}

// within reports whether a path below the module is prefix or lies below it.
func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, module+"/"+prefix)
	return ok && (rest == "" || rest[0] == '/')
}

func TestImports(t *testing.T) {
	type rule struct {
		what   string
		who    func(path string) bool
		banned func(imported string) bool
		why    string
	}
	not := func(prefixes ...string) func(string) bool {
		return func(path string) bool {
			return !slices.ContainsFunc(prefixes, func(p string) bool { return within(path, p) })
		}
	}
	only := func(prefixes ...string) func(string) bool {
		return func(path string) bool { return !not(prefixes...)(path) }
	}
	own := func(path string) bool { return strings.HasPrefix(path, module+"/") }
	rules := []rule{
		{
			"generated code", not("proto", "server/rpc", "server/rest", "client", "cmd"),
			func(i string) bool { return within(i, "proto") },
			"messages stop at rpc and client; server names the services it registers",
		},
		{
			"gRPC", only("server/evidence", "server/graph", "server/link", "server/actor", "server/learn", "server/linker", "server/access", "server/export", "enrich"),
			func(i string) bool { return strings.HasPrefix(i, "google.golang.org/") },
			"the domain outlives the wire",
		},
		{
			"Badger", not("server/graph/badger", "cmd/elsewhere/internal/bench"),
			func(i string) bool { return strings.HasPrefix(i, "github.com/dgraph-io/") },
			"only a backend knows its database, and the benchmark that holds it to bare Badger",
		},
		{
			"a backend", not("server/graph/badger", "server/graph/graphtest"),
			func(i string) bool { return within(i, "server/graph/badger") },
			"only the composition in package server chooses a backend",
		},
		{
			"anything but the standard library and golang.org/x", only("server/evidence"),
			func(i string) bool {
				return strings.Contains(strings.Split(i, "/")[0], ".") && !slices.Contains([]string{
					"golang.org/x/net/idna", "golang.org/x/net/publicsuffix", "golang.org/x/text/cases",
					"golang.org/x/text/unicode/norm",
				}, i)
			},
			"the domain depends on nothing that can change under it",
		},
		{
			"I/O", only("server/evidence", "server/link", "server/actor", "server/learn"),
			func(i string) bool {
				return slices.Contains([]string{"os", "net", "net/http", "io/fs", "database/sql"}, i)
			},
			"parsing and scoring are pure",
		},
		{
			"other packages of the project", only("server/link"),
			func(i string) bool { return own(i) && !within(i, "server/evidence") },
			"a score is a pure function of evidence",
		},
		{
			"other packages of the project", only("server/actor", "server/learn"),
			func(i string) bool { return own(i) && !within(i, "server/evidence") && !within(i, "server/link") },
			"clusters and proposals are pure functions of scores",
		},
		{
			"more than bundles and evidence", only("server/export/sheet", "server/export/stix", "server/export/navigator", "server/export/notice", "server/export/query"),
			func(i string) bool {
				return own(i) && i != module+"/server/export" && !within(i, "server/evidence")
			},
			"a format takes a checked bundle and nothing else, so that none lets out what another would not",
		},
		{
			"other packages of the project", only("server/export/victim"),
			own,
			"what names a victim is found in any text",
		},
		{
			"other packages of the project", only("server/export/taxii"),
			own,
			"the protocol tells what a source answers, whoever that is",
		},
		{
			"the server", only("enrich", "client"),
			func(i string) bool { return within(i, "server") },
			"enrich and client are used without a server",
		},
		{
			"more of the project than REST", only("server/web"),
			func(i string) bool {
				return own(i) && !within(i, "server/rest") && !within(i, "server/web")
			},
			"the page and its sessions ask like any other client",
		},
		{
			"the score or the store's users", only("server/graph"),
			func(i string) bool {
				return within(i, "server/link") || within(i, "server/linker") || within(i, "server/rpc") || within(i, "server/access")
			},
			"the store keeps and does not judge",
		},
	}
	for _, p := range packages(t) {
		for _, r := range rules {
			// Package server itself is the composition and may know every part.
			if p.ImportPath == module+"/server" || !r.who(p.ImportPath) {
				continue
			}
			for _, i := range p.Imports {
				if r.banned(i) {
					t.Errorf("%s imports %s (%s): %s", p.ImportPath, i, r.what, r.why)
				}
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base"}
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" && !within(p.ImportPath, "proto/elsewhere") {
			t.Errorf("%s has no doc comment", p.ImportPath)
		}
		if slices.Contains(banned, p.Name) {
			t.Errorf("%s is named after nothing", p.ImportPath)
		}
	}
}

// calls that have no place in the code, with the reason.
var forbiddenCalls = []struct {
	call    string
	allowed func(pkg, file string) bool
	why     string
}{
	{"time.Sleep", func(_, _ string) bool { return false }, "wait for a condition"},
	{"time.Now", func(pkg, _ string) bool {
		return !within(pkg, "server/evidence") && !within(pkg, "server/link") && !within(pkg, "server/actor") && !within(pkg, "server/learn")
	}, "parsing, scoring and clustering have no clock"},
	{"panic", func(_, _ string) bool { return false }, "no input may end the process"},
	{"os.Exit", func(pkg, file string) bool {
		return file == "main.go" && (within(pkg, "cmd") || strings.HasSuffix(pkg, "/generate"))
	}, "only main ends the process"},
	{"log.Fatal", func(_, _ string) bool { return false }, "only main ends the process"},
	{"fmt.Print", func(_, _ string) bool { return false }, "output goes to a writer that was handed in"},
	{"fmt.Println", func(_, _ string) bool { return false }, "output goes to a writer that was handed in"},
	{"fmt.Printf", func(_, _ string) bool { return false }, "output goes to a writer that was handed in"},
	{"slog.Default", func(_, _ string) bool { return false }, "loggers are handed down"},
}

func TestSource(t *testing.T) {
	loose := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, p := range packages(t) {
		if within(p.ImportPath, "proto/elsewhere") || within(p.ImportPath, "proto/gateway") {
			continue
		}
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			test := strings.HasSuffix(file, "_test.go")
			path := filepath.Join(p.Dir, file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(p.ImportPath, module+"/") + "/" + file
			if n := bytes.Count(src, []byte("\n")); !test && n > 500 {
				t.Errorf("%s has %d lines; 500 at most", name, n)
			}
			if loose.Match(src) {
				t.Errorf("%s has a loose end: %s", name, loose.Find(src))
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, src, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if fn, ok := n.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: init; nothing happens by importing", name)
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				for _, c := range forbiddenCalls {
					if test && c.call != "time.Sleep" {
						continue
					}
					if callee(call) == c.call && !c.allowed(p.ImportPath, file) {
						t.Errorf("%s: %s; %s", set.Position(call.Pos()), c.call, c.why)
					}
				}
				return true
			})
		}
	}
}

// callee returns the name of a called function, with its package.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

func TestTopLevel(t *testing.T) {
	agreed := []string{
		"proto", "server", "client", "enrich", "cmd", "testdata", "go.mod", "go.sum", "buf.yaml", "README.md",
		"LICENSE", "NOTICE", "SECURITY.md", "CHANGELOG.md", "Dockerfile",
	}
	entries, err := fs.ReadDir(os.DirFS(".."), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(agreed, e.Name()) {
			t.Errorf("%s stands at the top level", e.Name())
		}
	}
}
