package server_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// browser asks as the page does: with its header and the cookies it was given.
type browser struct {
	at     string
	client *http.Client
	cookie *http.Cookie
}

// ask returns the status and the body; headers are "Name: value".
func (b *browser) ask(t *testing.T, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.at+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Elsewhere-Page", "1")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	res, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		b.cookie = c
	}
	return res.StatusCode, string(text)
}

// TestWebSessions signs browsers in on loopback and, by TLS, beyond: a cookie stands for
// the key, of which the browser is told nothing, and ends with it.
func TestWebSessions(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "tls", 1)
	for name, c := range map[string]server.Config{
		"elsewhere": {HTTPAddr: "127.0.0.1:0"},
		"__Host-elsewhere": {GRPCAddr: "0.0.0.0:0", HTTPAddr: "0.0.0.0:0", Access: server.Access{
			TLS: server.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			secure := c.HTTPAddr != "127.0.0.1:0"
			c.Memory, c.WebSessions = true, true
			g := guard(t, c)
			g.tenant(t, elsewherev1.Tenant_builder{Id: "alder"}.Build())
			made, secret := g.make(t, elsewherev1.Key_builder{Role: lead, Tenants: []string{"alder"}}.Build())
			_, port, err := net.SplitHostPort(g.http)
			if err != nil {
				t.Fatal(err)
			}
			b := &browser{at: "http://127.0.0.1:" + port, client: &http.Client{Transport: &http.Transport{
				ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			}}}
			defer b.client.CloseIdleConnections()
			if secure {
				b.at = "https://127.0.0.1:" + port
			}
			if code, body := b.ask(t, "GET", "/web/session", ""); code != 200 || !strings.Contains(body, `"sessions":true`) {
				t.Errorf("sessions are offered: %d %s", code, body)
			}
			if code, _ := b.ask(t, "POST", "/web/session", ""); code != 401 || b.cookie != nil {
				t.Errorf("without a key: %d %v", code, b.cookie)
			}
			if code, body := b.ask(t, "POST", "/web/session", "", "Authorization: Bearer els_aaaaaaaaaaaa_"+strings.Repeat("a", 52)); code != 401 || !strings.Contains(body, "UNAUTHENTICATED") && !strings.Contains(body, "KEY") {
				t.Errorf("with a key that is not taken: %d %s", code, body)
			}
			code, body := b.ask(t, "POST", "/web/session", "", "Authorization: Bearer "+secret)
			if code != 204 || body != "" || b.cookie == nil || b.cookie.Name != name || b.cookie.Secure != secure || !b.cookie.HttpOnly {
				t.Fatalf("signing in: %d %q %v", code, body, b.cookie)
			}
			if code, body := b.ask(t, "GET", "/v1/whoami", ""); code != 200 || !strings.Contains(body, made.key.GetId()) || strings.Contains(body, secret) {
				t.Errorf("who asks: %d %s", code, body)
			}
			if code, body := b.ask(t, "POST", "/v1/cases", `{"case":{"tenant":"alder","id":"1","state":"CASE_STATE_OPEN"}}`, "Origin: "+b.at, "Sec-Fetch-Site: same-origin"); code != 201 {
				t.Errorf("a submit: %d %s", code, body)
			}
			if code, body := b.ask(t, "GET", "/v1/keys", ""); code != 403 {
				t.Errorf("what the key may not do: %d %s", code, body)
			}
			for what, headers := range map[string][]string{
				"without the page's header": {"X-Elsewhere-Page: "},
				"from another site":         {"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
				"from another port":         {"Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site"},
			} {
				if code, body := b.ask(t, "DELETE", "/v1/cases/alder/1", "", headers...); code != 401 && code != 403 {
					t.Errorf("%s: %d %s", what, code, body)
				}
			}
			if code, body := b.ask(t, "GET", "/v1/cases/alder/1", ""); code != 200 {
				t.Errorf("the case is gone: %d %s", code, body)
			}
			if _, err := g.admin.RevokeKey(t.Context(), elsewherev1.RevokeKeyRequest_builder{Key: made.key.GetId()}.Build()); err != nil {
				t.Fatal(err)
			}
			if code, body := b.ask(t, "GET", "/v1/whoami", ""); code != 401 {
				t.Errorf("after the key was revoked: %d %s", code, body)
			}
		})
	}
}
