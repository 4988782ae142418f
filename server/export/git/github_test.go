package git_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export/git"
)

// fakeGitHub answers the calls of the Git data API as GitHub documents them.
type fakeGitHub struct {
	mu      sync.Mutex
	token   string
	blobs   map[string]string            // contents
	trees   map[string]map[string]string // blobs by path
	commits map[string][2]string         // tree, parent
	refs    map[string]string
	pulls   []string // heads
	calls   []string
	// protected branches move by pull request only.
	protected map[string]bool
	// race is called before a branch moves, once.
	race func(g *fakeGitHub)
	// fail answers that many calls with 502.
	fail int
	app  *rsa.PublicKey
}

func newFakeGitHub(t testing.TB) (*fakeGitHub, *url.URL) {
	g := &fakeGitHub{
		token: token, blobs: map[string]string{}, trees: map[string]map[string]string{},
		commits: map[string][2]string{}, refs: map[string]string{}, protected: map[string]bool{},
	}
	g.refs["main"] = g.commit(g.tree(map[string]string{"run.sh": g.blob("#!/bin/sh\n")}), "")
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return g, at
}

func id(parts ...any) string { return fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, parts...))) }

func (g *fakeGitHub) blob(content string) string {
	sha := id("blob", content)
	g.blobs[sha] = content
	return sha
}

func (g *fakeGitHub) tree(files map[string]string) string {
	sha := id("tree", files)
	g.trees[sha] = files
	return sha
}

func (g *fakeGitHub) commit(tree, parent string) string {
	sha := id("commit", tree, parent)
	g.commits[sha] = [2]string{tree, parent}
	return sha
}

// file is a file of a branch.
func (g *fakeGitHub) file(branch, name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blobs[g.trees[g.commits[g.refs[branch]][0]][name]]
}

// history is the number of commits of a branch.
func (g *fakeGitHub) history(branch string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for at := g.refs[branch]; at != ""; at = g.commits[at][1] {
		n++
	}
	return n
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // the client is gone
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}

func (g *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, r.Method+" "+r.URL.String())
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.URL.Path == "/app/installations/42/access_tokens" {
		g.install(w, bearer)
		return
	}
	path, ours := strings.CutPrefix(r.URL.Path, "/repos/example/feed")
	var in map[string]any
	if r.Method != http.MethodGet {
		json.NewDecoder(r.Body).Decode(&in) //nolint:errcheck // a bad body is an empty one
	}
	text := func(name string) string { s, _ := in[name].(string); return s }
	branch := strings.TrimPrefix(strings.TrimPrefix(path, "/git/refs/heads/"), "/git/ref/heads/")
	switch {
	case bearer != g.token:
		refuse(w, http.StatusUnauthorized, "Bad credentials "+bearer)
	case !ours:
		refuse(w, http.StatusNotFound, "Not Found")
	case g.fail > 0:
		g.fail--
		refuse(w, http.StatusBadGateway, "Server Error")
	case path == "":
		answer(w, http.StatusOK, map[string]string{"default_branch": "main"})
	case strings.HasPrefix(path, "/git/ref/heads/"):
		if g.refs[branch] == "" {
			refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		answer(w, http.StatusOK, map[string]any{"object": map[string]string{"sha": g.refs[branch]}})
	case r.Method == http.MethodPatch:
		g.patch(w, branch, text("sha"), in["force"] == true)
	case strings.HasPrefix(path, "/git/commits/"):
		answer(w, http.StatusOK, map[string]any{"tree": map[string]string{"sha": g.commits[strings.TrimPrefix(path, "/git/commits/")][0]}})
	case strings.HasPrefix(path, "/git/trees/"):
		var entries []any
		for name, sha := range g.trees[strings.TrimPrefix(path, "/git/trees/")] {
			entries = append(entries, map[string]string{"path": name, "type": "blob", "sha": sha})
		}
		answer(w, http.StatusOK, map[string]any{"tree": entries})
	case strings.HasPrefix(path, "/git/blobs/"):
		content := g.blobs[strings.TrimPrefix(path, "/git/blobs/")]
		answer(w, http.StatusOK, map[string]string{"encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(content))})
	case path == "/git/blobs":
		b, _ := base64.StdEncoding.DecodeString(text("content"))
		answer(w, http.StatusCreated, map[string]string{"sha": g.blob(string(b))})
	case path == "/git/trees":
		files := map[string]string{}
		for k, v := range g.trees[text("base_tree")] {
			files[k] = v
		}
		for _, e := range in["tree"].([]any) {
			e := e.(map[string]any)
			files[e["path"].(string)] = e["sha"].(string)
		}
		answer(w, http.StatusCreated, map[string]string{"sha": g.tree(files)})
	case path == "/git/commits":
		answer(w, http.StatusCreated, map[string]string{"sha": g.commit(text("tree"), in["parents"].([]any)[0].(string))})
	case path == "/git/refs":
		name := strings.TrimPrefix(text("ref"), "refs/heads/")
		if g.refs[name] != "" {
			refuse(w, http.StatusUnprocessableEntity, "Reference already exists")
			return
		}
		g.refs[name] = text("sha")
		answer(w, http.StatusCreated, map[string]string{})
	case path == "/pulls" && r.Method == http.MethodPost:
		for _, head := range g.pulls {
			if head == text("head") {
				refuse(w, http.StatusUnprocessableEntity, "Validation Failed: A pull request already exists")
				return
			}
		}
		g.pulls = append(g.pulls, text("head"))
		answer(w, http.StatusCreated, map[string]string{"html_url": "https://github.com/example/feed/pull/1"})
	case path == "/pulls":
		answer(w, http.StatusOK, []any{map[string]string{"html_url": "https://github.com/example/feed/pull/1"}})
	default:
		refuse(w, http.StatusNotFound, "Not Found")
	}
}

func (g *fakeGitHub) patch(w http.ResponseWriter, branch, sha string, force bool) {
	if g.race != nil {
		race := g.race
		g.race = nil
		race(g)
	}
	switch {
	case g.refs[branch] == "":
		refuse(w, http.StatusUnprocessableEntity, "Reference does not exist")
	case g.protected[branch]:
		refuse(w, http.StatusUnprocessableEntity, "Protected branch update failed for refs/heads/"+branch)
	case !force && g.commits[sha][1] != g.refs[branch]:
		refuse(w, http.StatusUnprocessableEntity, "Update is not a fast forward")
	default:
		g.refs[branch] = sha
		answer(w, http.StatusOK, map[string]string{})
	}
}

// install gives the token of an installation to who signs as the app.
func (g *fakeGitHub) install(w http.ResponseWriter, claim string) {
	parts := strings.Split(claim, ".")
	if len(parts) != 3 || g.app == nil {
		refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
		return
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Iss      string
		Iat, Exp int64
	}
	if rsa.VerifyPKCS1v15(g.app, crypto.SHA256, sum[:], signature) != nil || json.Unmarshal(body, &claims) != nil ||
		claims.Iss != "7" || claims.Exp-claims.Iat > 600 {
		refuse(w, http.StatusUnauthorized, "A JSON web token could not be decoded")
		return
	}
	answer(w, http.StatusCreated, map[string]any{"token": g.token, "expires_at": time.Unix(claims.Iat+3660, 0).UTC()})
}

func github(t testing.TB, at *url.URL, auth git.GitHubAuth) *git.GitHub {
	t.Helper()
	r, err := git.NewGitHub(git.GitHubConfig{Repository: "example/feed", API: at, Auth: auth, Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGitHubMovesTheBranchOnce(t *testing.T) {
	g, at := newFakeGitHub(t)
	r := github(t, at, git.Token{Secret: git.NewSecret(token)})
	g.fail = 1
	first := publish(t, r, bundle("one", "104.161.20.102"), options())
	if first.Outcome != git.Created || g.history("main") != 2 || g.file("main", "run.sh") == "" {
		t.Errorf("%+v, %d commits", first, g.history("main"))
	}
	if again := publish(t, r, bundle("one", "104.161.20.102"), options()); again.Outcome != git.Unchanged || g.history("main") != 2 {
		t.Errorf("%+v", again)
	}
	// Somebody else is faster, once.
	g.race = func(g *fakeGitHub) {
		at := g.refs["main"]
		g.refs["main"] = g.commit(g.tree(map[string]string{"theirs": g.blob("x")}), at)
	}
	raced := publish(t, r, bundle("two", "20.232.202.245"), options())
	if raced.Attempts != 2 || g.history("main") != 4 || g.file("main", "theirs") != "x" {
		t.Errorf("%+v, %d commits", raced, g.history("main"))
	}
	for _, call := range g.calls {
		if strings.Contains(call, "ghp_") {
			t.Errorf("a token in %s", call)
		}
	}
	// The files are those that plain git has.
	dir := bare(t)
	p := plain(t, git.PlainConfig{URL: "file://" + dir})
	publish(t, p, bundle("two", "20.232.202.245"), options())
	name := "misp/" + bundle("two").ID.String() + ".json"
	if run(t, "-C", dir, "show", "main:"+name) != strings.TrimSpace(g.file("main", name)) {
		t.Error("the two ways give different files")
	}
}

func TestGitHubProtectedBranch(t *testing.T) {
	g, at := newFakeGitHub(t)
	g.protected["main"] = true
	r := github(t, at, git.Token{Secret: git.NewSecret(token)})
	if _, err := git.Publish(t.Context(), r, bundle("one", "104.161.20.102"), options()); !errors.Is(err, git.ErrProtected) {
		t.Errorf("%v", err)
	}
	o := options()
	o.PullRequest = true
	for _, address := range []string{"104.161.20.102", "104.161.20.102", "20.232.202.245"} {
		report := publish(t, r, bundle("one", address), o)
		if report.Pull != "https://github.com/example/feed/pull/1" || g.history(report.Branch) != 2 {
			t.Errorf("%+v, %d commits", report, g.history(report.Branch))
		}
	}
	if len(g.pulls) != 1 || g.history("main") != 1 {
		t.Errorf("pull requests %q", g.pulls)
	}
}

func TestGitHubRefusals(t *testing.T) {
	g, at := newFakeGitHub(t)
	wrong := "ghp_wrongwrongwrongwrongwrongwrongwrongwrong"
	_, err := git.Publish(t.Context(), github(t, at, git.Token{Secret: git.NewSecret(wrong)}), bundle("one"), options())
	if refused, ok := errors.AsType[*git.GitHubError](err); !ok || refused.Status != http.StatusUnauthorized || strings.Contains(err.Error(), wrong) {
		t.Errorf("%v", err)
	}
	g.refs = map[string]string{}
	_, err = git.Publish(t.Context(), github(t, at, git.Token{Secret: git.NewSecret(token)}), bundle("one", "104.161.20.102"), options())
	if _, ok := errors.AsType[*git.RejectedError](err); !ok {
		t.Errorf("a repository without commits: %v", err)
	}
	for _, name := range []string{"", "example", "a/b/c", "a/b?x=y"} {
		if _, err := git.NewGitHub(git.GitHubConfig{Repository: name, Auth: git.Token{}}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestGitHubApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g, at := newFakeGitHub(t)
	g.app, g.token = &key.PublicKey, "ghs_of_the_installation"
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	app, err := git.NewApp("7", 42, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, github(t, at, app), bundle("one", "104.161.20.102"), options())
	tokens := 0
	for _, call := range g.calls {
		if strings.Contains(call, "access_tokens") {
			tokens++
		}
	}
	if tokens != 1 || g.history("main") != 2 {
		t.Errorf("%d tokens, %d commits", tokens, g.history("main"))
	}
	if _, err := git.NewApp("7", 42, []byte("nonsense"), nil); err == nil {
		t.Error("nonsense is a key")
	}
}
