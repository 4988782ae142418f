package client_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func numberedValues(n int) []*elsewherev1.Observable {
	values := make([]*elsewherev1.Observable, n)
	for i := range values {
		values[i] = elsewherev1.Observable_builder{Value: fmt.Sprint(i)}.Build()
	}
	return values
}

// TestEnrichSplits: calls share the look-ups, keep the order, and name each
// publisher once.
func TestEnrichSplits(t *testing.T) {
	var sizes []int
	var lookups []uint32
	c := dial(t, &fake{enrich: func(r *elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
		if r.GetTenant() != "alder" || r.GetTlp() != "green" || !r.GetLocalOnly() || !r.HasMaxLookups() {
			t.Errorf("a call lost what was asked: %v", r)
		}
		sizes, lookups = append(sizes, len(r.GetObservables())), append(lookups, r.GetMaxLookups())
		var out elsewherev1.EnrichResponse_builder
		for _, o := range r.GetObservables() {
			out.Records = append(out.Records, elsewherev1.Record_builder{Observable: o}.Build())
		}
		for _, text := range []string{"always", fmt.Sprint(len(sizes))} {
			out.Attributions = append(out.Attributions, elsewherev1.Attribution_builder{Text: text}.Build())
		}
		return out.Build(), nil
	}})
	ask := func(n int, most *uint32) *elsewherev1.EnrichResponse {
		sizes, lookups = nil, nil
		values := numberedValues(n)
		resp, err := c.Enrich(t.Context(), elsewherev1.EnrichRequest_builder{
			Observables: values, Tenant: "alder", Tlp: "green", LocalOnly: true, MaxLookups: most,
		}.Build())
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetRecords()) != n || len(sizes) < 2 {
			t.Fatalf("%d records of %d values in %d calls", len(resp.GetRecords()), n, len(sizes))
		}
		for i, r := range resp.GetRecords() {
			if !proto.Equal(r.GetObservable(), values[i]) {
				t.Fatalf("record %d is of another value", i)
			}
		}
		return resp
	}
	sum := func() (n uint32) {
		for _, l := range lookups {
			n += l
		}
		return n
	}
	resp := ask(5_000, nil)
	if sum() != 100 || slices.Max(lookups) == 100 {
		t.Errorf("look-ups %v, want 100 in all", lookups)
	}
	var texts []string
	for _, a := range resp.GetAttributions() {
		texts = append(texts, a.GetText())
	}
	if d := cmp.Diff([]string{"always", "1", "2", "3"}, texts); d != "" {
		t.Error(d)
	}
	if ask(4_001, proto.Uint32(7)); sum() != 7 {
		t.Errorf("look-ups %v, want 7 in all", lookups)
	}
	if ask(4_001, proto.Uint32(0)); sum() != 0 {
		t.Errorf("look-ups %v, want none", lookups)
	}
}

func TestEnrichTrouble(t *testing.T) {
	short := dial(t, &fake{enrich: func(*elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
		return &elsewherev1.EnrichResponse{}, nil
	}})
	req := elsewherev1.EnrichRequest_builder{Observables: numberedValues(1)}.Build()
	if resp, err := short.Enrich(t.Context(), req); err == nil {
		t.Errorf("an answer without records: %v", resp)
	}
	without := dial(t, &fake{
		enrich: func(*elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
			return nil, status.Error(codes.Unimplemented, "this server runs without enrichment")
		},
		feeds: func() (*elsewherev1.ListFeedsResponse, error) { return nil, status.Error(codes.Unimplemented, "x") },
	})
	if _, err := without.Enrich(t.Context(), req); status.Code(err) != codes.Unimplemented || err.Error() != "this server runs without enrichment" {
		t.Error(err)
	}
	if _, err := without.Feeds(t.Context()); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}

func TestFeeds(t *testing.T) {
	c := dial(t, &fake{feeds: func() (*elsewherev1.ListFeedsResponse, error) {
		return elsewherev1.ListFeedsResponse_builder{Feeds: []*elsewherev1.Feed{elsewherev1.Feed_builder{Name: "tor"}.Build()}}.Build(), nil
	}})
	feeds, err := c.Feeds(t.Context())
	if err != nil || len(feeds) != 1 || feeds[0].GetName() != "tor" {
		t.Errorf("%v, %v", feeds, err)
	}
}

func TestSeenWithRecords(t *testing.T) {
	var asked []bool
	c := dial(t, &fake{seen: func(_ context.Context, r *elsewherev1.SeenRequest) (*elsewherev1.SeenResponse, error) {
		asked = append(asked, r.GetIncludeRecords())
		out := elsewherev1.SeenResponse_builder{Results: make([]*elsewherev1.SeenResult, len(r.GetObservables()))}
		for i := range out.Results {
			out.Results[i] = &elsewherev1.SeenResult{}
		}
		out.Attributions = []*elsewherev1.Attribution{elsewherev1.Attribution_builder{Text: "always"}.Build()}
		return out.Build(), nil
	}})
	if _, err := c.Seen(t.Context(), numberedValues(1)); err != nil {
		t.Fatal(err)
	}
	resp, err := c.SeenWithRecords(t.Context(), numberedValues(3_000))
	if err != nil || len(resp.GetResults()) != 3_000 || len(resp.GetAttributions()) != 1 {
		t.Fatalf("%d results, %v, %v", len(resp.GetResults()), resp.GetAttributions(), err)
	}
	if d := cmp.Diff([]bool{false, true, true}, asked); d != "" {
		t.Error(d)
	}
}
