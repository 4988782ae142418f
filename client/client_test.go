package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// fake answers with the functions that a test sets.
type fake struct {
	elsewherev1.UnimplementedCaseServiceServer
	elsewherev1.UnimplementedCorrelationServiceServer
	elsewherev1.UnimplementedEnrichmentServiceServer
	submit    func(context.Context, *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error)
	submits   func(elsewherev1.CaseService_SubmitCasesServer) error
	get       func(context.Context, *elsewherev1.GetCaseRequest) (*elsewherev1.GetCaseResponse, error)
	seen      func(context.Context, *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error)
	listLinks func(context.Context, *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error)
	enrich    func(*elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error)
	feeds     func() (*elsewherev1.ListFeedsResponse, error)
}

func (s *fake) SubmitCase(ctx context.Context, r *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
	return s.submit(ctx, r)
}

func (s *fake) SubmitCases(st elsewherev1.CaseService_SubmitCasesServer) error {
	return s.submits(st)
}

func (s *fake) GetCase(ctx context.Context, r *elsewherev1.GetCaseRequest) (*elsewherev1.GetCaseResponse, error) {
	return s.get(ctx, r)
}

func (s *fake) Seen(ctx context.Context, r *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
	return s.seen(ctx, r)
}

func (s *fake) ListLinks(ctx context.Context, r *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
	return s.listLinks(ctx, r)
}

func (s *fake) Enrich(_ context.Context, r *elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
	return s.enrich(r)
}

func (s *fake) ListFeeds(context.Context, *elsewherev1.ListFeedsRequest) (*elsewherev1.ListFeedsResponse, error) {
	return s.feeds()
}

// dial starts s in memory and connects to it.
func dial(t *testing.T, s *fake, opts ...client.Option) *client.Client {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(32<<20), grpc.MaxSendMsgSize(32<<20))
	elsewherev1.RegisterCaseServiceServer(g, s)
	elsewherev1.RegisterCorrelationServiceServer(g, s)
	elsewherev1.RegisterEnrichmentServiceServer(g, s)
	go g.Serve(lis)
	t.Cleanup(g.Stop)
	opts = append(opts, client.WithDialOptions(
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return lis.Dial() }),
	))
	c, err := client.Dial("passthrough:///memory", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// invalidStatus is a rejection as the server writes it.
func invalidStatus(t *testing.T, total string, paths ...string) *status.Status {
	t.Helper()
	bad := &errdetails.BadRequest{}
	for _, p := range paths {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: p, Reason: "KIND_UNKNOWN", Description: "no such kind",
		})
	}
	st, err := status.New(codes.InvalidArgument, "case not stored").WithDetails(bad,
		&errdetails.ErrorInfo{Reason: "INVALID_CASE", Metadata: map[string]string{"violations_total": total}})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestSubmitErrors(t *testing.T) {
	t.Run("violations", func(t *testing.T) {
		st := invalidStatus(t, "250", "findings[3].observables[17].kind", "id")
		c := dial(t, &fake{submit: func(context.Context, *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
			return nil, st.Err()
		}})
		_, err := c.Submit(t.Context(), &elsewherev1.SubmitCaseRequest{})
		inv, ok := errors.AsType[*client.InvalidError](err)
		if !ok {
			t.Fatalf("got %T (%v), want an InvalidError", err, err)
		}
		want := []client.Violation{
			{Path: "findings[3].observables[17].kind", Reason: "KIND_UNKNOWN", Message: "no such kind"},
			{Path: "id", Reason: "KIND_UNKNOWN", Message: "no such kind"},
		}
		if d := cmp.Diff(want, inv.Violations); d != "" {
			t.Error(d)
		}
		if inv.Total != 250 {
			t.Errorf("total %d, want 250", inv.Total)
		}
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("code %v", status.Code(err))
		}
		if want := "findings[3].observables[17].kind: no such kind (KIND_UNKNOWN); and 249 more"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
	for code, want := range map[codes.Code]error{
		codes.NotFound:         client.ErrNotFound,
		codes.Aborted:          client.ErrRevision,
		codes.Unavailable:      client.ErrUnavailable,
		codes.Unimplemented:    errors.ErrUnsupported,
		codes.DeadlineExceeded: context.DeadlineExceeded,
		codes.Canceled:         context.Canceled,
	} {
		t.Run(code.String(), func(t *testing.T) {
			c := dial(t, &fake{submit: func(context.Context, *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
				return nil, status.Error(code, "because")
			}})
			_, err := c.Submit(t.Context(), &elsewherev1.SubmitCaseRequest{})
			if !errors.Is(err, want) || status.Code(err) != code || err.Error() != "because" {
				t.Errorf("got %v (%v)", err, status.Code(err))
			}
		})
	}
}

func TestDeadlineWithoutOne(t *testing.T) {
	c := dial(t, &fake{submit: func(ctx context.Context, _ *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, client.WithTimeout(10*time.Millisecond))
	_, err := c.Submit(t.Context(), &elsewherev1.SubmitCaseRequest{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a passed deadline", err)
	}
}

func TestUpdate(t *testing.T) {
	// The first two submits lose the race.
	var revision uint32 = 7
	var submitted []string
	s := &fake{
		get: func(context.Context, *elsewherev1.GetCaseRequest) (*elsewherev1.GetCaseResponse, error) {
			return elsewherev1.GetCaseResponse_builder{
				Case: elsewherev1.Case_builder{Tenant: "a", Id: "1", Title: "t", Revision: revision}.Build(),
			}.Build(), nil
		},
		submit: func(_ context.Context, r *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
			submitted = append(submitted, fmt.Sprint(r.GetCase().GetTitle(), r.GetExpectedRevision()))
			if revision < 9 {
				revision++
				return nil, status.Error(codes.Aborted, "late")
			}
			return elsewherev1.SubmitCaseResponse_builder{Revision: revision + 1}.Build(), nil
		},
	}
	c := dial(t, s)
	add := func(x *elsewherev1.Case) error { x.SetTitle(x.GetTitle() + "!"); return nil }
	resp, err := c.Update(t.Context(), "a/1", add)
	if err != nil || resp.GetRevision() != 10 {
		t.Fatalf("got %v, %v", resp, err)
	}
	if d := cmp.Diff([]string{"t!7", "t!8", "t!9"}, submitted); d != "" {
		t.Error(d)
	}

	stop := errors.New("no")
	if _, err := c.Update(t.Context(), "a/1", func(*elsewherev1.Case) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of the change", err)
	}

	tries := 0
	s.submit = func(context.Context, *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
		tries++
		return nil, status.Error(codes.Aborted, "late")
	}
	if _, err := c.Update(t.Context(), "a/1", add); !errors.Is(err, client.ErrRevision) {
		t.Errorf("got %v, want a lost race", err)
	}
	if tries != 8 {
		t.Errorf("%d attempts, want 8", tries)
	}
}

func TestSeenSplits(t *testing.T) {
	var calls []int
	c := dial(t, &fake{seen: func(_ context.Context, r *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
		calls = append(calls, len(r.GetObservables()))
		var out []*elsewherev1.SeenResult
		for _, o := range r.GetObservables() {
			out = append(out, elsewherev1.SeenResult_builder{Observable: o}.Build())
		}
		return elsewherev1.SeenResponse_builder{Results: out}.Build(), nil
	}})
	ask := func(n, size int) {
		t.Helper()
		var values []*elsewherev1.Observable
		for i := range n {
			v := fmt.Sprintf("%d-%s", i, strings.Repeat("x", size))
			values = append(values, elsewherev1.Observable_builder{Value: v}.Build())
		}
		resp, err := c.Seen(t.Context(), values)
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetResults()) != n {
			t.Fatalf("%d results for %d values", len(resp.GetResults()), n)
		}
		for i, r := range resp.GetResults() {
			if !proto.Equal(r.GetObservable(), values[i]) {
				t.Fatalf("result %d is not that of value %d", i, i)
			}
		}
	}
	ask(10_001, 0)
	if len(calls) < 2 || slices.Max(calls) > 10_000 {
		t.Errorf("calls of %v values", calls)
	}
	calls = nil
	ask(4000, 8<<10)
	if len(calls) < 2 {
		t.Errorf("32 MiB of values went into calls of %v", calls)
	}
	calls = nil
	ask(0, 0)
	if len(calls) != 0 {
		t.Error("a call for no value")
	}
}

func TestLinksFollowPages(t *testing.T) {
	var tokens []string
	s := &fake{}
	s.listLinks = func(_ context.Context, r *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
		tokens = append(tokens, r.GetTenant()+"@"+r.GetPageToken())
		next := map[string]string{"": "p2", "p2": "p3"}[r.GetPageToken()]
		return elsewherev1.ListLinksResponse_builder{
			Links:         []*elsewherev1.Link{elsewherev1.Link_builder{Ref: "of " + r.GetPageToken()}.Build()},
			NextPageToken: next,
		}.Build(), nil
	}
	c := dial(t, s)
	req := elsewherev1.ListLinksRequest_builder{Tenant: proto.String("t")}.Build()
	var refs []string
	for l, err := range c.Links(t.Context(), req) {
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, l.GetRef())
	}
	if d := cmp.Diff([]string{"of ", "of p2", "of p3"}, refs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"t@", "t@p2", "t@p3"}, tokens); d != "" {
		t.Error(d)
	}
	if req.GetPageToken() != "" {
		t.Error("the caller's request was changed")
	}

	for range c.Links(t.Context(), req) {
		break
	}
	if len(tokens) != 4 {
		t.Errorf("%d pages were read for one link", len(tokens)-3)
	}

	s.listLinks = func(context.Context, *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
		return elsewherev1.ListLinksResponse_builder{NextPageToken: "again"}.Build(), nil
	}
	var last error
	for _, err := range c.Links(t.Context(), req) {
		last = err
	}
	if last == nil {
		t.Error("a list that never ends ended without an error")
	}
}

// acknowledge answers each case of a stream at once; a case with the title
// "bad" is rejected.
func acknowledge(t *testing.T) func(elsewherev1.CaseService_SubmitCasesServer) error {
	rejected := invalidStatus(t, "1", "title").Proto()
	return func(st elsewherev1.CaseService_SubmitCasesServer) error {
		for {
			r, err := st.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			resp := elsewherev1.SubmitCasesResponse_builder{
				Index:  r.GetIndex(),
				Result: elsewherev1.SubmitCaseResponse_builder{CaseRef: "a/" + r.GetSubmit().GetCase().GetId()}.Build(),
			}.Build()
			if r.GetSubmit().GetCase().GetTitle() == "bad" {
				resp.SetStatus(rejected)
				resp.ClearResult()
			}
			if err := st.Send(resp); err != nil {
				return err
			}
		}
	}
}

func request(id, title string) *elsewherev1.SubmitCaseRequest {
	return elsewherev1.SubmitCaseRequest_builder{
		Case: elsewherev1.Case_builder{Tenant: "a", Id: id, Title: title}.Build(),
	}.Build()
}

func TestSubmitAllGoesOn(t *testing.T) {
	c := dial(t, &fake{submits: acknowledge(t)})
	unreadable := errors.New("line 3 is cut off")
	in := func(yield func(*elsewherev1.SubmitCaseRequest, error) bool) {
		_ = yield(request("1", ""), nil) &&
			yield(request("2", "bad"), nil) &&
			yield(nil, unreadable) &&
			yield(request("4", "not \xff text"), nil) &&
			yield(request("5", strings.Repeat("x", 33<<20)), nil) &&
			yield(request("6", ""), nil)
	}
	got := map[uint64]string{}
	for ack, err := range c.SubmitAll(t.Context(), in) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ack.Err == nil:
			got[ack.Index] = ack.Result.GetCaseRef()
		case errors.Is(ack.Err, unreadable):
			got[ack.Index] = "unreadable"
		default:
			got[ack.Index] = "error"
			if inv, ok := errors.AsType[*client.InvalidError](ack.Err); ok {
				got[ack.Index] = inv.Violations[0].Path
			}
		}
	}
	want := map[uint64]string{0: "a/1", 1: "title", 2: "unreadable", 3: "error", 4: "error", 5: "a/6"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// numbered yields n requests and counts them.
func numbered(n int, given *atomic.Int64) iter.Seq2[*elsewherev1.SubmitCaseRequest, error] {
	return func(yield func(*elsewherev1.SubmitCaseRequest, error) bool) {
		for i := range n {
			given.Add(1)
			if !yield(request(fmt.Sprint(i), ""), nil) {
				return
			}
		}
	}
}

func TestSubmitAllWindow(t *testing.T) {
	// The server reads ahead as far as it is let, then acknowledges the last
	// first.
	const total = 1000
	var most atomic.Int64
	c := dial(t, &fake{submits: func(st elsewherev1.CaseService_SubmitCasesServer) error {
		var waiting []uint64
		reqs := make(chan uint64)
		go func() {
			defer close(reqs)
			for {
				r, err := st.Recv()
				if err != nil {
					return
				}
				reqs <- r.GetIndex()
			}
		}()
		answer := func() error {
			i := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			return st.Send(elsewherev1.SubmitCasesResponse_builder{Index: i}.Build())
		}
		for i := range reqs {
			waiting = append(waiting, i)
			most.Store(max(most.Load(), int64(len(waiting))))
			if len(waiting) == 256 {
				if err := answer(); err != nil {
					return err
				}
			}
		}
		for len(waiting) > 0 {
			if err := answer(); err != nil {
				return err
			}
		}
		return nil
	}})
	var given atomic.Int64
	seen := map[uint64]bool{}
	for ack, err := range c.SubmitAll(t.Context(), numbered(total, &given)) {
		if err != nil {
			t.Fatal(err)
		}
		seen[ack.Index] = true
	}
	if len(seen) != total {
		t.Errorf("%d of %d acknowledged", len(seen), total)
	}
	if most.Load() > 256 {
		t.Errorf("%d cases without an acknowledgement", most.Load())
	}
}

func TestSubmitAllBrokenStream(t *testing.T) {
	for name, end := range map[string]error{"error": status.Error(codes.Unavailable, "gone"), "end": nil} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, &fake{submits: func(st elsewherev1.CaseService_SubmitCasesServer) error {
				for i := range 5 {
					if _, err := st.Recv(); err != nil {
						return err
					}
					if err := st.Send(elsewherev1.SubmitCasesResponse_builder{Index: uint64(i)}.Build()); err != nil {
						return err
					}
				}
				return end
			}})
			var given atomic.Int64
			acks := 0
			var last error
			for ack, err := range c.SubmitAll(t.Context(), numbered(1_000_000, &given)) {
				if last != nil {
					t.Fatal("an element after the error")
				}
				if last = err; err == nil && ack.Err == nil {
					acks++
				}
			}
			if last == nil {
				t.Error("a broken stream is not an error")
			}
			if end != nil && !errors.Is(last, client.ErrUnavailable) {
				t.Errorf("got %v", last)
			}
			if acks > 5 || given.Load() == 1_000_000 {
				t.Errorf("%d acknowledged, %d read", acks, given.Load())
			}
		})
	}
}

func TestSubmitAllLeft(t *testing.T) {
	c := dial(t, &fake{submits: acknowledge(t)})
	var given atomic.Int64
	ended := false
	in := func(yield func(*elsewherev1.SubmitCaseRequest, error) bool) {
		numbered(1_000_000, &given)(yield)
		ended = true // read without a lock: the input ends before the loop does
	}
	for _, err := range c.SubmitAll(t.Context(), in) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if !ended || given.Load() == 1_000_000 {
		t.Errorf("input ended: %v, after %d cases", ended, given.Load())
	}
}

func TestSubmitAllCancelled(t *testing.T) {
	c := dial(t, &fake{submits: acknowledge(t)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var given atomic.Int64
	var last error
	for _, err := range c.SubmitAll(ctx, numbered(1_000_000, &given)) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("got %v, want the context's error", last)
	}
	var none atomic.Int64
	last = nil
	for _, err := range c.SubmitAll(ctx, numbered(3, &none)) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("got %v, want the context's error", last)
	}
}

func TestSubmitAllNothing(t *testing.T) {
	c := dial(t, &fake{submits: func(elsewherev1.CaseService_SubmitCasesServer) error {
		return status.Error(codes.Internal, "a stream for nothing")
	}})
	var given atomic.Int64
	for ack, err := range c.SubmitAll(t.Context(), numbered(0, &given)) {
		t.Errorf("got %v, %v for no input", ack, err)
	}
}

func TestDialAddress(t *testing.T) {
	if _, err := client.Dial("\x00"); err == nil {
		t.Error("an address with a NUL was taken")
	}
}
