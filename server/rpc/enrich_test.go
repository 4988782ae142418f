package rpc

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/enrich"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// fakeEnricher answers by a function and remembers how it was asked.
type fakeEnricher struct {
	asks   []enrich.Ask
	values []enrich.Value
	answer func(context.Context, enrich.Value) enrich.Record
}

func (f *fakeEnricher) Enrich(ctx context.Context, ask enrich.Ask, values []enrich.Value) iter.Seq[enrich.Record] {
	f.asks, f.values = append(f.asks, ask), append(f.values, values...)
	return func(yield func(enrich.Record) bool) {
		for _, v := range values {
			r := enrich.Record{Value: v}
			if f.answer != nil {
				r = f.answer(ctx, v)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// enriching is a service without a store, but for summaries of nothing.
func enriching(t *testing.T, e Enricher) *Service {
	t.Helper()
	key, err := NewCorrelationKey(make([]byte, CorrelationKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return New(Dependencies{
		Store:    onlySummaries{summary: func(evidence.Value) (graph.Summary, error) { return graph.Summary{}, nil }},
		Enricher: e, Public: e, Rules: linker.Rules{Model: link.Version1(), Classes: noClasses{}},
		Key: key, Log: slog.New(slog.DiscardHandler),
	})
}

func asOpen(t *testing.T) context.Context { return access.With(t.Context(), access.Open()) }

func observable(kind, value string) *elsewherev1.Observable {
	return elsewherev1.Observable_builder{Kind: kind, Value: value}.Build()
}

func TestEnrichAsks(t *testing.T) {
	request := func(json string) *elsewherev1.EnrichRequest {
		req := &elsewherev1.EnrichRequest{}
		if err := protojson.Unmarshal([]byte(json), req); err != nil {
			t.Fatal(err)
		}
		req.SetObservables([]*elsewherev1.Observable{observable("", "1.1.1.1")})
		return req
	}
	for json, want := range map[string]enrich.Ask{
		`{}`:                                {Kept: true},
		`{"tenant":"alder"}`:                {Tenant: "alder", Kept: true},
		`{"tlp":"TLP:Amber+Strict"}`:        {TLP: enrich.TLPAmberStrict, Kept: true},
		`{"tlp":"red"}`:                     {TLP: enrich.TLPRed, Kept: true},
		`{"localOnly":true}`:                {LocalOnly: true, Kept: true},
		`{"maxLookups":0}`:                  {MaxLookups: -1, Kept: true},
		`{"maxLookups":7,"tenant":"birch"}`: {MaxLookups: 7, Tenant: "birch", Kept: true},
	} {
		e := &fakeEnricher{}
		if _, err := enriching(t, e).Enrich(asOpen(t), request(json)); err != nil {
			t.Errorf("%s: %v", json, err)
		}
		if d := cmp.Diff([]enrich.Ask{want}, e.asks); d != "" {
			t.Errorf("%s: %s", json, d)
		}
	}
	for _, json := range []string{`{"tenant":"not a tenant"}`, `{"tlp":"purple"}`, `{"maxLookups":10001}`} {
		e := &fakeEnricher{}
		_, err := enriching(t, e).Enrich(asOpen(t), request(json))
		if status.Code(err) != codes.InvalidArgument || len(e.asks) > 0 {
			t.Errorf("%s: %v, asked %d times", json, err, len(e.asks))
		}
	}
	// Who sees no tenant may not ask on behalf of one.
	nobody := access.With(t.Context(), access.Viewer{})
	if _, err := enriching(t, &fakeEnricher{}).Enrich(nobody, request(`{"tenant":"alder"}`)); status.Code(err) != codes.NotFound {
		t.Errorf("on behalf of a tenant that is not readable: %v", err)
	}
}

func TestEnrichBounds(t *testing.T) {
	e := &fakeEnricher{}
	many := make([]*elsewherev1.Observable, maxEnrich+1)
	for i := range many {
		many[i] = observable("ip", "1.1.1.1")
	}
	_, err := enriching(t, e).Enrich(asOpen(t), elsewherev1.EnrichRequest_builder{Observables: many}.Build())
	if status.Code(err) != codes.InvalidArgument || len(e.asks) > 0 {
		t.Errorf("too many values: %v, asked %d times", err, len(e.asks))
	}
	// Seen takes as many as before, but not with records.
	seen := func(n int, records bool) error {
		_, err := enriching(t, e).Seen(asOpen(t), elsewherev1.SeenRequest_builder{Observables: many[:n], IncludeRecords: records}.Build())
		return err
	}
	if err := seen(maxSeen, false); err != nil {
		t.Error(err)
	}
	if err := seen(maxSeenRecords+1, true); status.Code(err) != codes.InvalidArgument || len(e.asks) > 0 {
		t.Errorf("too many values with records: %v", err)
	}
	// What does not fit into a message says so instead of failing on the wire.
	e.answer = func(_ context.Context, v enrich.Value) enrich.Record {
		return enrich.Record{Value: v, Fields: []enrich.Field{{Name: "x", Value: strings.Repeat("x", 4<<10), Status: enrich.OK}}}
	}
	_, err = enriching(t, e).Enrich(asOpen(t), elsewherev1.EnrichRequest_builder{Observables: many[:maxEnrich]}.Build())
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "fewer") {
		t.Errorf("an answer too large: %v", err)
	}
}

func TestEnrichInPlace(t *testing.T) {
	e := &fakeEnricher{answer: func(_ context.Context, v enrich.Value) enrich.Record {
		return enrich.Record{Value: v, Class: enrich.Class{Name: "of " + string(v.Kind) + " " + v.Text}}
	}}
	res, err := enriching(t, e).Enrich(asOpen(t), elsewherev1.EnrichRequest_builder{Observables: []*elsewherev1.Observable{
		observable("ip", "::ffff:1.1.1.1"), observable("ip", "nonsense"), observable("phone", "+49 30 1234567"),
		observable("", "1[.]1[.]1[.]2"), observable("phone", "no number"), observable("forward_to", "a@drop.example"),
		observable("forward_to", "drop.example"), observable("no_such_kind", "x"),
	}}.Build())
	if err != nil {
		t.Fatal(err)
	}
	type answer struct{ Kind, Value, Status, Class, Path string }
	var got []answer
	for _, r := range res.GetRecords() {
		got = append(got, answer{
			r.GetObservable().GetKind(), r.GetObservable().GetValue(),
			strings.TrimPrefix(r.GetStatus().String(), "RECORD_STATUS_"), r.GetClass(), r.GetViolation().GetPath(),
		})
	}
	want := []answer{
		{"ip", "1.1.1.1", "ANSWERED", "of ip 1.1.1.1", ""},
		{"ip", "nonsense", "INVALID", "", "observables[1].value"},
		{"phone", "", "NOT_DISCLOSED", "", ""},
		{"ip", "1.1.1.2", "ANSWERED", "of ip 1.1.1.2", ""},
		{"phone", "", "INVALID", "", "observables[4].value"},
		{"forward_to", "a@drop.example", "ANSWERED", "of email a@drop.example", ""},
		{"forward_to", "drop.example", "ANSWERED", "of domain drop.example", ""},
		{"no_such_kind", "", "INVALID", "", "observables[7].kind"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, v := range e.values {
		if strings.Contains(v.Text, "1234567") || v.Kind == "phone" {
			t.Errorf("a private value was asked about: %v", v.Kind)
		}
	}
}

// TestEnrichAnswers holds each status to its own word, and attributions to once.
func TestEnrichAnswers(t *testing.T) {
	day, at := time.Date(2026, 6, 17, 0, 0, 0, 0, time.UTC), time.Date(2026, 8, 1, 2, 3, 4, 0, time.UTC)
	e := &fakeEnricher{answer: func(_ context.Context, v enrich.Value) enrich.Record {
		return enrich.Record{
			Value: v,
			Class: enrich.Class{
				Name: enrich.ClassHosting, Reasons: []string{"list: AS1"},
				Grades: []enrich.Claim{{Effect: enrich.Grades, Class: "vpn", Grade: .25, Source: "list", Entry: "1.0.0.0/20", DataDate: day}},
			},
			Fields: []enrich.Field{
				{Name: "asn", Value: "1", Source: "table", DataDate: day, LookedUpAt: at, Status: enrich.OK, Detail: "x"},
				{Name: "a", Source: "s", Status: enrich.NoData},
				{Name: "b", Source: "s", Status: enrich.NotLookedUp, Detail: "why"},
				{Name: "c", Source: "s", Status: enrich.Quota},
				{Name: "d", Source: "s", Status: enrich.Error, Stale: true},
				{Name: "e", Source: "s", Status: enrich.Status(99)},
				{Name: enrich.FieldAttribution, Value: "table (CC-BY-4.0): somebody", Source: "table", DataDate: day, Status: enrich.OK},
				{Name: enrich.FieldAttribution, Source: "s", Status: enrich.NoData},
			},
			Answers: []enrich.Answer{{Source: "s", Status: enrich.Quota, Detail: "used up", RetryAt: at}},
		}
	}}
	res, err := enriching(t, e).Enrich(asOpen(t), elsewherev1.EnrichRequest_builder{
		Observables: []*elsewherev1.Observable{observable("ip", "1.1.1.1"), observable("ip", "1.1.1.2")},
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string, s elsewherev1.LookupStatus) *elsewherev1.RecordField {
		return elsewherev1.RecordField_builder{Name: name, Source: "s", Status: s, Stale: name == "d"}.Build()
	}
	record := func(value string) *elsewherev1.Record {
		return elsewherev1.Record_builder{
			Observable: observable("ip", value), Status: elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED,
			Class: "hosting", ClassReasons: []string{"list: AS1"},
			ClassGrades: []*elsewherev1.ClassGrade{elsewherev1.ClassGrade_builder{
				Class: "vpn", Grade: .25, Source: "list", Entry: "1.0.0.0/20", DataDate: timestamppb.New(day),
			}.Build()},
			Fields: []*elsewherev1.RecordField{
				elsewherev1.RecordField_builder{
					Name: "asn", Value: "1", Source: "table", DataDate: timestamppb.New(day), LookedUpAt: timestamppb.New(at),
					Status: elsewherev1.LookupStatus_LOOKUP_STATUS_OK, Detail: "x",
				}.Build(),
				field("a", elsewherev1.LookupStatus_LOOKUP_STATUS_NO_DATA),
				field("b", elsewherev1.LookupStatus_LOOKUP_STATUS_NOT_LOOKED_UP),
				field("c", elsewherev1.LookupStatus_LOOKUP_STATUS_QUOTA),
				field("d", elsewherev1.LookupStatus_LOOKUP_STATUS_ERROR),
				field("e", elsewherev1.LookupStatus_LOOKUP_STATUS_ERROR),
			},
			Answers: []*elsewherev1.SourceAnswer{elsewherev1.SourceAnswer_builder{
				Source: "s", Status: elsewherev1.LookupStatus_LOOKUP_STATUS_QUOTA, Detail: "used up", RetryAt: timestamppb.New(at),
			}.Build()},
		}.Build()
	}
	want := elsewherev1.EnrichResponse_builder{
		Records: []*elsewherev1.Record{record("1.1.1.1"), record("1.1.1.2")},
		Attributions: []*elsewherev1.Attribution{elsewherev1.Attribution_builder{
			Source: "table", DataDate: timestamppb.New(day), Text: "table (CC-BY-4.0): somebody",
		}.Build()},
	}.Build()
	if d := cmp.Diff(want, res, protocmp.Transform()); d != "" {
		t.Error(d)
	}
}

func TestEnrichDeadline(t *testing.T) { synctest.Test(t, enrichDeadline) }

func enrichDeadline(t *testing.T) {
	// Each answer takes until the enricher has to come to an end.
	slow := &fakeEnricher{answer: func(ctx context.Context, v enrich.Value) enrich.Record {
		<-ctx.Done()
		return enrich.Record{Value: v, Answers: []enrich.Answer{{Source: "slow", Status: enrich.Error, Detail: "no answer in time"}}}
	}}
	req := elsewherev1.EnrichRequest_builder{Observables: []*elsewherev1.Observable{observable("ip", "1.1.1.1"), observable("ip", "1.1.1.2")}}.Build()
	ctx, cancel := context.WithTimeout(asOpen(t), 10*time.Second)
	defer cancel()
	short, cancelShort := context.WithTimeout(ctx, time.Second)
	defer cancelShort()
	res, err := enriching(t, slow).Enrich(short, req)
	if err != nil || len(res.GetRecords()) != 2 || short.Err() != nil {
		t.Fatalf("%v, %d records, the caller's time: %v", err, len(res.GetRecords()), short.Err())
	}
	for _, r := range res.GetRecords() {
		if s := r.GetAnswers()[0].GetStatus(); s != elsewherev1.LookupStatus_LOOKUP_STATUS_ERROR {
			t.Errorf("%s: %s", r.GetObservable().GetValue(), s)
		}
	}
	// Nobody waits any more: nothing is worked out for nobody.
	gone, leave := context.WithCancel(asOpen(t))
	asked := 0
	leaving := &fakeEnricher{answer: func(_ context.Context, v enrich.Value) enrich.Record {
		asked++
		leave()
		return enrich.Record{Value: v}
	}}
	if _, err := enriching(t, leaving).Enrich(gone, req); status.Code(err) != codes.Canceled || asked != 1 {
		t.Errorf("%v after %d values", err, asked)
	}
}

func TestSeenAsksNobody(t *testing.T) {
	e := &fakeEnricher{answer: func(_ context.Context, v enrich.Value) enrich.Record {
		return enrich.Record{Value: v, Class: enrich.Class{Name: enrich.ClassHosting}}
	}}
	s := enriching(t, e)
	req := elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{
		observable("ip", "1.1.1.1"), observable("ip", "nonsense"), observable("phone", "+49 30 1234567"), observable("ip", "1.1.1.2"),
	}}.Build()
	res, err := s.Seen(asOpen(t), req)
	if err != nil || len(e.asks) > 0 {
		t.Fatalf("%v; asked without being told to: %v", err, e.asks)
	}
	if slices.ContainsFunc(res.GetResults(), func(r *elsewherev1.SeenResult) bool { return len(r.GetRecords()) > 0 }) {
		t.Error("records that nobody asked for")
	}
	req.SetIncludeRecords(true)
	if res, err = s.Seen(asOpen(t), req); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]enrich.Ask{{Kept: true, MaxLookups: -1}}, e.asks); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]enrich.Value{{Kind: "ip", Text: "1.1.1.1"}, {Kind: "ip", Text: "1.1.1.2"}}, e.values); d != "" {
		t.Error(d)
	}
	var got []string
	for _, r := range res.GetResults() {
		text := ""
		for _, record := range r.GetRecords() {
			text += record.GetObservable().GetValue() + " " + record.GetClass()
		}
		got = append(got, text)
	}
	if d := cmp.Diff([]string{"1.1.1.1 hosting", "", "", "1.1.1.2 hosting"}, got); d != "" {
		t.Error(d)
	}
}

func TestWithoutEnrichment(t *testing.T) {
	s := enriching(t, nil)
	_, err := s.Enrich(asOpen(t), &elsewherev1.EnrichRequest{})
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "without enrichment") {
		t.Error(err)
	}
	if _, err := s.ListFeeds(asOpen(t), &elsewherev1.ListFeedsRequest{}); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
	res, err := s.Seen(asOpen(t), elsewherev1.SeenRequest_builder{
		Observables: []*elsewherev1.Observable{observable("ip", "1.1.1.1")}, IncludeRecords: true,
	}.Build())
	if err != nil || len(res.GetResults()) != 1 {
		t.Errorf("%v, %v", res, err)
	}
}

type fakeFeeds func() ([]Feed, error)

func (f fakeFeeds) Feeds(context.Context) ([]Feed, error) { return f() }

func TestListFeeds(t *testing.T) {
	at := time.Date(2026, 8, 1, 2, 3, 4, 0, time.UTC)
	s := enriching(t, nil)
	s.feeds = fakeFeeds(func() ([]Feed, error) {
		return []Feed{
			{
				Kind: FeedList, Status: FeedOutdated, Name: "tor", Title: "Tor exits", Licence: "CC0-1.0", Attribution: "The Tor Project",
				URL: "https://x.example", Date: "2026-07", Entries: 1234, Fetched: at, Checked: at, Digest: "ab", Origin: "file",
				Err: errors.New("many entries fewer"),
			},
			{Kind: FeedService, Status: FeedOff, Name: "abuseipdb", Entries: -1},
		}, nil
	})
	res, err := s.ListFeeds(asOpen(t), &elsewherev1.ListFeedsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := elsewherev1.ListFeedsResponse_builder{Feeds: []*elsewherev1.Feed{
		elsewherev1.Feed_builder{
			Name: "tor", Title: "Tor exits", Kind: elsewherev1.FeedKind_FEED_KIND_LIST,
			Status: elsewherev1.FeedStatus_FEED_STATUS_OUTDATED, Licence: "CC0-1.0", Attribution: "The Tor Project",
			Url: "https://x.example", Date: "2026-07", Entries: 1234, FetchedAt: timestamppb.New(at), CheckedAt: timestamppb.New(at),
			Digest: "ab", Origin: "file", Error: "many entries fewer",
		}.Build(),
		elsewherev1.Feed_builder{
			Name: "abuseipdb", Kind: elsewherev1.FeedKind_FEED_KIND_SERVICE, Status: elsewherev1.FeedStatus_FEED_STATUS_OFF,
		}.Build(),
	}}.Build()
	if d := cmp.Diff(want, res, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	s.feeds = fakeFeeds(func() ([]Feed, error) { return nil, errors.New("a path of ours") })
	if _, err := s.ListFeeds(asOpen(t), &elsewherev1.ListFeedsRequest{}); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "path") {
		t.Error(err)
	}
	if _, err := s.ListFeeds(t.Context(), &elsewherev1.ListFeedsRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("who asks is not known: %v", err)
	}
}

// TestFeedNumbers holds the numbers of the domain to those of the wire.
func TestFeedNumbers(t *testing.T) {
	for number, want := range map[proto.Message]string{
		wireFeed(&Feed{Kind: FeedList, Status: FeedInUse}):        "FEED_KIND_LIST FEED_STATUS_IN_USE",
		wireFeed(&Feed{Kind: FeedDatabase, Status: FeedOutdated}): "FEED_KIND_DATABASE FEED_STATUS_OUTDATED",
		wireFeed(&Feed{Kind: FeedService, Status: FeedUnusable}):  "FEED_KIND_SERVICE FEED_STATUS_UNUSABLE",
		wireFeed(&Feed{Kind: FeedService, Status: FeedOff}):       "FEED_KIND_SERVICE FEED_STATUS_OFF",
	} {
		f := number.(*elsewherev1.Feed)
		if got := f.GetKind().String() + " " + f.GetStatus().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
