package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// fake is a server that answers what the real one does only in trouble.
type fake struct {
	elsewherev1.UnimplementedCaseServiceServer
	elsewherev1.UnimplementedCorrelationServiceServer
	elsewherev1.UnimplementedEnrichmentServiceServer
	submits func(elsewherev1.CaseService_SubmitCasesServer) error
	seen    func(*elsewherev1.SeenRequest) *elsewherev1.SeenResponse
	links   func(*elsewherev1.ListLinksRequest) *elsewherev1.ListLinksResponse
	enrich  func(*elsewherev1.EnrichRequest) *elsewherev1.EnrichResponse
	feeds   []*elsewherev1.Feed
}

func (f *fake) SubmitCases(s elsewherev1.CaseService_SubmitCasesServer) error { return f.submits(s) }

func (f *fake) Seen(_ context.Context, r *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
	return f.seen(r), nil
}

func (f *fake) ListLinks(_ context.Context, r *elsewherev1.ListLinksRequest) (*elsewherev1.ListLinksResponse, error) {
	return f.links(r), nil
}

func (f *fake) Enrich(_ context.Context, r *elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
	return f.enrich(r), nil
}

func (f *fake) ListFeeds(context.Context, *elsewherev1.ListFeedsRequest) (*elsewherev1.ListFeedsResponse, error) {
	return elsewherev1.ListFeedsResponse_builder{Feeds: f.feeds}.Build(), nil
}

// listen starts a fake and returns its address.
func (f *fake) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(32 << 20))
	elsewherev1.RegisterCaseServiceServer(g, f)
	elsewherev1.RegisterCorrelationServiceServer(g, f)
	elsewherev1.RegisterEnrichmentServiceServer(g, f)
	go g.Serve(l)
	t.Cleanup(g.Stop)
	return l.Addr().String()
}

// command runs a command line and returns what it wrote.
func command(ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, stdin, &out, &errs)
	return code, out.String(), errs.String()
}

func ack(index uint64, ref string) *elsewherev1.SubmitCasesResponse {
	return elsewherev1.SubmitCasesResponse_builder{
		Index: index,
		Result: elsewherev1.SubmitCaseResponse_builder{
			CaseRef: ref, Outcome: elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_CREATED, Revision: 1,
		}.Build(),
	}.Build()
}

// caseLines is a file of n cases.
func caseLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"tenant\":\"a\",\"id\":\"%d\"}\n", i)
	}
	return b.String()
}

func TestSubmitPrintsInOrderOfInput(t *testing.T) {
	f := &fake{submits: func(s elsewherev1.CaseService_SubmitCasesServer) error {
		var got []*elsewherev1.SubmitCasesRequest
		for {
			r, err := s.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			got = append(got, r)
		}
		for i := len(got) - 1; i >= 0; i-- {
			if err := s.Send(ack(got[i].GetIndex(), "a/"+got[i].GetSubmit().GetCase().GetId())); err != nil {
				return err
			}
		}
		return nil
	}}
	in := caseLines(3) + "{\"x\":1}\n" + caseLines(1)
	code, out, errs := command(t.Context(), strings.NewReader(in), "submit", "-", "--server", f.listen(t))
	want := "a/0  created  revision 1  no links\na/1  created  revision 1  no links\n" +
		"a/2  created  revision 1  no links\na/0  created  revision 1  no links\n"
	if d := cmp.Diff(want, out); d != "" || code != 1 {
		t.Errorf("exit code %d: %s", code, d)
	}
	if d := cmp.Diff("stdin:4:2: x: case has no such field (FIELD_UNKNOWN)\n5 cases: 4 stored, 0 unchanged, 1 rejected\n", errs); d != "" {
		t.Error(d)
	}
}

func TestSubmitServerDies(t *testing.T) {
	f := &fake{submits: func(s elsewherev1.CaseService_SubmitCasesServer) error {
		for i := range 3 {
			if _, err := s.Recv(); err != nil {
				return err
			}
			if i == 0 {
				if err := s.Send(ack(0, "a/0")); err != nil {
					return err
				}
			}
		}
		return status.Error(codes.Unavailable, "pulled the \x1b[31mplug")
	}}
	// Standard input stays open, as from a program that has more to say.
	in, hold := io.Pipe()
	defer hold.Close()
	go io.WriteString(hold, caseLines(3))
	code, out, errs := command(t.Context(), in, "submit", "-", "--server", f.listen(t))
	if code != 1 || !strings.HasPrefix(out, "a/0  created") {
		t.Errorf("exit code %d, %q", code, out)
	}
	for _, want := range []string{
		"1 case: 1 stored, 0 unchanged, 0 rejected\n",
		"2 cases without an answer may or may not be stored; submitting again is harmless\n",
		`elsewhere: pulled the \x1b[31mplug`,
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
}

func TestSubmitInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := &fake{submits: func(s elsewherev1.CaseService_SubmitCasesServer) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		cancel()
		<-s.Context().Done()
		return s.Context().Err()
	}}
	in, hold := io.Pipe()
	defer hold.Close()
	go io.WriteString(hold, caseLines(1))
	code, _, errs := command(ctx, in, "submit", "-", "--server", f.listen(t))
	if code != 1 || !strings.Contains(errs, "elsewhere: interrupted") {
		t.Errorf("exit code %d, %q", code, errs)
	}
}

// TestSubmitReadsAheadABit gives 40 cases of a megabyte to a server that keeps
// its answers back.
func TestSubmitReadsAheadABit(t *testing.T) {
	const cases, enough = 20, 8 // with 8 of them 8 MiB are exceeded
	var waiting, most atomic.Int64
	f := &fake{submits: func(s elsewherev1.CaseService_SubmitCasesServer) error {
		arrived := make(chan uint64, cases)
		go func() {
			defer close(arrived)
			for {
				r, err := s.Recv()
				if err != nil {
					return
				}
				most.Store(max(most.Load(), waiting.Add(1)))
				arrived <- r.GetIndex()
			}
		}()
		var held []uint64
		answer := func() error {
			waiting.Add(-1)
			err := s.Send(ack(held[0], "a/1"))
			held = held[1:]
			return err
		}
		for index := range arrived {
			held = append(held, index)
			if len(held) == enough {
				if err := answer(); err != nil {
					return err
				}
			}
		}
		for len(held) > 0 {
			if err := answer(); err != nil {
				return err
			}
		}
		return nil
	}}
	big := `{"tenant":"a","id":"1","title":"` + strings.Repeat("t", 1<<20) + "\"}\n"
	code, out, errs := command(t.Context(), strings.NewReader(strings.Repeat(big, cases)), "submit", "-", "--server", f.listen(t))
	if code != 0 || strings.Count(out, "created") != cases {
		t.Errorf("exit code %d, %d stored: %s", code, strings.Count(out, "created"), errs)
	}
	if most.Load() > enough {
		t.Errorf("%d cases of a megabyte were under way", most.Load())
	}
}

// failing is a standard output that nobody reads any more.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestOutputFails(t *testing.T) {
	f := &fake{submits: func(s elsewherev1.CaseService_SubmitCasesServer) error {
		for i := uint64(0); ; i++ {
			if _, err := s.Recv(); err != nil {
				return nil
			}
			if err := s.Send(ack(i, "a/1")); err != nil {
				return err
			}
		}
	}}
	var errs bytes.Buffer
	code := run(t.Context(), []string{"submit", "-", "--server", f.listen(t)}, strings.NewReader(caseLines(1000)), failing{}, &errs)
	if code != 1 || !strings.Contains(errs.String(), "elsewhere: nobody reads") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestInputFails(t *testing.T) {
	f := &fake{submits: func(s elsewherev1.CaseService_SubmitCasesServer) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		return s.Send(ack(0, "a/0"))
	}}
	in := io.MultiReader(strings.NewReader(caseLines(1)), iotest.ErrReader(errors.New("cable cut")))
	code, out, errs := command(t.Context(), in, "submit", "-", "--server", f.listen(t))
	if code != 1 || !strings.HasPrefix(out, "a/0  created") || !strings.Contains(errs, "stdin: cable cut\n") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
}

func TestLinksPages(t *testing.T) {
	page := func(n int, next string) *elsewherev1.ListLinksResponse {
		l := elsewherev1.Link_builder{
			A: "alder/1", B: fmt.Sprintf("birch\x1b/%d", n), Likelihood: .5, Tier: elsewherev1.Tier(99),
			TotalMillibits: 10, SharedCount: 1234, SameTenant: n == 2,
		}.Build()
		return elsewherev1.ListLinksResponse_builder{Links: []*elsewherev1.Link{l}, NextPageToken: next}.Build()
	}
	f := &fake{links: func(r *elsewherev1.ListLinksRequest) *elsewherev1.ListLinksResponse {
		if r.GetPageToken() == "" {
			return page(1, "more")
		}
		return page(2, "")
	}}
	addr := f.listen(t)
	code, out, _ := command(t.Context(), nil, "links", "alder/1", "--json", "--server", addr)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 2 ||
		!strings.Contains(lines[0], `"nextPageToken":"more"`) || !strings.Contains(lines[1], `"b":"birch\u001b/2"`) {
		t.Errorf("exit code %d: %s", code, out)
	}
	code, out, _ = command(t.Context(), nil, "links", "alder/1", "--server", addr)
	want := `likelihood  tier          other case   shared   bits
      .500  unknown tier  birch\x1b/1   1,234  +0.01
likelihood  tier          other case   shared   bits
      .500  unknown tier  birch\x1b/2   1,234  +0.01  same tenant
`
	if d := cmp.Diff(want, out); d != "" || code != 0 {
		t.Errorf("exit code %d: %s", code, d)
	}
}

func TestSeenAnswers(t *testing.T) {
	result := func(v string, s elsewherev1.SeenStatus) elsewherev1.SeenResult_builder {
		return elsewherev1.SeenResult_builder{Observable: elsewherev1.Observable_builder{Kind: "ip", Value: v}.Build(), Status: s}
	}
	seen := result("192.0.2.1", elsewherev1.SeenStatus_SEEN_STATUS_SEEN)
	seen.Tenants = elsewherev1.CountRange_builder{Min: 3, Max: proto.Uint32(9)}.Build()
	seen.Cases = elsewherev1.CountRange_builder{Min: 10}.Build()
	seen.Generic, seen.GenericReason, seen.MoreSightings = true, "everybody's", true
	seen.Sightings = []*elsewherev1.Sighting{elsewherev1.Sighting_builder{Tenant: "a\x1b", Case: "1", Roles: []string{"x\ny"}}.Build()}
	f := &fake{seen: func(*elsewherev1.SeenRequest) *elsewherev1.SeenResponse {
		return elsewherev1.SeenResponse_builder{Results: []*elsewherev1.SeenResult{
			seen.Build(),
			result("192.0.2.2", elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED).Build(),
			result("192.0.2.3", elsewherev1.SeenStatus(77)).Build(),
			result("", elsewherev1.SeenStatus_SEEN_STATUS_INVALID).Build(),
		}}.Build()
	}}
	code, out, _ := command(t.Context(), nil, "seen", "1", "2", "3", "4", "--fail-unseen", "--server", f.listen(t))
	want := `192.0.2.1  ip  seen in 3 to 9 tenants, 10 or more cases, no date
  generic: everybody's
  a\x1b/1  x\x0ay  no date
  + more cases

192.0.2.2  ip  not disclosed
192.0.2.3  ip  unknown answer
(value not repeated)  ip  invalid:  ()
`
	if d := cmp.Diff(want, out); d != "" || code != 1 {
		t.Errorf("exit code %d: %s", code, d)
	}
}

func TestSeenInBatches(t *testing.T) {
	var calls []int
	f := &fake{seen: func(r *elsewherev1.SeenRequest) *elsewherev1.SeenResponse {
		calls = append(calls, len(r.GetObservables()))
		out := make([]*elsewherev1.SeenResult, len(r.GetObservables()))
		for i, o := range r.GetObservables() {
			out[i] = elsewherev1.SeenResult_builder{Observable: o, Status: elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN}.Build()
		}
		return elsewherev1.SeenResponse_builder{Results: out}.Build()
	}}
	code, out, _ := command(t.Context(), strings.NewReader(strings.Repeat("x\n", 2500)), "seen", "-", "--json", "--server", f.listen(t))
	if d := cmp.Diff([]int{1000, 1000, 500}, calls); d != "" || code != 0 || strings.Count(out, "\n") != 3 {
		t.Errorf("exit code %d, %d lines: %s", code, strings.Count(out, "\n"), d)
	}
}
