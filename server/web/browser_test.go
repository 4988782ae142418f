package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

var (
	only        = flag.String("scenarios", "", "run only the scenarios in the browser whose name has this")
	screenshots = flag.Bool("screenshots", false, "make the pictures in screenshots instead of running the scenarios")
	slow        = flag.Int("slow", 1, "run the scenarios in a browser that is this many times slower, with pictures, timers and answers that are late by chance")
	together    = flag.Int("together", 2, "scenarios that run at the same time")
)

// setup is what the scenarios are told.
type setup struct {
	Services    map[string]string `json:"services"`
	Keys        map[string]string `json:"keys"`
	Chromium    string            `json:"chromium"`
	Short       bool              `json:"short"`
	Only        string            `json:"only"`
	Screenshots string            `json:"screenshots"`
	Slow        int               `json:"slow"`
	Together    int               `json:"together"`
}

// outcome is what a scenario came to.
type outcome struct {
	Scenario     string   `json:"scenario"`
	Milliseconds int      `json:"milliseconds"`
	Error        string   `json:"error"`
	Notes        []string `json:"notes"`
}

// TestBrowser runs the scenarios of e2e in headless Chromium against services with real
// data. With -short the same harness runs the small set; with -slow=6, say, anybody can
// see whether it holds on a machine that is six times slower.
func TestBrowser(t *testing.T) {
	node, chromium := tools(t)
	s := setup{Services: make(map[string]string), Chromium: chromium, Short: testing.Short(), Only: *only, Slow: *slow, Together: *together}
	if *screenshots {
		dir, err := filepath.Abs("screenshots")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s.Screenshots = dir
	}
	for name, c := range map[string]server.Config{
		"keyed": {WebSessions: true, Access: server.Access{Init: true, DiscloseAtOnce: true}},
		"open":  {Access: server.Access{DiscloseAtOnce: true}},
		// For scenarios that change what all links come from.
		"spare": {Access: server.Access{DiscloseAtOnce: true}},
	} {
		at := serve(t, c)
		s.Services[name] = late(t, at.url, *slow)
		keys := fill(t, at)
		if name == "keyed" {
			s.Keys = keys
		}
	}
	plain := serve(t, server.Config{Access: server.Access{Init: true}})
	s.Services["plain"], s.Keys["plain"] = late(t, plain.url, *slow), plain.admin
	// A site of somebody else, on another port: browsers send it the cookies of ours.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>somebody else's</title><link rel=icon href=data:,>")
	}))
	t.Cleanup(other.Close)
	s.Services["other"] = other.URL
	told, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "e2e/run.mjs")
	cmd.Stdin = bytes.NewReader(told)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for lines := bufio.NewScanner(out); lines.Scan(); ran++ {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		t.Run(o.Scenario, func(t *testing.T) {
			t.Logf("%d ms", o.Milliseconds)
			for _, n := range o.Notes {
				t.Log(n)
			}
			if o.Error != "" {
				t.Errorf("%s: %s", o.Scenario, o.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the browser: %v\n%s", err, stderr.String())
	}
	if ran == 0 {
		t.Error("no scenario ran")
	}
}

// install is how the tools of the page get there.
const install = "install Node 20 and Chromium (apt-get install nodejs npm chromium), then run npm ci in client/typescript and in server/web"

// tools returns node and Chromium. Where they, or the packages of the page, are not
// there, the test is skipped and says how to install them; .ci/run takes no skipped test.
func tools(t *testing.T) (node, chromium string) {
	t.Helper()
	node = nodeWithPackages(t)
	for _, name := range []string{os.Getenv("ELSEWHERE_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if at, err := exec.LookPath(name); err == nil {
			return node, at
		}
	}
	t.Skipf("%s DID NOT RUN: there is no Chromium: %s", t.Name(), install)
	return "", ""
}

func nodeWithPackages(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("%s DID NOT RUN: there is no node: %s", t.Name(), install)
	}
	for _, dir := range []string{"node_modules/vite", "node_modules/playwright-core", "../../client/typescript/node_modules/openapi-fetch"} {
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("%s DID NOT RUN: %s is not there: %s", t.Name(), dir, install)
		}
	}
	return node
}

// service is a running service.
type service struct {
	url, admin string
}

// serve runs a service in memory until the test ends.
func serve(t *testing.T, c server.Config) service {
	t.Helper()
	c.Memory, c.GRPCAddr, c.HTTPAddr = true, "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.Open(ctx, c)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	key, _ := s.FirstKey()
	return service{s.URL(), key.Reveal()}
}

// ask asks over REST and returns the answer, which has to be one of 2xx.
func (s service) ask(t *testing.T, key, method, at string, body any) map[string]any {
	t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+at, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer := make(map[string]any)
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %v %v", method, at, res.Status, err, answer)
	}
	return answer
}

// tenants are those of every service here. elder has one case that nobody else may hear
// of.
var tenants = []string{"alder", "birch", "cedar", "dogwood", "elder", "elm", "fir", "juniper"}

// fill stores the published cases, those that are not linked and two with hostile
// values, and makes keys.
func fill(t *testing.T, s service) map[string]string {
	t.Helper()
	keys := make(map[string]string)
	writer := ""
	if s.admin != "" {
		keys["admin"] = s.admin
		for _, tenant := range tenants {
			s.ask(t, s.admin, "POST", "/v1/tenants", map[string]any{"id": tenant})
		}
		for name, key := range map[string]map[string]any{
			"submitter": {"role": "ROLE_SUBMITTER", "tenants": []string{"alder"}},
			"tenant":    {"role": "ROLE_TENANT", "tenants": []string{"alder"}},
			"narrow":    {"role": "ROLE_ANALYST", "tenants": []string{"alder"}},
			"analyst":   {"role": "ROLE_ANALYST", "allTenants": true},
			"lead":      {"role": "ROLE_LEAD", "allTenants": true, "restricted": true},
		} {
			// Scenarios ask faster than people.
			key["name"], key["callsPerSecond"], key["burst"] = name+" in a browser", 10_000, 10_000
			keys[name] = s.ask(t, s.admin, "POST", "/v1/keys", key)["secret"].(string)
		}
		writer = keys["lead"]
	}
	folders := []string{"m365", "unlinked"}
	if *screenshots {
		folders = append(folders, "further")
	}
	for _, dir := range folders {
		files, err := fs.ReadDir(testdata.Files, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := testdata.Files.ReadFile(path.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			s.submit(t, writer, text)
		}
	}
	if *screenshots {
		// What the demo has.
		return keys
	}
	s.submit(t, writer, elderCase())
	for _, tenant := range []string{"cedar", "dogwood"} {
		s.submit(t, writer, hostileCase(tenant))
	}
	return keys
}

// submit stores a case.
func (s service) submit(t *testing.T, key string, text []byte) {
	t.Helper()
	s.ask(t, key, "POST", "/v1/cases", append(append([]byte(`{"case":`), text...), '}'))
}

// elderCase is a case that shares an address with alder's and says things that must not
// reach alder.
func elderCase() []byte {
	return []byte(`{"tenant":"elder","id":"SECRET-77","title":"Quiet matter of the elder group","state":"CASE_STATE_CLOSED",
"openedAt":"2019-03-07T01:02:03Z","findings":[{"id":"f1","technique":"T1078.004","operation":"UserLoggedIn","summary":"elder-only words",
"firstSeen":"2019-03-07T01:02:03Z","lastSeen":"2019-03-08T04:05:06Z","observables":[
{"kind":"ip","value":"104.161.20.102","roles":["login_source"],"firstSeen":"2019-03-07T01:02:03Z","lastSeen":"2019-03-08T04:05:06Z"},
{"kind":"domain","value":"elder-victim-name.com","roles":["spoofed"]}]}]}`)
}

// hostileCase has in every field of text what a page must show and not run. Two of them
// are linked by such values.
func hostileCase(tenant string) []byte {
	markup := `<script>alert(1)</script><img src=x onerror=alert(2)>"'><svg onload=alert(3)>`
	turned := "invoice\u202egnp.exe\u2066\u200b"
	text := func(s string) string {
		raw, _ := json.Marshal(s)
		return string(raw)
	}
	return fmt.Appendf(nil, `{"tenant":%q,"id":"hostile","title":%s,"kind":"bec","state":"CASE_STATE_CLOSED","source":%s,
"labels":{"note":%s,"turned":%s},"references":[%s,"javascript:alert(4)"],
"findings":[{"id":"f1","technique":"T1114.003","operation":%s,"summary":%s,"facts":[{"name":"rule.action","value":%s,"source":%s}],
"observables":[{"kind":"rule_name","value":%s,"roles":["created"]},{"kind":"rule_name","value":%s,"roles":["created"]},
{"kind":"rule_name","value":%s,"roles":["created"]},{"kind":"user_agent","value":%s,"roles":["login_source"],"facts":[{"name":"note","value":%s,"source":"x"}]},
{"kind":"url","value":"https://evil.example/?q=<script>alert(5)</script>","roles":["referenced"]},
{"kind":"ip","value":"91.92.109.43","roles":["login_source"]},{"kind":"ip","value":"91.92.109.44","roles":["login_source"]}]}]}`,
		tenant, text(markup), text(markup), text(markup), text(turned), text(markup), text(markup), text(markup), text(markup), text(markup),
		text(markup), text(turned), text(strings.Repeat("<b>long</b> ", 340)), text(markup), text(turned))
}
