package observe

import (
	"context"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// requestLog adds the id of the request to each record and counts panics.
type requestLog struct {
	slog.Handler
	panics prometheus.Counter
}

// panicPrefix begins the message of every record about a panic that was contained,
// wherever that was: in a request, in the linker, in the writer of the store.
const panicPrefix = "panic"

// NewPanics returns the counter of panics for NewLogHandler.
func NewPanics() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "elsewhere_panics_total",
		Help: "Panics that ended a request or a step in the background, and nothing else.",
	})
}

// NewLogHandler returns a handler that passes records on to next, those of a
// request with the attribute request_id, and counts those of panics.
func NewLogHandler(next slog.Handler, panics prometheus.Counter) slog.Handler {
	return requestLog{next, panics}
}

// Enabled lets errors come in any event, so that panics are counted.
func (h requestLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError || h.Handler.Enabled(ctx, level)
}

func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError && strings.HasPrefix(r.Message, panicPrefix) {
		h.panics.Inc()
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	if id := RequestID(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs), h.panics}
}

func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name), h.panics}
}
