package git

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/file"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/go-git/go-git/v5/storage/memory"
)

// PlainConfig is how a repository is reached by git's own protocol.
type PlainConfig struct {
	// URL is https://, ssh:// or file://, without user and password.
	URL string
	// Token is sent over https as the password.
	Token Secret
	// SSHKey is a private key in the form of OpenSSH, KnownHosts the file that says
	// which hosts are who they say.
	SSHKey     Secret
	KnownHosts string
	SSHUser    string // "git" if ""
	// HTTP sends requests over https; nil is a client of its own.
	HTTP *http.Client
	// Before is called before a connection is made other than by HTTP.
	Before func(ctx context.Context, host string) error
	// Author is the name and address of who commits.
	AuthorName, AuthorEmail string
	// Sign, unless nil, returns the signature of a commit.
	Sign func(commit []byte) (string, error)
	// Clock is time.Now when nil.
	Clock func() time.Time
}

// Plain is a repository that is reached by git's own protocol. What it fetches is
// the newest commit of a branch, in memory; nothing touches the disk.
type Plain struct {
	c        PlainConfig
	endpoint *transport.Endpoint
	client   transport.Transport
	auth     transport.AuthMethod
}

// maxPack bounds what is fetched, in bytes.
const maxPack = 512 << 20

// ErrURL is returned for an address that is not of a repository.
var ErrURL = errors.New("the address of a repository is https://, ssh:// or file:// and holds neither password nor token: those are files")

// NewPlain returns a repository. It calls nobody.
func NewPlain(c PlainConfig) (*Plain, error) {
	endpoint, err := transport.NewEndpoint(c.URL)
	if err != nil || endpoint.Password != "" || !strings.Contains(c.URL, "://") || strings.Contains(c.URL, "?") {
		return nil, ErrURL
	}
	p := &Plain{c: c, endpoint: endpoint}
	if p.c.Clock == nil {
		p.c.Clock = time.Now
	}
	switch endpoint.Protocol {
	case "https", "http":
		if endpoint.User != "" {
			return nil, ErrURL
		}
		p.client = githttp.NewClient(sameHost(c.HTTP))
		if !c.Token.IsZero() {
			p.auth = &githttp.BasicAuth{Username: "x-access-token", Password: c.Token.reveal()}
		}
	case "ssh":
		keys, err := gitssh.NewPublicKeys(cmp.Or(c.SSHUser, endpoint.User, "git"), []byte(c.SSHKey.reveal()), "")
		if err != nil {
			return nil, errors.New("the key for ssh is not a private key without a passphrase")
		}
		if keys.HostKeyCallback, err = gitssh.NewKnownHostsCallback(c.KnownHosts); err != nil {
			return nil, fmt.Errorf("known hosts: %w", err)
		}
		p.client, p.auth = gitssh.NewClient(nil), keys
	case "file":
		p.client = file.NewClient(transport.UploadPackServiceName, transport.ReceivePackServiceName)
	default:
		return nil, ErrURL
	}
	return p, nil
}

// sameHost has a client that follows redirects to no other host: the token would
// go along.
func sameHost(c *http.Client) *http.Client {
	out := http.Client{
		Timeout: 10 * time.Minute,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: 2 * time.Minute,
		},
	}
	if c != nil {
		out = *c
	}
	out.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme || len(via) > 5 {
			return errors.New("the repository has moved to another address")
		}
		return nil
	}
	return &out
}

func (p *Plain) before(ctx context.Context) error {
	if p.c.Before == nil || strings.HasPrefix(p.endpoint.Protocol, "http") {
		return nil
	}
	return p.c.Before(ctx, p.endpoint.Host)
}

// Tip implements Remote.
func (p *Plain) Tip(ctx context.Context, branch string) (Tip, error) {
	if err := p.before(ctx); err != nil {
		return nil, err
	}
	session, err := p.client.NewUploadPackSession(p.endpoint, p.auth)
	if err != nil {
		return nil, p.wrong(err)
	}
	defer session.Close() //nolint:errcheck // what matters was read
	tip := &commitTip{store: memory.NewStorage()}
	offered, err := session.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return tip, nil
	}
	if err != nil {
		return nil, p.wrong(err)
	}
	id, ok := offered.References[plumbing.NewBranchReferenceName(branch).String()]
	if !ok {
		return tip, nil
	}
	tip.id = id
	req := packp.NewUploadPackRequestFromCapabilities(offered.Capabilities)
	req.Wants = []plumbing.Hash{id}
	if offered.Capabilities.Supports(capability.Shallow) {
		req.Depth = packp.DepthCommits(1)
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return nil, err
		}
	}
	res, err := session.UploadPack(ctx, req)
	if err != nil {
		return nil, p.wrong(err)
	}
	defer res.Close() //nolint:errcheck // what matters was read
	var pack io.Reader = io.LimitReader(res, maxPack)
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		pack = sideband.NewDemuxer(sideband.Sideband64k, pack)
	case req.Capabilities.Supports(capability.Sideband):
		pack = sideband.NewDemuxer(sideband.Sideband, pack)
	}
	if err := packfile.UpdateObjectStorage(tip.store, pack); err != nil {
		return nil, p.wrong(err)
	}
	commit, err := object.GetCommit(tip.store, id)
	if err == nil {
		tip.tree, err = commit.Tree()
	}
	if err != nil {
		return nil, p.wrong(err)
	}
	return tip, nil
}

// Commit implements Remote.
func (p *Plain) Commit(ctx context.Context, on Tip, branch, message string, files []File, force bool) (string, error) {
	tip, ok := on.(*commitTip)
	if !ok {
		return "", errors.New("a tip of another repository")
	}
	root, written, err := grow(tip.store, tip.tree, files)
	if err != nil {
		return "", err
	}
	id, err := p.commit(tip, root, message)
	if err != nil {
		return "", err
	}
	written = append(written, id)
	slices.SortFunc(written, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	written = slices.Compact(written)
	if err := p.before(ctx); err != nil {
		return "", err
	}
	session, err := p.client.NewReceivePackSession(p.endpoint, p.auth)
	if err != nil {
		return "", p.wrong(err)
	}
	defer session.Close() //nolint:errcheck // the report says what happened
	offered, err := session.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		offered, err = packp.NewAdvRefs(), nil
	}
	if err != nil {
		return "", p.wrong(err)
	}
	name := plumbing.NewBranchReferenceName(branch)
	old := offered.References[name.String()]
	if !force && old != tip.id {
		return "", ErrConflict
	}
	req := packp.NewReferenceUpdateRequestFromCapabilities(offered.Capabilities)
	said := &hookOutput{}
	req.Progress = said
	if offered.Capabilities.Supports(capability.Sideband64k) {
		if err := req.Capabilities.Set(capability.Sideband64k); err != nil {
			return "", err
		}
	}
	req.Commands = []*packp.Command{{Name: name, Old: old, New: id}}
	reader, writer := io.Pipe()
	req.Packfile = reader
	go func() {
		_, err := packfile.NewEncoder(writer, tip.store, false).Encode(written, 0)
		writer.CloseWithError(err)
	}()
	defer reader.Close() // ends the encoder where the request did not read all
	report, err := session.ReceivePack(ctx, req)
	if err == nil && report != nil {
		err = report.Error()
	}
	if err != nil {
		return "", p.rejected(err, said.String())
	}
	return id.String(), nil
}

// commit makes a commit on top of a tip.
func (p *Plain) commit(tip *commitTip, root plumbing.Hash, message string) (plumbing.Hash, error) {
	who := object.Signature{
		Name: cmp.Or(p.c.AuthorName, "Elsewhere"), Email: cmp.Or(p.c.AuthorEmail, "elsewhere@localhost"), When: p.c.Clock().UTC(),
	}
	c := object.Commit{Author: who, Committer: who, Message: message, TreeHash: root}
	if !tip.id.IsZero() {
		c.ParentHashes = []plumbing.Hash{tip.id}
	}
	if p.c.Sign != nil {
		o := tip.store.NewEncodedObject()
		if err := c.Encode(o); err != nil {
			return plumbing.ZeroHash, err
		}
		r, err := o.Reader()
		if err != nil {
			return plumbing.ZeroHash, err
		}
		payload, err := io.ReadAll(r)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		if c.PGPSignature, err = p.c.Sign(payload); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	o := tip.store.NewEncodedObject()
	if err := c.Encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	return tip.store.SetEncodedObject(o)
}

// PullRequest implements Remote: git itself has none.
func (*Plain) PullRequest(context.Context, string, string, string) (string, error) { return "", nil }

// rejected tells apart why a branch did not move.
func (p *Plain) rejected(err error, said string) error {
	text := strings.ToLower(err.Error() + "\n" + said)
	says := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	}
	switch {
	case says("gh006", "gh013", "protected branch"):
		return ErrProtected
	case says("non-fast-forward", "fetch first", "stale info", "cannot lock ref", "failed to update ref", "incorrect old value", "is at ", "reference already exists"):
		return ErrConflict
	case says("command error on", "unpack error", "declined"):
		status := err.Error()
		if i := strings.LastIndex(status, ": "); i >= 0 {
			status = status[i+2:]
		}
		return &RejectedError{p.clean(strings.TrimSpace(status + "; " + said))}
	}
	return p.wrong(err)
}

// TransportError is what went wrong between us and a repository.
type TransportError struct{ Message string }

func (e *TransportError) Error() string { return "git: " + e.Message }

// wrong makes an error of the transport one that holds no secret.
func (p *Plain) wrong(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return &TransportError{"the repository does not take the key or the token"}
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return &TransportError{"there is no such repository, or not for this key"}
	}
	return &TransportError{p.clean(err.Error())}
}

// clean makes a text of others one short line without secrets.
func (p *Plain) clean(s string) string { return clean(s, p.c.Token, p.c.SSHKey) }

// hookOutput keeps the beginning of what hooks of the repository say.
type hookOutput struct{ text []byte }

// Write implements io.Writer.
func (h *hookOutput) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), maxSaid-len(h.text))]...)
	return len(b), nil
}

func (h *hookOutput) String() string { return string(h.text) }

// maxSaid bounds what is repeated of a repository's words, in bytes.
const maxSaid = 2_000
