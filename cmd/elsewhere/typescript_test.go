package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// node returns the program and the folder of the client for TypeScript. Where one of
// them or the client's packages are not there, it says so and returns false.
func node(t *testing.T) (program, dir string, ok bool) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "client", "typescript"))
	if err != nil {
		t.Fatal(err)
	}
	program, err = exec.LookPath("node")
	if err != nil {
		t.Logf("%s was NOT run: there is no node", t.Name())
		return "", "", false
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "typescript")); err != nil {
		t.Logf("%s was NOT run: npm ci in client/typescript installs what it needs", t.Name())
		return "", "", false
	}
	return program, dir, true
}

// TestTypeScriptSchemaIsCurrent makes the types anew of the description and compares.
func TestTypeScriptSchemaIsCurrent(t *testing.T) {
	program, dir, ok := node(t)
	if !ok {
		return
	}
	fresh := filepath.Join(t.TempDir(), "schema.ts")
	cmd := exec.CommandContext(t.Context(), program, filepath.Join("node_modules", "openapi-typescript", "bin", "cli.js"), "../../server/rest/openapi/openapi.json", "-o", fresh)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "src", "schema.ts"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("client/typescript/src/schema.ts is not that of server/rest/openapi/openapi.json: run npm run generate in client/typescript")
	}
}

// TestTypeScriptClient compiles the client with a program that uses all of it, and runs
// that against services.
func TestTypeScriptClient(t *testing.T) {
	program, dir, ok := node(t)
	if !ok {
		return
	}
	out := t.TempDir()
	compile := exec.CommandContext(t.Context(), program, filepath.Join("node_modules", "typescript", "bin", "tsc"), "--project", "test", "--outDir", out)
	compile.Dir = dir
	if said, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("tsc: %v\n%s", err, said)
	}
	if err := os.WriteFile(filepath.Join(out, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "node_modules"), filepath.Join(out, "node_modules")); err != nil {
		t.Fatal(err)
	}
	open, keyed := serveBoth(t), serveKeyed(t)
	run := exec.CommandContext(t.Context(), program, filepath.Join(out, "test", "live.js"))
	run.Env = append(os.Environ(), "ELSEWHERE_URL="+open.URL(), "ELSEWHERE_KEYED_URL="+keyed.url,
		"ELSEWHERE_KEY="+keyed.make(t, elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_ANALYST, Tenants: []string{"alder"}}),
		"ELSEWHERE_SLOW_KEY="+keyed.make(t, elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_ANALYST, AllTenants: true, CallsPerSecond: 0.01, Burst: 1}))
	said, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	for _, what := range []string{"submit", "batch", "seen", "links", "explain", "watch", "events", "export", "pieces", "errors", "inTheStream", "keys", "abort"} {
		if !slices.Contains(lines, "ok "+what) {
			t.Errorf("no answer to %s: %s", what, said)
		}
	}
}
