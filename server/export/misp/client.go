package misp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Key is an automation key. It prints as three dots.
type Key struct{ secret string }

// NewKey returns a key; white space around it is left out.
func NewKey(s string) Key { return Key{strings.TrimSpace(s)} }

// String implements fmt.Stringer without the key.
func (Key) String() string { return "…" }

// GoString implements fmt.GoStringer without the key.
func (Key) GoString() string { return "misp.Key{…}" }

// LogValue implements slog.LogValuer without the key.
func (Key) LogValue() slog.Value { return slog.StringValue("…") }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret == "" }

// Config is how a server is reached.
type Config struct {
	// URL is where the server is, with https.
	URL *url.URL
	Key Key
	// HTTP sends requests; it must not follow redirects to other hosts. Nil is a
	// client with a time limit of 5 minutes a request.
	HTTP *http.Client
	// Backoff is the first wait before an attempt is repeated; 0 is a second.
	Backoff time.Duration
}

// Bounds of the exchange with a server.
const (
	requestWithin = 5 * time.Minute
	attempts      = 4
	maxRefusal    = 64 << 10
	// maxEvent bounds an event that a server sends, in bytes.
	maxEvent = 1 << 30
)

// Client speaks MISP's REST API. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	key     Key
	http    *http.Client
	backoff time.Duration
}

// NewClient returns a client. It calls nobody.
func NewClient(c Config) (*Client, error) {
	if c.URL == nil || c.URL.Host == "" || (c.URL.Scheme != "https" && c.URL.Scheme != "http") {
		return nil, errors.New("the address of a MISP server is an https URL")
	}
	if c.URL.User != nil || c.URL.RawQuery != "" {
		return nil, errors.New("the address of a MISP server has neither user nor query: the key is a file")
	}
	if c.Key.IsZero() || strings.ContainsAny(c.Key.secret, "\r\n") {
		return nil, errors.New("the key of a MISP server is one line")
	}
	client := http.Client{Timeout: requestWithin}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	// A redirect is an answer here: to the login page.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{c.URL, c.Key, &client, cmp.Or(c.Backoff, time.Second)}, nil
}

// do sends a request and gives the body of a 200 to read. Busy servers are asked
// again a bounded number of times; what is refused is not.
func (c *Client) do(ctx context.Context, method, path string, body any, read func(io.Reader) error) error {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = encode(body); err != nil {
			return err
		}
	}
	wait := c.backoff
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, method, path, payload, read)
		refused, ok := errors.AsType[*Refusal](err)
		again := ok && refused.Reason == ReasonBusy || errors.Is(err, ErrUnreachable)
		if err == nil || !again || attempt == attempts || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		wait *= 2
	}
}

func encode(body any) ([]byte, error) {
	if raw, ok := body.([]byte); ok {
		return raw, nil
	}
	return json.Marshal(body)
}

// ErrUnreachable marks errors of the connection, which may name addresses.
var ErrUnreachable = errors.New("the MISP server could not be reached")

func (c *Client) once(ctx context.Context, method, path string, payload []byte, read func(io.Reader) error) error {
	var body io.Reader
	if payload != nil {
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", c.key.secret)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "elsewhere")
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
		return refusal(res.StatusCode, res.Header.Get("Location"), said, c.key.secret)
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return &Refusal{ReasonLogin, res.StatusCode, "the answer is not JSON"}
	}
	bounded := &io.LimitedReader{R: res.Body, N: maxEvent}
	if read != nil {
		if err := read(bounded); err != nil {
			return err
		}
	}
	// Read to its end, so that the connection can be used again.
	_, err = io.Copy(io.Discard, bounded)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return nil
}

// Account is whose key it is.
type Account struct {
	OrgID      string
	SiteAdmin  bool
	MayAdd     bool
	MayPublish bool
	Version    string // of the server
}

// Account asks whose key it is.
func (c *Client) Account(ctx context.Context) (*Account, error) {
	var me struct {
		User struct {
			OrgID loose `json:"org_id"`
		} `json:"User"`
		Role struct {
			Add       loose `json:"perm_add"`
			Publish   loose `json:"perm_publish"`
			SiteAdmin loose `json:"perm_site_admin"`
		} `json:"Role"`
	}
	if err := c.do(ctx, http.MethodGet, "/users/view/me", nil, decodeInto(&me)); err != nil {
		return nil, err
	}
	var server struct {
		Version string `json:"version"`
	}
	if err := c.do(ctx, http.MethodGet, "/servers/getVersion", nil, decodeInto(&server)); err != nil {
		return nil, err
	}
	return &Account{
		string(me.User.OrgID), me.Role.SiteAdmin.truth(), me.Role.Add.truth(), me.Role.Publish.truth(),
		oneLine(server.Version, 40),
	}, nil
}

// maxSmall bounds answers that are held whole, in bytes.
const maxSmall = 1 << 20

func decodeInto(v any) func(io.Reader) error {
	return func(r io.Reader) error {
		if err := json.NewDecoder(io.LimitReader(r, maxSmall)).Decode(v); err != nil {
			return &Refusal{ReasonOther, http.StatusOK, "the answer cannot be read"}
		}
		return nil
	}
}

// view gives an event to read.
func (c *Client) view(ctx context.Context, uuid string, read func(io.Reader) error) error {
	return c.do(ctx, http.MethodGet, "/events/view/"+uuid, nil, read)
}

func (c *Client) add(ctx context.Context, event []byte) error {
	return c.do(ctx, http.MethodPost, "/events/add", event, nil)
}

func (c *Client) edit(ctx context.Context, uuid string, event []byte) error {
	return c.do(ctx, http.MethodPost, "/events/edit/"+uuid, event, nil)
}

func (c *Client) publish(ctx context.Context, uuid string) error {
	return c.do(ctx, http.MethodPost, "/events/publish/"+uuid, struct{}{}, nil)
}

func (c *Client) removeTag(ctx context.Context, uuid, tag string) error {
	return c.do(ctx, http.MethodPost, "/tags/removeTagFromObject", map[string]string{"uuid": uuid, "tag": tag}, nil)
}
