package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// serveBoth runs a service with both sides until the test ends; commands find it.
func serveBoth(t *testing.T) *server.Server {
	t.Helper()
	s := serveWith(t, server.Config{Memory: true})
	t.Setenv("ELSEWHERE_SERVER", s.Addr())
	return s
}

// serveWith runs a service on free ports until the test ends.
func serveWith(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	c.GRPCAddr, c.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	ctx, stop := context.WithCancel(t.Context())
	s, err := server.Open(ctx, c)
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
	return s
}

// keyed is a service with keys, and a case of birch.
type keyed struct {
	url   string
	admin *client.Client
}

func serveKeyed(t *testing.T) keyed {
	t.Helper()
	s := serveWith(t, server.Config{Memory: true, Access: server.Access{Init: true}})
	secret, ok := s.FirstKey()
	if !ok {
		t.Fatal("no key was made")
	}
	k := keyed{s.URL(), dialWith(t, s.Addr(), secret.Reveal())}
	for _, tenant := range []string{"alder", "birch"} {
		if _, err := k.admin.CreateTenant(t.Context(), elsewherev1.Tenant_builder{Id: tenant}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	lead := dialWith(t, s.Addr(), k.make(t, elsewherev1.Key_builder{Role: elsewherev1.Role_ROLE_LEAD, AllTenants: true}))
	if _, err := lead.Submit(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: elsewherev1.Case_builder{Tenant: "birch", Id: "1"}.Build()}.Build()); err != nil {
		t.Fatal(err)
	}
	return k
}

// make makes a key and returns it.
func (k keyed) make(t *testing.T, b elsewherev1.Key_builder) string {
	t.Helper()
	made, err := k.admin.CreateKey(t.Context(), b.Build())
	if err != nil {
		t.Fatal(err)
	}
	return made.GetSecret()
}

func dialWith(t *testing.T, addr, secret string) *client.Client {
	t.Helper()
	key, err := client.NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(addr, client.WithKey(key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestRESTAnswersAsTheCommand compares bytes: there is one JSON form.
func TestRESTAnswersAsTheCommand(t *testing.T) {
	s := serveBoth(t)
	const first, second = `{"tenant":"alder","id":"2023-7:a.b#c","kind":"bec","labels":{"b":"2","a":"1"},"openedAt":"2023-02-22T15:04:05.120Z",` + caseRest, `{"tenant":"birch","id":"1","kind":"bec",` + caseRest
	for _, c := range []string{first, second} {
		if code, out, errs := command(t.Context(), strings.NewReader(c), "submit", "-"); code != 0 {
			t.Fatalf("submitting: %d %s %s", code, out, errs)
		}
	}
	for _, c := range []struct {
		args               []string
		method, path, body string
	}{
		{[]string{"seen", "--json", "104.161.20.102", "evil-invoices.net", "not seen"}, "POST", "/v1/seen", `{"observables":[{"value":"104.161.20.102"},{"value":"evil-invoices.net"},{"value":"not seen"}]}`},
		{[]string{"links", "--json", "alder/2023-7:a.b#c"}, "GET", "/v1/cases/alder/2023-7%3Aa.b%23c/links", ""},
		{[]string{"why", "--json", "alder/2023-7:a.b#c", "birch/1"}, "GET", "/v1/links/alder/2023-7:a.b%23c/birch/1", ""},
		{[]string{"actors", "list", "--json"}, "GET", "/v1/actors", ""},
	} {
		code, want, errs := command(t.Context(), strings.NewReader(""), c.args...)
		if code > 1 || want == "" {
			t.Errorf("%q: %d %s", c.args, code, errs)
			continue
		}
		if got := overHTTP(t, c.method, s.URL()+c.path, c.body); got != want {
			t.Errorf("%q prints\n%s\n%s answers\n%s", c.args, want, c.path, got)
		}
	}
	// No command prints a case; the program that reads one by gRPC does.
	c, err := client.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stored, err := c.GetCase(t.Context(), "alder/2023-7:a.b#c")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&app{stdout: &out}).printJSON(elsewherev1.GetCaseResponse_builder{Case: stored}.Build()); err != nil {
		t.Fatal(err)
	}
	if got := overHTTP(t, "GET", s.URL()+"/v1/cases/alder/2023-7:a.b%23c", ""); got != out.String() {
		t.Errorf("gRPC gives\n%s\nREST\n%s", out.String(), got)
	}
}

// overHTTP returns the body of an answer.
func overHTTP(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestPythonExample runs the example, where there is Python.
func TestPythonExample(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("the Python example was NOT run: there is no python3")
		return
	}
	s := serveBoth(t)
	dir := t.TempDir()
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), python, append([]string{filepath.Join("..", "..", "client", "examples", "elsewhere.py")}, args...)...)
		cmd.Env = append(os.Environ(), "ELSEWHERE_URL="+s.URL())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for name, text := range map[string]string{
		"bad.json": `{"tenant":"alder","id":"2","tlp":"pink"}`, "list.json": `[]`,
		"b.json": `{"tenant":"birch","id":"1","kind":"bec",` + caseRest, "alder.json": `{"tenant":"alder","id":"1:y","kind":"bec",` + caseRest,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args   []string
		want   string
		failed bool
	}{
		{[]string{"submit", filepath.Join(dir, "alder.json")}, "alder/1:y SUBMIT_OUTCOME_CREATED revision 1\n", false},
		{[]string{"submit", filepath.Join(dir, "b.json")}, "TIER_STRONG alder/1:y ~ birch/1\n", false},
		{[]string{"submit", filepath.Join(dir, "bad.json")}, "400 INVALID: tlp: ", true},
		{[]string{"submit", filepath.Join(dir, "list.json")}, "list.json: not a case as JSON", true},
		{[]string{"submit", filepath.Join(dir, "absent.json")}, "absent.json: No such file", true},
		{[]string{"seen", "104.161.20.102", "70.0.0.1"}, "104.161.20.102 SEEN_STATUS_SEEN alder/1:y, birch/1\n70.0.0.1 SEEN_STATUS_NOT_SEEN \n", false},
		{[]string{"watch", "0"}, "", false},
		{[]string{"ask"}, "Submit a case", true},
	} {
		out, err := run(c.args...)
		if (err != nil) != c.failed || !strings.Contains(out, c.want) || strings.Contains(out, "Traceback") {
			t.Errorf("%q: %v\n%s", c.args, err, out)
		}
	}
}

const caseRest = `"findings":[{"technique":"T1114.003","observables":[` +
	`{"kind":"ip","value":"104.161.20.102","roles":["login_source"]},{"kind":"forward_to","value":"x@evil-invoices.net","roles":["forward_target"]}]}]}`
