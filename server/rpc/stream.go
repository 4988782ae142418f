package rpc

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Bounds of one SubmitCases stream.
const (
	// maxUnacknowledged cases are taken ahead of their acknowledgements; then
	// nothing more is read until one is sent.
	maxUnacknowledged = 256
	// maxUnacknowledgedBytes bounds the same by size, so that a stream of large
	// cases stays small.
	maxUnacknowledgedBytes = 64 << 20
	// streamWorkers submit side by side, so that cases share a commit: as many as are
	// at the store at a time, less some places for others.
	streamWorkers = 3 * activeSubmits / 4
	// maxBehind cases wait for one worker; then nothing more is read.
	maxBehind = 64
)

// SubmitCases implements elsewherev1.CaseServiceServer. Versions of one case
// that come on one stream are stored in the order they came.
func (s *Service) SubmitCases(stream grpc.BidiStreamingServer[elsewherev1.SubmitCasesRequest, elsewherev1.SubmitCasesResponse]) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	queues := make([]chan *elsewherev1.SubmitCasesRequest, streamWorkers)
	answers := make(chan answer)
	var workers sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan *elsewherev1.SubmitCasesRequest, maxBehind)
		workers.Go(func() {
			for req := range queues[i] {
				select {
				case answers <- answer{s.acknowledge(ctx, req), proto.Size(req)}:
				case <-ctx.Done():
				}
			}
		})
	}
	budget := newBudget(maxUnacknowledged, maxUnacknowledgedBytes)
	received := make(chan error, 1)
	go func() {
		received <- receive(ctx, stream, queues, budget)
		for _, q := range queues {
			close(q)
		}
		workers.Wait()
		close(answers)
	}()
	for a := range answers {
		if err := stream.Send(a.response); err != nil {
			// What waits for the next case ends with the stream, and that with this.
			return toStatus(ctx, s.log, err)
		}
		budget.give(a.bytes)
	}
	return toStatus(ctx, s.log, <-received)
}

// contained is SubmitCase on a goroutine that no interceptor watches over.
func (s *Service) contained(ctx context.Context, req *elsewherev1.SubmitCaseRequest) (res *elsewherev1.SubmitCaseResponse, err error) {
	const method = elsewherev1.CaseService_SubmitCases_FullMethodName
	defer contain(ctx, s.log, method, &err)
	answer, err := s.record.recorded(method, s.log, func(ctx context.Context, _ any) (any, error) {
		return s.SubmitCase(ctx, req)
	})(ctx, req)
	if err != nil {
		return nil, err
	}
	return answer.(*elsewherev1.SubmitCaseResponse), nil
}

type answer struct {
	response *elsewherev1.SubmitCasesResponse
	bytes    int
}

// receive hands each request to the worker of its case until the caller is done.
func receive(ctx context.Context, stream grpc.BidiStreamingServer[elsewherev1.SubmitCasesRequest, elsewherev1.SubmitCasesResponse], queues []chan *elsewherev1.SubmitCasesRequest, b *budget) error {
	seed := maphash.MakeSeed()
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.take(ctx, proto.Size(req)); err != nil {
			return err
		}
		c := req.GetSubmit().GetCase()
		worker := maphash.String(seed, c.GetTenant()+"/"+c.GetId()) % uint64(len(queues))
		queues[worker] <- req
	}
}

func (s *Service) acknowledge(ctx context.Context, req *elsewherev1.SubmitCasesRequest) *elsewherev1.SubmitCasesResponse {
	res := elsewherev1.SubmitCasesResponse_builder{Index: req.GetIndex()}
	submit := req.GetSubmit()
	if submit == nil {
		submit = &elsewherev1.SubmitCaseRequest{}
	}
	result, err := s.contained(ctx, submit)
	res.Status = status.Convert(err).Proto()
	if err == nil {
		res.Status = status.New(0, "").Proto()
		res.Result = result
	}
	return res.Build()
}

// budget counts what is under way, in cases and bytes. One case always fits.
type budget struct {
	mu           sync.Mutex
	cases, bytes int
	maxCases     int
	maxBytes     int
	freed        chan struct{}
}

func newBudget(cases, bytes int) *budget {
	return &budget{maxCases: cases, maxBytes: bytes, freed: make(chan struct{}, 1)}
}

func (b *budget) take(ctx context.Context, bytes int) error {
	for {
		b.mu.Lock()
		if b.cases == 0 || b.cases < b.maxCases && b.bytes+bytes <= b.maxBytes {
			b.cases++
			b.bytes += bytes
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		select {
		case <-b.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) give(bytes int) {
	b.mu.Lock()
	b.cases--
	b.bytes -= bytes
	b.mu.Unlock()
	select {
	case b.freed <- struct{}{}:
	default:
	}
}
