package rpc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func observable(kind, value string) *elsewherev1.Observable {
	return elsewherev1.Observable_builder{Kind: kind, Value: value}.Build()
}

func (s *service) ask(tb testing.TB, values ...*elsewherev1.Observable) []*elsewherev1.SeenResult {
	tb.Helper()
	res, err := s.Seen(tb.Context(), elsewherev1.SeenRequest_builder{Observables: values}.Build())
	if err != nil {
		tb.Fatal(err)
	}
	if n := len(res.GetResults()); n != len(values) {
		tb.Fatalf("%d answers for %d values", n, len(values))
	}
	return res.GetResults()
}

// TestBatchAnswersAsSingleCalls asks for the same values one by one and in one
// call, and lets others write about values of their own meanwhile.
func TestBatchAnswersAsSingleCalls(t *testing.T) {
	s := serve(t)
	random := rand.New(rand.NewPCG(3, 4))
	values := pool(200)
	for i, c := range cases(40, values, random) {
		c.SetRestricted(i%9 == 0)
		s.submit(t, c)
	}
	asked := append(pool(260), // the last 60 were never seen
		observable("ip", "1.2.3"), observable("nonsense", "x"), observable("phone", "secret"), observable("ip", ""),
		observable("", "Invoices 5"), observable("", "billing4@vendor.example"), observable("", "no such rule"),
		observable("", "70[.]0.0[.]1"), observable("x_own", "seen by nobody"), observable("ip", "10.0.0.1"),
	)
	asked = append(asked, asked...)
	random.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })

	writing, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	for w := range 2 {
		writers.Go(func() {
			for i := 0; writing.Err() == nil; i++ {
				c := elsewherev1.Case_builder{Tenant: "writer", Id: fmt.Sprint(w), Findings: []*elsewherev1.Finding{
					elsewherev1.Finding_builder{Observables: []*elsewherev1.Observable{
						observable("x_written", fmt.Sprint(i)), observable("x_written", "always"),
					}}.Build(),
				}}.Build()
				if _, err := s.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	statuses := make(map[elsewherev1.SeenStatus]int)
	for i, got := range s.ask(t, asked...) {
		want := s.ask(t, asked[i])[0]
		if v := want.GetViolation(); v != nil {
			// Only its place in the request differs.
			v.SetPath(fmt.Sprintf("observables[%d]%s", i, v.GetPath()[len("observables[0]"):]))
		}
		if !proto.Equal(want, got) {
			t.Fatalf("value %d (-alone +in a batch):\n%s", i, cmp.Diff(want, got, protocmp.Transform()))
		}
		statuses[got.GetStatus()]++
	}
	for _, status := range []elsewherev1.SeenStatus{
		elsewherev1.SeenStatus_SEEN_STATUS_SEEN, elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN, elsewherev1.SeenStatus_SEEN_STATUS_INVALID,
	} {
		if statuses[status] == 0 {
			t.Errorf("no answer was %s", status)
		}
	}
}

// TestBatchIsOfOneState asks for many values of one case, which comes and goes:
// an answer knows either all of them or none.
func TestBatchIsOfOneState(t *testing.T) {
	s := serve(t)
	const values = 300
	asked := make([]*elsewherev1.Observable, values)
	for i := range asked {
		asked[i] = observable("ip", fmt.Sprintf("70.1.%d.%d", i>>8, i&255))
	}
	c := elsewherev1.Case_builder{Tenant: "a", Id: "1", Findings: []*elsewherev1.Finding{
		elsewherev1.Finding_builder{Observables: asked}.Build(),
	}}.Build()
	writing, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer stop()
	writer.Go(func() {
		for writing.Err() == nil {
			if _, err := s.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
				t.Error(err)
				return
			}
			if _, err := s.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "a/1"}.Build()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	with, without := 0, 0
	for calls := 0; calls < 10_000 && (calls < 40 || with == 0 || without == 0); calls++ {
		seen := 0
		for _, r := range s.ask(t, asked...) {
			if r.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN {
				seen++
			}
		}
		switch seen {
		case 0:
			without++
		case values:
			with++
		default:
			t.Fatalf("%d of %d values of one case were seen", seen, values)
		}
	}
	if with == 0 || without == 0 {
		t.Errorf("asked %d times with the case there and %d times without", with, without)
	}
}
