package git

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// App is a GitHub app that is installed where the repository is. Its tokens are
// good for an hour and for what the installation permits. It is safe for
// concurrent use.
type App struct {
	id           string
	installation int64
	key          *rsa.PrivateKey
	clock        func() time.Time

	mu    sync.Mutex
	token Secret
	until time.Time
}

// NewApp returns an app; key is its private key in PEM. The clock is time.Now when
// nil.
func NewApp(id string, installation int64, key []byte, clock func() time.Time) (*App, error) {
	wrong := errors.New("the key of a GitHub app is an RSA key in PEM")
	block, _ := pem.Decode(key)
	if block == nil || id == "" || installation <= 0 {
		return nil, wrong
	}
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		var ok bool
		if private, ok = parsed.(*rsa.PrivateKey); err != nil || !ok {
			return nil, wrong
		}
	}
	if clock == nil {
		clock = time.Now
	}
	return &App{id: id, installation: installation, key: private, clock: clock}, nil
}

// Token implements GitHubAuth.
func (a *App) Token(ctx context.Context, g *GitHub) (Secret, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock()
	if now.Before(a.until.Add(-5 * time.Minute)) {
		return a.token, nil
	}
	claim, err := a.claim(now)
	if err != nil {
		return Secret{}, err
	}
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	path := fmt.Sprintf("/app/installations/%d/access_tokens", a.installation)
	if err := g.send(ctx, http.MethodPost, path, claim, struct{}{}, &answer); err != nil {
		return Secret{}, err
	}
	a.token, a.until = NewSecret(answer.Token), answer.ExpiresAt
	return a.token, nil
}

// claim is a JSON web token (RS256) that says that we are the app; GitHub takes
// those of at most ten minutes.
func (a *App) claim(now time.Time) (Secret, error) {
	claims, err := json.Marshal(map[string]string{"iss": a.id})
	if err != nil {
		return Secret{}, err
	}
	// A minute back, as clocks differ.
	body := string(claims[:len(claims)-1]) + `,"iat":` + strconv.FormatInt(now.Add(-time.Minute).Unix(), 10) +
		`,"exp":` + strconv.FormatInt(now.Add(8*time.Minute).Unix(), 10) + "}"
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(body))
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(signed + "." + encode(signature)), nil
}
