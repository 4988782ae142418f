package observe

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Pages are the pages for operators: /healthz (the process runs), /readyz (it takes
// requests) and, on loopback only, /metrics and /debug/pprof/.
type Pages struct {
	// Metrics are what /metrics shows.
	Metrics *prometheus.Registry
	// Ready returns why no requests are taken, nil if they are. The reason is
	// not shown.
	Ready func(context.Context) error
	// Loopback says that only this machine reaches the listener.
	Loopback bool
	Log      *slog.Logger
}

// Bounds of what one reader may ask.
const (
	maxReaders  = 4
	readyWithin = 2 * time.Second
)

// Handler returns the pages.
func (p Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		if p.Ready(ctx) != nil {
			say(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		say(w, http.StatusOK, "ready")
	})
	if !p.Loopback {
		return mux
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Metrics, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{p.Log},
		// The rest is worth more to an operator the less the store answers.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxReaders,
	}))
	profiles := http.NewServeMux()
	profiles.HandleFunc("GET /debug/pprof/", pprof.Index)
	profiles.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	profiles.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/pprof/", sameSite(profiles))
	return p.Guard(mux)
}

// Guard refuses on loopback what is asked for by another name.
func (p Pages) Guard(next http.Handler) http.Handler {
	if !p.Loopback {
		return next
	}
	return localHost(next)
}

// localHost refuses requests for other names than this machine's own: a page in
// a browser here can have its name resolve to loopback and would read along.
func localHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			say(w, http.StatusMisdirectedRequest, "this listener answers for localhost only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameSite refuses what a page of another site makes a browser ask for: it could
// not read the answer, but a profile costs time.
func sameSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "none", "same-origin":
			next.ServeHTTP(w, r)
		default:
			say(w, http.StatusForbidden, "asked for by another site")
		}
	})
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// A reader that is gone is no fault of ours.
	_, _ = io.WriteString(w, text+"\n")
}

// scrapeLog is told what could not be collected or written. Its text is that of
// several lines and names metrics.
type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) {
	for _, x := range v {
		if err, ok := x.(error); ok {
			l.log.Warn("metrics", "error", err)
		}
	}
}
