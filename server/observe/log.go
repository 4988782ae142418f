package observe

import (
	"context"
	"log/slog"
)

// requestLog adds the id of the request to each record.
type requestLog struct{ slog.Handler }

// NewLogHandler returns a handler that passes records on to next, those of a
// request with the attribute request_id.
func NewLogHandler(next slog.Handler) slog.Handler { return requestLog{next} }

func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs)}
}

func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name)}
}
