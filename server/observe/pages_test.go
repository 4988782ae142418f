package observe_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// TestReadyUntilItStops: a service that drains is not ready, but healthy.
func TestReadyUntilItStops(t *testing.T) {
	d := start(t, server.Config{})
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := d.get(t, path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	stream, err := d.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.metrics(t, `elsewhere_grpc_requests_in_flight{method="/elsewhere.v1.CaseService/SubmitCases"} 1`)
	d.cancel()
	d.until(t, "/readyz", func(code int, _ string) bool { return code == http.StatusServiceUnavailable })
	if code, body := d.get(t, "/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d %s", code, body)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("the stream under way: %v", err)
	}
	d.stop(t)
	if conn, err := net.Dial("tcp", d.http); err == nil {
		conn.Close()
		t.Error("still listens")
	}
}

// TestStopEndsProfiles: a profile of a minute does not hold up a stop.
func TestStopEndsProfiles(t *testing.T) {
	d := start(t, server.Config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err := http.Get("http://" + d.http + "/debug/pprof/profile?seconds=50")
		if err == nil {
			res.Body.Close()
		}
	}()
	d.until(t, "/debug/pprof/goroutine?debug=1", func(_ int, body string) bool { return strings.Contains(body, "pprof.Profile") })
	began := time.Now()
	d.stop(t)
	<-done
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("stopped after %s", took)
	}
}

func TestNoListenerUnlessAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.HTTPAddr(); got != "" {
		t.Errorf("listens on %s", got)
	}
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
}

func TestRefusedAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "example.com:0", "127.0.0.1", taken.Addr().String()} {
		dir := t.TempDir()
		if _, err := server.Open(t.Context(), server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0", HTTPAddr: addr}); err == nil {
			t.Errorf("listens on %s", addr)
		}
		// What was opened before is closed again.
		ctx, cancel := context.WithCancel(t.Context())
		s, err := server.Open(ctx, server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"})
		if err != nil {
			t.Fatalf("after %s: %v", addr, err)
		}
		cancel()
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestBrowsersAreKeptOut: a page of another site must not read along by letting
// its name resolve to loopback, nor start profiles.
func TestBrowsersAreKeptOut(t *testing.T) {
	d := start(t, server.Config{})
	_, port, err := net.SplitHostPort(d.http)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, host, site string
		want             int
	}{
		{"/metrics", "127.0.0.1:" + port, "", http.StatusOK},
		{"/metrics", "localhost:" + port, "", http.StatusOK},
		{"/metrics", "localhost", "", http.StatusOK},
		{"/metrics", "[::1]", "", http.StatusOK},
		{"/metrics", "[::1]:" + port, "", http.StatusOK},
		{"/metrics", "evil.example:" + port, "", http.StatusMisdirectedRequest},
		{"/healthz", "localhost.evil.example", "", http.StatusMisdirectedRequest},
		{"/readyz", "192.0.2.1", "", http.StatusMisdirectedRequest},
		{"/debug/pprof/cmdline", "127.0.0.1", "", http.StatusOK},
		{"/debug/pprof/cmdline", "127.0.0.1", "same-origin", http.StatusOK},
		{"/debug/pprof/cmdline", "127.0.0.1", "none", http.StatusOK},
		{"/debug/pprof/cmdline", "127.0.0.1", "cross-site", http.StatusForbidden},
		{"/debug/pprof/cmdline", "127.0.0.1", "same-site", http.StatusForbidden},
		{"/debug/pprof/cmdline", "evil.example", "", http.StatusMisdirectedRequest},
		{"/", "127.0.0.1", "", http.StatusOK},
		{"/", "evil.example", "", http.StatusMisdirectedRequest},
		{"/none", "127.0.0.1", "", http.StatusNotFound},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.http+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		if c.site != "" {
			req.Header.Set("Sec-Fetch-Site", c.site)
		}
		if code, body := do(t, req); code != c.want {
			t.Errorf("%s for %s from %q: %d %s", c.path, c.host, c.site, code, body)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	d := start(t, server.Config{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.http+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Long", strings.Repeat("x", 64<<10))
	if code, _ := do(t, req); code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answers %d", code)
	}
}

// TestProfilesOnLoopbackOnly: where others reach the listener there are neither
// metrics nor profiles, and it has whatever name they know it by.
func TestProfilesOnLoopbackOnly(t *testing.T) {
	for _, loopback := range []bool{true, false} {
		pages := observe.Pages{
			Metrics: prometheus.NewRegistry(), Loopback: loopback, Log: slog.New(slog.DiscardHandler),
			Ready: func(context.Context) error { return fmt.Errorf("not yet") },
		}.Handler()
		ask := func(host, path string) int {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
			req.Host = host
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, req)
			return w.Code
		}
		want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[loopback]
		for _, path := range []string{"", "cmdline", "heap", "goroutine", "symbol"} {
			if got := ask("localhost", "/debug/pprof/"+path); got != want {
				t.Errorf("loopback %t: /debug/pprof/%s: %d", loopback, path, got)
			}
		}
		if got := ask("localhost", "/metrics"); got != want {
			t.Errorf("loopback %t: metrics: %d", loopback, got)
		}
		if got := ask("localhost", "/readyz"); got != http.StatusServiceUnavailable {
			t.Errorf("loopback %t: readyz of what is not ready: %d", loopback, got)
		}
		if got := ask("elsewhere.example", "/healthz"); (got == http.StatusOK) == loopback {
			t.Errorf("loopback %t: another name: %d", loopback, got)
		}
	}
}
