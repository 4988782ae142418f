package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// How long Watch waits before it connects again: a random part of a time that
// doubles with each failure.
const (
	firstWatchRetry = 500 * time.Millisecond
	lastWatchRetry  = 30 * time.Second
)

// Watch yields how links change, and checkpoints, until ctx ends. Where the
// connection breaks, or the caller was too slow, it goes on from the last cursor by
// itself: nothing is missing then, and what comes twice has the same event id. broken,
// which may be nil, is told of each such break. Before the first message a server that
// does not answer is an error. ErrTooOld means that events since the start are no
// longer kept. An error is the last element.
func (c *Client) Watch(ctx context.Context, req *elsewherev1.WatchLinksRequest, broken func(error)) iter.Seq2[*elsewherev1.WatchLinksResponse, error] {
	return func(yield func(*elsewherev1.WatchLinksResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		at := proto.CloneOf(req)
		began := false
		for wait := firstWatchRetry; ; wait = min(2*wait, lastWatchRetry) {
			left := false
			err := c.watchOnce(ctx, at, func(m *elsewherev1.WatchLinksResponse) bool {
				began, wait = true, firstWatchRetry
				left = !yield(m, nil)
				return !left
			})
			if left {
				return
			}
			if ctx.Err() != nil && errors.Is(err, io.EOF) {
				// The server knows the time as well, and ends a stream without an error
				// when it is over.
				err = ctx.Err()
			}
			if ctx.Err() != nil || !began || !goesOn(err) {
				yield(nil, fromStatus(err))
				return
			}
			if broken != nil {
				broken(fromStatus(err))
			}
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case <-time.After(time.Duration((.5 + rand.Float64()/2) * float64(wait))):
			}
		}
	}
}

// watchOnce reads one stream, whose cursors it notes in req, and returns why it ended.
func (c *Client) watchOnce(ctx context.Context, req *elsewherev1.WatchLinksRequest, take func(*elsewherev1.WatchLinksResponse) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.correlate.WatchLinks(ctx, proto.CloneOf(req))
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if !take(m) {
			return nil
		}
		// Noted only now: who breaks off before has not had it.
		switch {
		case m.HasEvent():
			req.SetCursor(m.GetEvent().GetCursor())
		case m.HasCheckpoint():
			req.SetCursor(m.GetCheckpoint().GetCursor())
		}
	}
}

// goesOn reports whether a stream that ended so is opened again. The cursor of the
// last message that the caller took is as good as the one that the server names to
// who was too slow.
func goesOn(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.ResourceExhausted || errors.Is(err, io.EOF)
}
