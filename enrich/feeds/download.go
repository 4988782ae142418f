package feeds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// newClient returns a client that waits for nobody for long.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			IdleConnTimeout:       30 * time.Second,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return errors.New("too many redirects")
			}
			if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errors.New("a redirect from https to http")
			}
			return nil
		},
	}
}

// download fetches a file, unless the publisher says that it is the one in use.
// No error of it shows a query or a user, in which addresses carry their keys.
func (f *Folder) download(ctx context.Context, out *counter, j job, s state) (fetched, error) {
	plain := withoutSecrets(j.from)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, j.from, nil)
	if err != nil {
		return fetched{}, errors.New("not a URL that can be fetched")
	}
	r.Header.Set("User-Agent", "elsewhere")
	if s.Current.From == plain && f.intact(s.Current) {
		if s.ETag != "" {
			r.Header.Set("If-None-Match", s.ETag)
		}
		if s.Modified != "" {
			r.Header.Set("If-Modified-Since", s.Modified)
		}
	}
	answer, err := f.options.Client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return fetched{}, fmt.Errorf("%s: %w", plain, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotModified && len(r.Header.Values("If-None-Match"))+len(r.Header.Values("If-Modified-Since")) > 0:
		return fetched{unchanged: true}, nil
	case answer.StatusCode != http.StatusOK:
		return fetched{}, fmt.Errorf("%s answers %d %s", plain, answer.StatusCode, http.StatusText(answer.StatusCode))
	case answer.ContentLength > out.left:
		return fetched{}, fmt.Errorf("%s: %w", plain, netclass.ErrTooLarge)
	}
	out.total = max(0, answer.ContentLength)
	if _, err := io.Copy(out, answer.Body); err != nil {
		return fetched{}, fmt.Errorf("%s: %w", plain, err)
	}
	got := fetched{from: plain, etag: answer.Header.Get("ETag"), modified: answer.Header.Get("Last-Modified")}
	if t, err := http.ParseTime(got.modified); err == nil {
		got.date = t.UTC().Format(time.DateOnly)
	}
	return got, nil
}

// intact reports whether a file is the one that was let in, so that hearing that
// it is still current is enough.
func (f *Folder) intact(v version) bool { return f.check(v) == nil }

func withoutSecrets(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
