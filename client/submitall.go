package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// maxUnacknowledged is how many cases the server takes ahead of their
// acknowledgements.
const maxUnacknowledged = 256

// Ack is what became of one case of SubmitAll.
type Ack struct {
	// Index is the position of the case in the input, from 0.
	Index uint64
	// Result is set when the case is durable, or was only to be validated.
	Result *elsewherev1.SubmitCaseResponse
	// Err is set when it was not stored: what the server found wrong (as
	// Client.Submit returns it), or the error that the input gave in its place.
	Err error
}

// SubmitAll stores the cases of an iterator over one stream and yields an Ack
// for each, in the order in which they come back. At most 256 cases are under
// way. A case that is rejected, or an error among the input, becomes an Ack with
// Err set, and the next case follows.
//
// A broken stream is an error and the last element; cases without an Ack may or
// may not be stored, and submitting them again is harmless.
//
// in is read by another goroutine. It is asked to stop when the loop over the
// result is left, and the loop ends only after it has stopped.
func (c *Client) SubmitAll(ctx context.Context, in iter.Seq2[*elsewherev1.SubmitCaseRequest, error]) iter.Seq2[*Ack, error] {
	return func(yield func(*Ack, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s := &submission{
			cases:  c.cases,
			window: make(chan struct{}, maxUnacknowledged),
			events: make(chan event),
			sent:   make(map[uint64]struct{}),
		}
		s.running.Go(func() { s.send(ctx, in) })
		go func() {
			s.running.Wait()
			// Where there was an error before, this one goes unheard.
			if n := len(s.sent); n > 0 {
				s.events <- event{err: fmt.Errorf("server ended the stream before it acknowledged %d cases", n)}
			}
			close(s.events)
		}()
		stopped := false
		for e := range s.events {
			if stopped {
				continue
			}
			if !yield(e.ack, e.err) || e.err != nil {
				stopped = true
				cancel()
			}
		}
	}
}

// event is an Ack for the caller or the error that ends the submission.
type event struct {
	ack *Ack
	err error
}

// submission is one run of SubmitAll: a goroutine that sends and, once there is
// a stream, one that receives. Both hand over events until they end; nobody
// stops listening before.
type submission struct {
	cases   elsewherev1.CaseServiceClient
	stream  elsewherev1.CaseService_SubmitCasesClient
	window  chan struct{} // a token for every case without an acknowledgement
	events  chan event
	running sync.WaitGroup

	mu   sync.Mutex
	sent map[uint64]struct{} // without an acknowledgement
}

// send passes the input on until it ends, the stream breaks or ctx ends.
func (s *submission) send(ctx context.Context, in iter.Seq2[*elsewherev1.SubmitCaseRequest, error]) {
	var index uint64
	for req, err := range in {
		if err == nil {
			err = sendable(req)
		}
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			s.events <- event{ack: &Ack{Index: index, Err: err}}
			index++
			continue
		}
		if !s.sendOne(ctx, index, req) {
			return
		}
		index++
	}
	switch {
	case s.stream != nil:
		// An error of the stream is what the receiver gets.
		_ = s.stream.CloseSend()
	case ctx.Err() != nil:
		s.events <- event{err: ctx.Err()}
	}
}

// sendOne reports whether to go on.
func (s *submission) sendOne(ctx context.Context, index uint64, req *elsewherev1.SubmitCaseRequest) bool {
	if s.stream == nil {
		stream, err := s.cases.SubmitCases(ctx)
		if err != nil {
			s.events <- event{err: fromStatus(err)}
			return false
		}
		s.stream = stream
		s.running.Go(s.receive)
	}
	s.mu.Lock()
	s.sent[index] = struct{}{}
	s.mu.Unlock()
	select {
	case s.window <- struct{}{}:
	case <-s.stream.Context().Done():
		return false
	}
	// Where this fails the receiver learns why; and the case is missing.
	return s.stream.Send(elsewherev1.SubmitCasesRequest_builder{Index: index, Submit: req}.Build()) == nil
}

// receive hands over acknowledgements until the stream ends.
func (s *submission) receive() {
	for {
		resp, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			s.events <- event{err: fromStatus(err)}
			return
		}
		s.mu.Lock()
		_, known := s.sent[resp.GetIndex()]
		delete(s.sent, resp.GetIndex())
		s.mu.Unlock()
		if !known {
			s.events <- event{err: fmt.Errorf("server acknowledged case %d, which it was not sent", resp.GetIndex())}
			return
		}
		<-s.window
		ack := &Ack{Index: resp.GetIndex(), Err: fromStatus(status.ErrorProto(resp.GetStatus()))}
		if ack.Err == nil {
			ack.Result = resp.GetResult()
		}
		s.events <- event{ack: ack}
	}
}

// sendable finds what would break the stream for all other cases.
func sendable(req *elsewherev1.SubmitCaseRequest) error {
	b, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	// Room for the index and the tags around the request.
	if limit := maxMessage - 64; len(b) > limit {
		return fmt.Errorf("case of %d bytes is larger than a message of %d", len(b), limit)
	}
	return nil
}
