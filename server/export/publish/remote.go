package publish

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/export/git"
)

// remote returns the repository of a target.
func (p *Publisher) remote(t *Target, client *http.Client) (git.Remote, error) {
	token, err := readSecret(t.TokenFile)
	if err != nil {
		return nil, err
	}
	secret := git.NewSecret(strings.TrimSpace(token))
	if t.Kind == KindGitHub {
		return p.github(t, secret, client)
	}
	key, err := readSecret(t.SSHKeyFile)
	if err != nil {
		return nil, err
	}
	c := git.PlainConfig{
		URL: t.URL, Token: secret, SSHKey: git.NewSecret(key), KnownHosts: t.KnownHostsFile, HTTP: client,
		Before: allowed(t), AuthorName: t.AuthorName, AuthorEmail: t.AuthorEmail, Clock: p.c.Clock,
	}
	if t.SigningKeyFile != "" {
		signing, err := readSecret(t.SigningKeyFile)
		if err != nil {
			return nil, err
		}
		if c.Sign, err = git.SSHSigner(git.NewSecret(signing)); err != nil {
			return nil, err
		}
	}
	return git.NewPlain(c)
}

func (p *Publisher) github(t *Target, token git.Secret, client *http.Client) (git.Remote, error) {
	c := git.GitHubConfig{
		Repository: t.Repository, Auth: git.Token{Secret: token}, HTTP: client,
		AuthorName: t.AuthorName, AuthorEmail: t.AuthorEmail, Backoff: p.c.Backoff,
	}
	if t.API != "" {
		var err error
		if c.API, err = url.Parse(t.API); err != nil {
			return nil, err
		}
	}
	if t.App != nil {
		key, err := readSecret(t.App.KeyFile)
		if err != nil {
			return nil, err
		}
		if c.Auth, err = git.NewApp(t.App.ID, t.App.Installation, []byte(key), p.c.Clock); err != nil {
			return nil, err
		}
	}
	return git.NewGitHub(c)
}
