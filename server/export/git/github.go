package git

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// GitHubConfig is how a repository is reached by GitHub's API.
type GitHubConfig struct {
	// Repository is OWNER/NAME.
	Repository string
	// API is https://api.github.com if nil, or that of another installation.
	API *url.URL
	// Auth is a token or an app.
	Auth GitHubAuth
	HTTP *http.Client // nil is a client of its own
	// AuthorName and AuthorEmail are who commits. Without them GitHub names whose
	// token it is, and signs commits of apps.
	AuthorName, AuthorEmail string
	Backoff                 time.Duration // before a busy server is asked again; 0 is a second
}

// GitHubAuth gives tokens for requests.
type GitHubAuth interface {
	// Token returns a token that is good now.
	Token(ctx context.Context, g *GitHub) (Secret, error)
}

// Token is a personal token, or one for a repository.
type Token struct{ Secret Secret }

// Token implements GitHubAuth.
func (t Token) Token(context.Context, *GitHub) (Secret, error) { return t.Secret, nil }

// GitHub is a repository that is reached by the Git data API: blobs, a tree, a
// commit, and then the branch moves to it.
type GitHub struct {
	c    GitHubConfig
	base *url.URL
	http *http.Client
}

// NewGitHub returns a repository. It calls nobody.
func NewGitHub(c GitHubConfig) (*GitHub, error) {
	owner, name, ok := strings.Cut(c.Repository, "/")
	if !ok || owner == "" || name == "" || strings.ContainsAny(c.Repository, " ?#%") || strings.Contains(name, "/") {
		return nil, errors.New("a repository at GitHub is OWNER/NAME")
	}
	if c.Auth == nil {
		return nil, errors.New("GitHub needs a token or an app")
	}
	if c.API == nil {
		c.API = &url.URL{Scheme: "https", Host: "api.github.com"}
	}
	if c.API.User != nil || c.API.RawQuery != "" {
		return nil, ErrURL
	}
	return &GitHub{c, c.API, sameHost(c.HTTP)}, nil
}

// maxAnswer bounds an answer that is held whole, in bytes: the list of the files of
// a repository is the largest.
const maxAnswer = 64 << 20

// GitHubError is an answer other than the one asked for.
type GitHubError struct {
	Status  int
	Message string // of GitHub, one line
}

func (e *GitHubError) Error() string { return fmt.Sprintf("GitHub: %s (%d)", e.Message, e.Status) }

// call sends a request and decodes the answer. What is refused is not sent again;
// what fails for a moment is, a bounded number of times.
func (g *GitHub) call(ctx context.Context, method, path string, in, out any) error {
	token, err := g.c.Auth.Token(ctx, g)
	if err != nil {
		return err
	}
	return g.send(ctx, method, "/repos/"+g.c.Repository+path, token, in, out)
}

func (g *GitHub) send(ctx context.Context, method, path string, token Secret, in, out any) error {
	var payload []byte
	if in != nil {
		var err error
		if payload, err = json.Marshal(in); err != nil {
			return err
		}
	}
	wait := cmp.Or(g.c.Backoff, time.Second)
	for attempt := 1; ; attempt++ {
		err := g.once(ctx, method, path, token, payload, out)
		answer, refused := errors.AsType[*GitHubError](err)
		passing := refused && (answer.Status >= 500 || answer.Status == http.StatusTooManyRequests ||
			answer.Status == http.StatusForbidden && strings.Contains(strings.ToLower(answer.Message), "rate limit"))
		if !passing || attempt == 3 {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		wait *= 2
	}
}

func (g *GitHub) once(ctx context.Context, method, path string, token Secret, payload []byte, out any) error {
	var body io.Reader
	if payload != nil {
		body = bytes.NewReader(payload)
	}
	target := *g.base
	path, target.RawQuery, _ = strings.Cut(path, "?")
	req, err := http.NewRequestWithContext(ctx, method, target.JoinPath(path).String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token.reveal())
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "elsewhere")
	res, err := g.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &TransportError{clean(err.Error(), token)}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return &TransportError{clean(err.Error(), token)}
	}
	if res.StatusCode >= 300 {
		var said struct {
			Message string `json:"message"`
			Errors  []struct {
				Message string `json:"message"`
			} `json:"errors"`
		}
		message := http.StatusText(res.StatusCode)
		if json.Unmarshal(answer, &said) == nil && said.Message != "" {
			message = said.Message
			for _, e := range said.Errors {
				message += ": " + e.Message
			}
		}
		return &GitHubError{res.StatusCode, clean(message, token)}
	}
	if out == nil {
		return nil
	}
	if len(answer) > maxAnswer || json.Unmarshal(answer, out) != nil {
		return &GitHubError{res.StatusCode, "the answer cannot be read"}
	}
	return nil
}

// githubTip is a commit at GitHub.
type githubTip struct {
	github *GitHub
	id     string
	tree   string            // its id
	blobs  map[string]string // ids by path
}

// ID implements Tip.
func (t *githubTip) ID() string { return t.id }

// Open implements Tip.
func (t *githubTip) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	id, ok := t.blobs[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	var blob struct {
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
	}
	if err := t.github.call(ctx, http.MethodGet, "/git/blobs/"+id, nil, &blob); err != nil {
		return nil, err
	}
	data := []byte(blob.Content)
	if blob.Encoding == "base64" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(blob.Content, "\n", "")); err != nil {
			return nil, &GitHubError{http.StatusOK, "a blob cannot be read"}
		}
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// ref is a branch at GitHub.
type ref struct {
	Object struct {
		SHA string `json:"sha"`
	} `json:"object"`
}

// Tip implements Remote.
func (g *GitHub) Tip(ctx context.Context, branch string) (Tip, error) {
	tip := &githubTip{github: g, blobs: make(map[string]string)}
	var at ref
	err := g.call(ctx, http.MethodGet, "/git/ref/heads/"+branch, nil, &at)
	if e, ok := errors.AsType[*GitHubError](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusConflict) {
		// 409 is said of a repository without any commit; a repository that is not
		// there is told from a branch that is not.
		return tip, g.call(ctx, http.MethodGet, "", nil, nil)
	}
	if err != nil {
		return nil, err
	}
	tip.id = at.Object.SHA
	var commit struct {
		Tree struct {
			SHA string `json:"sha"`
		} `json:"tree"`
	}
	if err := g.call(ctx, http.MethodGet, "/git/commits/"+tip.id, nil, &commit); err != nil {
		return nil, err
	}
	tip.tree = commit.Tree.SHA
	var tree struct {
		Tree []struct {
			Path string `json:"path"`
			Type string `json:"type"`
			SHA  string `json:"sha"`
		} `json:"tree"`
		Truncated bool `json:"truncated"`
	}
	if err := g.call(ctx, http.MethodGet, "/git/trees/"+tip.tree+"?recursive=1", nil, &tree); err != nil {
		return nil, err
	}
	if tree.Truncated {
		return nil, &GitHubError{http.StatusOK, "the repository has too many files for its API: use plain git"}
	}
	for _, e := range tree.Tree {
		if e.Type == "blob" {
			tip.blobs[e.Path] = e.SHA
		}
	}
	return tip, nil
}

// entry is a file of a tree that is made.
type entry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	SHA  string `json:"sha"`
}

type made struct {
	SHA string `json:"sha"`
}

// Commit implements Remote.
func (g *GitHub) Commit(ctx context.Context, on Tip, branch, message string, files []File, force bool) (string, error) {
	tip, ok := on.(*githubTip)
	if !ok {
		return "", errors.New("a tip of another repository")
	}
	if tip.id == "" {
		return "", &RejectedError{"the branch does not exist: GitHub's API needs a first commit; make it there, with a README"}
	}
	var entries []entry
	for _, f := range files {
		var blob made
		err := g.call(ctx, http.MethodPost, "/git/blobs", map[string]string{
			"content": base64.StdEncoding.EncodeToString(f.Data), "encoding": "base64",
		}, &blob)
		if err != nil {
			return "", err
		}
		entries = append(entries, entry{f.Path, "100644", "blob", blob.SHA})
	}
	var tree, commit made
	if err := g.call(ctx, http.MethodPost, "/git/trees", map[string]any{"base_tree": tip.tree, "tree": entries}, &tree); err != nil {
		return "", err
	}
	what := map[string]any{"message": message, "tree": tree.SHA, "parents": []string{tip.id}}
	if g.c.AuthorName != "" {
		what["author"] = map[string]string{"name": g.c.AuthorName, "email": g.c.AuthorEmail}
	}
	if err := g.call(ctx, http.MethodPost, "/git/commits", what, &commit); err != nil {
		return "", err
	}
	return commit.SHA, g.move(ctx, branch, commit.SHA, force)
}

// move moves a branch; one of ours is made if it is not there.
func (g *GitHub) move(ctx context.Context, branch, id string, force bool) error {
	err := g.call(ctx, http.MethodPatch, "/git/refs/heads/"+branch, map[string]any{"sha": id, "force": force}, nil)
	e, ok := errors.AsType[*GitHubError](err)
	if !ok {
		return err
	}
	says := func(part string) bool { return strings.Contains(strings.ToLower(e.Message), part) }
	switch {
	case e.Status == http.StatusUnprocessableEntity && says("not a fast forward"), e.Status == http.StatusConflict:
		return ErrConflict
	case says("protected branch"), says("gh006"), says("gh013"), says("rule violations"):
		return ErrProtected
	case e.Status == http.StatusUnprocessableEntity && says("does not exist") && force:
		err := g.call(ctx, http.MethodPost, "/git/refs", map[string]string{"ref": "refs/heads/" + branch, "sha": id}, nil)
		if e, ok := errors.AsType[*GitHubError](err); ok && e.Status == http.StatusUnprocessableEntity {
			return ErrConflict
		}
		return err
	}
	return err
}

// PullRequest implements Remote. One that is open already is answered again.
func (g *GitHub) PullRequest(ctx context.Context, base, branch, title string) (string, error) {
	type pull struct {
		URL string `json:"html_url"`
	}
	var opened pull
	err := g.call(ctx, http.MethodPost, "/pulls", map[string]string{"title": title, "head": branch, "base": base}, &opened)
	e, ok := errors.AsType[*GitHubError](err)
	if !ok || e.Status != http.StatusUnprocessableEntity {
		return clean(opened.URL), err
	}
	owner, _, _ := strings.Cut(g.c.Repository, "/")
	query := url.Values{"head": {owner + ":" + branch}, "base": {base}, "state": {"open"}}
	var open []pull
	if err := g.call(ctx, http.MethodGet, "/pulls?"+query.Encode(), nil, &open); err != nil {
		return "", err
	}
	if len(open) == 0 {
		return "", e
	}
	return clean(open[0].URL), nil
}
