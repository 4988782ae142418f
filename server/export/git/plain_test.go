package git_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ed25519"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/git"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// run runs git as people do.
func run(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x@localhost", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x@localhost")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// bare makes an empty repository and returns its folder.
func bare(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "feed.git")
	run(t, "init", "--quiet", "--bare", "--initial-branch=main", dir)
	return dir
}

// seeded is a bare repository with files of its own, two folders deep.
func seeded(t testing.TB) string {
	t.Helper()
	dir, work := bare(t), t.TempDir()
	run(t, "clone", "--quiet", dir, work)
	if err := os.MkdirAll(filepath.Join(work, "csv", "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"README.md": "# Our feed\n\nBy people.\n", "csv/old/keep.csv": "a\n", "run.sh": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "-C", work, "add", ".")
	run(t, "-C", work, "commit", "--quiet", "-m", "first")
	run(t, "-C", work, "push", "--quiet", "origin", "HEAD:main")
	return dir
}

func plain(t testing.TB, c git.PlainConfig) *git.Plain {
	t.Helper()
	p, err := git.NewPlain(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bundle(name string, addresses ...string) *export.Bundle {
	slices.Sort(addresses)
	space := export.Namespace()
	at := time.Date(2023, 2, 1, 0, 0, 0, 0, time.UTC)
	return &export.Bundle{
		Scope: name, ID: export.NewUUID(space, name), Title: "Bundle " + name, TLP: "tlp:clear", Modified: at,
		Producer: export.Producer{Name: "Example CERT", ID: space},
		Items: iter.Seq2[export.Item, error](func(yield func(export.Item, error) bool) {
			for _, a := range addresses {
				if !yield(export.Item{Value: evidence.Value{Kind: evidence.KindIP, Text: a}, Written: a, Indicator: true, First: at, Last: at}, nil) {
					return
				}
			}
		}),
	}
}

// layout has one format besides the feed.
func layout() git.Layout {
	return git.Layout{Formats: []git.Format{{Folder: "csv", Extension: ".csv", Write: func(_ context.Context, w io.Writer, b *export.Bundle) error {
		for item, err := range b.Items {
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "ip,%s,\r\n", item.Value.Text); err != nil {
				return err
			}
		}
		return nil
	}}}}
}

func options() git.Options { return git.Options{Layout: layout(), Backoff: time.Millisecond} }

func publish(t testing.TB, r git.Remote, b *export.Bundle, o git.Options) *git.Report {
	t.Helper()
	report, err := git.Publish(t.Context(), r, b, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantWhole checks that a repository is sound, its history one line, and each
// commit a feed whose files belong together.
func wantWhole(t testing.TB, dir string) (commits []string) {
	t.Helper()
	run(t, "-C", dir, "fsck", "--full", "--strict")
	for _, line := range strings.Split(run(t, "-C", dir, "rev-list", "--parents", "main"), "\n") {
		ids := strings.Fields(line)
		if len(ids) > 2 {
			t.Errorf("commit %s has %d parents", ids[0], len(ids)-1)
		}
		commits = append(commits, ids[0])
	}
	for _, id := range commits {
		names := strings.Fields(run(t, "-C", dir, "ls-tree", "-r", "--name-only", id))
		if !slices.Contains(names, "misp/manifest.json") {
			continue
		}
		var manifest map[string]misp.ManifestEntry
		if err := json.Unmarshal([]byte(run(t, "-C", dir, "show", id+":misp/manifest.json")), &manifest); err != nil {
			t.Fatal(err)
		}
		for uuid := range manifest {
			for _, name := range []string{"misp/" + uuid + ".json", "csv/" + uuid + ".csv"} {
				if !slices.Contains(names, name) {
					t.Errorf("commit %s lacks %s", id, name)
				}
			}
		}
		events := 0
		for _, name := range names {
			if strings.HasPrefix(name, "misp/") && strings.HasSuffix(name, ".json") {
				events++
			}
		}
		if events != len(manifest)+1 {
			t.Errorf("commit %s has %d events, %d in the manifest", id, events-1, len(manifest))
		}
	}
	return commits
}

func TestPublishIsOneCommitAndNoneWithoutChange(t *testing.T) {
	for name, dir := range map[string]string{"empty": bare(t), "seeded": seeded(t)} {
		p := plain(t, git.PlainConfig{URL: "file://" + dir})
		before := 0
		if name == "seeded" {
			before = 1
		}
		first := publish(t, p, bundle("one", "104.161.20.102"), options())
		if first.Outcome != git.Created || first.Added != 1 || first.Attempts != 1 || len(first.Files) != 7 {
			t.Errorf("%s: %+v", name, first)
		}
		again := publish(t, p, bundle("one", "104.161.20.102"), options())
		if again.Outcome != git.Unchanged || len(again.Files) != 0 || again.Commit != first.Commit {
			t.Errorf("%s: %+v", name, again)
		}
		dry := options()
		dry.DryRun = true
		would := publish(t, p, bundle("one", "20.232.202.245"), dry)
		if would.Outcome != git.Updated || would.Added != 1 || would.Difference.Withdrawn != 1 {
			t.Errorf("%s: %+v", name, would)
		}
		changed := publish(t, p, bundle("one", "104.161.20.102", "20.232.202.245"), options())
		if changed.Outcome != git.Updated || changed.Added != 1 {
			t.Errorf("%s: %+v", name, changed)
		}
		publish(t, p, bundle("two", "185.241.149.122"), options())
		if commits := wantWhole(t, dir); len(commits) != 3+before {
			t.Errorf("%s: %d commits", name, len(commits))
		}
		readme := run(t, "-C", dir, "show", "main:README.md")
		if strings.Count(readme, "Bundle one") != 1 || strings.Count(readme, "Bundle two") != 1 {
			t.Errorf("%s: index\n%s", name, readme)
		}
		if name == "seeded" {
			if !strings.HasPrefix(readme, "# Our feed\n\nBy people.\n") {
				t.Errorf("what people wrote is gone:\n%s", readme)
			}
			if mode := run(t, "-C", dir, "ls-tree", "main", "run.sh", "csv/old/keep.csv"); !strings.HasPrefix(mode, "100755") {
				t.Errorf("other files are not as they were: %s", mode)
			}
			run(t, "-C", dir, "cat-file", "-e", "main:csv/old/keep.csv")
		}
		o := options()
		o.Event.Withdraw = true
		o.Formats = nil
		if r := publish(t, p, bundle("one", "104.161.20.102", "20.232.202.245"), o); r.Outcome != git.Withdrawn || r.Difference.Withdrawn != 2 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestRejectingHook(t *testing.T) {
	dir := seeded(t)
	hook := filepath.Join(dir, "hooks", "pre-receive")
	script := func(text string) {
		t.Helper()
		if err := os.WriteFile(hook, []byte("#!/bin/sh\ncat >/dev/null\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := plain(t, git.PlainConfig{URL: "file://" + dir})
	before := run(t, "-C", dir, "rev-parse", "main")
	script("echo 'no bundles on Sundays' >&2; exit 1")
	_, err := git.Publish(t.Context(), p, bundle("one", "104.161.20.102"), options())
	rejected, ok := errors.AsType[*git.RejectedError](err)
	if !ok || !strings.Contains(rejected.Message, "no bundles on Sundays") {
		t.Fatalf("%v", err)
	}
	if after := run(t, "-C", dir, "rev-parse", "main"); after != before {
		t.Error("the branch moved")
	}
	run(t, "-C", dir, "fsck", "--full", "--strict")

	// As GitHub says it of a protected branch.
	script(`while read o n r; do :; done; exec 0</dev/null`)
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nwhile read old new ref; do if [ $ref = refs/heads/main ]; then echo 'error: GH006: Protected branch update failed for refs/heads/main.' >&2; exit 1; fi; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := git.Publish(t.Context(), p, bundle("one", "104.161.20.102"), options()); !errors.Is(err, git.ErrProtected) {
		t.Errorf("%v", err)
	}
	o := options()
	o.PullRequest = true
	for i := range 2 {
		b := bundle("one", "104.161.20.102")
		r := publish(t, p, b, o)
		if r.Branch != "elsewhere/"+b.ID.String() || r.Commit == "" || len(r.Notes) != 2 {
			t.Errorf("%+v", r)
		}
		if n := run(t, "-C", dir, "rev-list", "--count", r.Branch); n != "2" {
			t.Errorf("publication %d: %s commits on the branch", i, n)
		}
	}
	// Another content moves our branch, which nobody else has.
	r := publish(t, p, bundle("one", "20.232.202.245"), o)
	if n := run(t, "-C", dir, "rev-list", "--count", r.Branch); n != "2" {
		t.Errorf("%s commits on the branch", n)
	}
	if after := run(t, "-C", dir, "rev-parse", "main"); after != before {
		t.Error("the protected branch moved")
	}
}

func TestRacingPublishers(t *testing.T) {
	dir := seeded(t)
	const publishers, rounds = 2, 4
	var all sync.WaitGroup
	for i := range publishers {
		all.Go(func() {
			p, err := git.NewPlain(git.PlainConfig{URL: "file://" + dir})
			if err != nil {
				t.Error(err)
				return
			}
			for round := range rounds {
				b := bundle(fmt.Sprint("publisher ", i), fmt.Sprintf("104.161.%d.%d", i, round))
				if _, err := git.Publish(t.Context(), p, b, options()); err != nil {
					t.Errorf("publisher %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	if commits := wantWhole(t, dir); len(commits) != 1+publishers*rounds {
		t.Errorf("%d commits", len(commits))
	}
}

// loser is a repository in which somebody else always is faster.
type loser struct {
	git.Remote
	commits int
}

func (l *loser) Commit(context.Context, git.Tip, string, string, []git.File, bool) (string, error) {
	l.commits++
	return "", git.ErrConflict
}

func TestConflictsAreBounded(t *testing.T) {
	l := &loser{Remote: plain(t, git.PlainConfig{URL: "file://" + seeded(t)})}
	if _, err := git.Publish(t.Context(), l, bundle("one", "104.161.20.102"), options()); !errors.Is(err, git.ErrConflict) {
		t.Error(err)
	}
	if l.commits != 6 {
		t.Errorf("%d attempts", l.commits)
	}
}

// TestMain runs as a publisher that works until it is killed where the environment
// asks for one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ELSEWHERE_TEST_PUBLISH"); dir != "" {
		publishForEver(dir)
		return
	}
	os.Exit(m.Run())
}

func publishForEver(dir string) {
	p, err := git.NewPlain(git.PlainConfig{URL: "file://" + dir})
	for i := 0; err == nil; i++ {
		var addresses []string
		for k := range 500 {
			addresses = append(addresses, fmt.Sprintf("10.%d.%d.%d", os.Getpid()%250, i%250, k%250+1))
		}
		slices.Sort(addresses)
		if _, err = git.Publish(context.Background(), p, bundle("killed", slices.Compact(addresses)...), options()); err == nil {
			fmt.Println("published")
		}
	}
	fmt.Println(err)
}

func TestKilledPublisher(t *testing.T) {
	dir := seeded(t)
	published := 0
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ELSEWHERE_TEST_PUBLISH="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Killed somewhere in the publication after some.
		line := make([]byte, len("published\n"))
		for range round%3 + 1 {
			if _, err := io.ReadFull(out, line); err != nil || string(line) != "published\n" {
				t.Fatalf("%s, %v", line, err)
			}
			published++
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() //nolint:errcheck // it was killed
		if commits := wantWhole(t, dir); len(commits) < published {
			t.Errorf("%d commits of %d publications", len(commits), published)
		}
	}
	publish(t, plain(t, git.PlainConfig{URL: "file://" + dir}), bundle("after", "104.161.20.102"), options())
	wantWhole(t, dir)
}

const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"

// overHTTPS serves a bare repository with git's own server, which wants a token.
func overHTTPS(t testing.TB, dir string) (*httptest.Server, *http.Client, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	run(t, "-C", dir, "config", "http.receivepack", "true")
	backend := &cgi.Handler{
		Path: filepath.Join(run(t, "--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x"},
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.String())
		mu.Unlock()
		if _, password, _ := r.BasicAuth(); password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you with "+password, http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s, s.Client(), func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(asked) }
}

func TestOverHTTPSTheTokenIsInNoURL(t *testing.T) {
	dir := seeded(t)
	s, client, asked := overHTTPS(t, dir)
	at := s.URL + "/" + filepath.Base(dir)
	r := publish(t, plain(t, git.PlainConfig{URL: at, Token: git.NewSecret(token), HTTP: client}), bundle("one", "104.161.20.102"), options())
	if r.Outcome != git.Created {
		t.Errorf("%+v", r)
	}
	wantWhole(t, dir)
	wrong := "ghp_wrongwrongwrongwrongwrongwrongwrongwrong"
	p := plain(t, git.PlainConfig{URL: at, Token: git.NewSecret(wrong), HTTP: client})
	_, err := git.Publish(t.Context(), p, bundle("one", "20.232.202.245"), options())
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), wrong) {
		t.Errorf("%v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", git.NewSecret(token), p, git.PlainConfig{Token: git.NewSecret(token)}); strings.Contains(text, token) {
		t.Error("a secret prints")
	}
	for _, url := range asked() {
		if strings.Contains(url, "ghp_") {
			t.Errorf("asked for %s", url)
		}
	}
	for _, url := range []string{"https://x:" + token + "@localhost/a.git", "https://" + token + "@localhost/a.git", "https://localhost/a.git?token=" + token, "git://localhost/a", ""} {
		if _, err := git.NewPlain(git.PlainConfig{URL: url}); !errors.Is(err, git.ErrURL) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRedirectsToOthersAreNotFollowed(t *testing.T) {
	seen := ""
	other := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(s.Close)
	p := plain(t, git.PlainConfig{URL: s.URL + "/a.git", Token: git.NewSecret(token), HTTP: s.Client()})
	if _, err := p.Tip(t.Context(), "main"); err == nil || seen != "" {
		t.Errorf("%v, the other server saw %q", err, seen)
	}
}

// sshKey makes a key and returns it in the form of OpenSSH and as a line.
func sshKey(t testing.TB) (private, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func TestSignedCommits(t *testing.T) {
	dir := seeded(t)
	private, public := sshKey(t)
	sign, err := git.SSHSigner(git.NewSecret(private))
	if err != nil {
		t.Fatal(err)
	}
	p := plain(t, git.PlainConfig{URL: "file://" + dir, Sign: sign, AuthorName: "Example CERT", AuthorEmail: "cert@example.org"})
	r := publish(t, p, bundle("one", "104.161.20.102"), options())
	allowed := filepath.Join(t.TempDir(), "allowed")
	if err := os.WriteFile(allowed, []byte("cert@example.org "+public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, "-C", dir, "-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", "-v", r.Commit)
	if !strings.Contains(out, `Good "git" signature for cert@example.org`) {
		t.Errorf("%s", out)
	}
	if _, err := git.SSHSigner(git.NewSecret("nonsense")); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Error(err)
	}
}

func TestWhatStandsInTheWay(t *testing.T) {
	dir, work := bare(t), t.TempDir()
	run(t, "clone", "--quiet", dir, work)
	if err := os.WriteFile(filepath.Join(work, "misp"), []byte("a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "-C", work, "add", ".")
	run(t, "-C", work, "commit", "--quiet", "-m", "first")
	run(t, "-C", work, "push", "--quiet", "origin", "HEAD:main")
	_, err := git.Publish(t.Context(), plain(t, git.PlainConfig{URL: "file://" + dir}), bundle("one", "104.161.20.102"), options())
	if _, ok := errors.AsType[*git.LayoutError](err); !ok {
		t.Errorf("%v", err)
	}
	_, err = git.Publish(t.Context(), plain(t, git.PlainConfig{URL: "file:///nowhere/at/all.git"}), bundle("one"), options())
	if _, ok := errors.AsType[*git.TransportError](err); !ok {
		t.Errorf("%v", err)
	}
}

// overSSH serves git over ssh to one key, and returns its address and the line of
// its host key.
func overSSH(t testing.TB, allowed ssh.PublicKey) (addr, hostLine string) {
	t.Helper()
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(hostKey)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(allowed.Marshal()) {
			return nil, errors.New("another key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveSSH(conn, config)
		}
	}()
	at := listener.Addr().String()
	return at, knownhosts.Line([]string{at}, host.PublicKey())
}

// serveSSH runs the commands of one connection.
func serveSSH(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for opened := range channels {
		channel, asked, err := opened.Accept()
		if err != nil {
			return
		}
		go func() {
			for req := range asked {
				if req.Type != "exec" {
					req.Reply(false, nil) //nolint:errcheck // the client is gone
					continue
				}
				req.Reply(true, nil) //nolint:errcheck // the client is gone
				cmd := exec.Command("sh", "-c", string(req.Payload[4:]))
				cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
				in, err := cmd.StdinPipe()
				if err == nil {
					err = cmd.Start()
				}
				if err == nil {
					go func() { io.Copy(in, channel); in.Close() }() //nolint:errcheck // ends with the channel
					cmd.Wait()                                       //nolint:errcheck // the status is sent
				}
				status := make([]byte, 4)
				if cmd.ProcessState != nil {
					status[3] = byte(cmd.ProcessState.ExitCode())
				}
				channel.SendRequest("exit-status", false, status) //nolint:errcheck // the client is gone
				channel.Close()
			}
		}()
	}
}

func TestOverSSH(t *testing.T) {
	dir := seeded(t)
	private, public := sshKey(t)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	at, line := overSSH(t, key)
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := git.PlainConfig{URL: "ssh://git@" + at + dir, SSHKey: git.NewSecret(private), KnownHosts: known}
	if r := publish(t, plain(t, c), bundle("one", "104.161.20.102"), options()); r.Outcome != git.Created {
		t.Errorf("%+v", r)
	}
	if r := publish(t, plain(t, c), bundle("one", "104.161.20.102"), options()); r.Outcome != git.Unchanged {
		t.Errorf("%+v", r)
	}
	wantWhole(t, dir)

	// Another host than the one that is known, another key, an address that the
	// target may not have.
	_, other := overSSH(t, key)
	if err := os.WriteFile(known, []byte(strings.Replace(other, strings.Fields(other)[0], strings.Fields(line)[0], 1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := plain(t, c).Tip(t.Context(), "main"); err == nil {
		t.Error("a host with another key is taken for ours")
	}
	if err := os.WriteFile(known, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong, _ := sshKey(t)
	c.SSHKey = git.NewSecret(wrong)
	if _, err := plain(t, c).Tip(t.Context(), "main"); err == nil || strings.Contains(err.Error(), strings.Split(wrong, "\n")[1]) {
		t.Errorf("%v", err)
	}
	refused := errors.New("not there")
	c.Before = func(context.Context, string) error { return refused }
	if _, err := plain(t, c).Tip(t.Context(), "main"); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
}
