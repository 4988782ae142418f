package rpc

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/enrich"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// egressFeed is the list of the tenants' own addresses.
const egressFeed = "egress"

// Enricher says what values are.
type Enricher interface {
	// Enrich yields one record a value, in order. The end of the context leaves
	// partial records and ends nothing early.
	Enrich(context.Context, enrich.Ask, []enrich.Value) iter.Seq[enrich.Record]
}

// Feeds knows which data and services the records come from.
type Feeds interface {
	// Feeds returns them in the order of their precedence.
	Feeds(context.Context) ([]Feed, error)
}

// Feed is a list, a database or a service. Texts are for people.
type Feed struct {
	Kind   FeedKind
	Status FeedStatus
	Name   string
	Title  string
	// Licence, Attribution and URL are the publisher's.
	Licence, Attribution, URL string
	// Date is the day or month of the data, ISO 8601; "" where unknown.
	Date    string
	Entries int
	// Fetched and Checked are zero for what is part of the program.
	Fetched, Checked time.Time
	Digest           string
	Origin           string
	// Err is why it, or its newest version, is not in use.
	Err error
}

// FeedKind is a kind of feed, numbered as on the wire.
type FeedKind uint8

// The kinds of feeds.
const (
	FeedList FeedKind = iota + 1
	FeedDatabase
	FeedService
)

// FeedStatus is the state of a feed, numbered as on the wire.
type FeedStatus uint8

// The states of feeds.
const (
	FeedInUse    FeedStatus = iota + 1
	FeedOutdated            // an older version is in use
	FeedUnusable
	FeedOff
)

// Bounds of one call of Enrich.
const (
	maxEnrich = 10_000
	// maxLookups is how many look-ups at third parties a call may ask for.
	maxLookups = 10_000
	// maxAnswerBytes keeps an answer below what one message may hold (32 MiB).
	maxAnswerBytes = 30 << 20
)

// Time that is kept back from a deadline for what needs no third party: to
// answer the rest from memory and to send it all.
const (
	answerShare     = 10 // of what is left, one part in so many
	longestReserved = 2 * time.Second
)

// errNoEnrichment is what a service without an enricher answers.
func errNoEnrichment() error {
	return status.Error(codes.Unimplemented, "this server runs without enrichment")
}

// Enrich implements elsewherev1.EnrichmentServiceServer.
func (s *Service) Enrich(ctx context.Context, req *elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
	res, err := s.enrich(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) enrich(ctx context.Context, req *elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
	asked := req.GetObservables()
	if n := len(asked); n > maxEnrich {
		return nil, violation("observables", "TOO_MANY", fmt.Sprintf("%d values; at most %d", n, maxEnrich))
	}
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if s.enricherOf(viewer) == nil {
		return nil, errNoEnrichment()
	}
	ask, err := s.askOf(viewer, req)
	if err != nil {
		return nil, err
	}
	options := s.options()
	records := make([]*elsewherev1.Record, len(asked))
	var values []enrich.Value
	var places []int
	for i, obs := range asked {
		record, value := s.readAsked(viewer, options, i, obs)
		records[i] = record.Build()
		if record.Status == elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED {
			values, places = append(values, value), append(places, i)
		}
	}
	var credits credits
	size := 0
	for record, err := range s.records(ctx, viewer, ask, values) {
		if err != nil {
			return nil, err
		}
		nth := places[0]
		places = places[1:]
		fillRecord(records[nth], &record, &credits)
		if size += proto.Size(records[nth]); size > maxAnswerBytes {
			return nil, violation("observables", "ANSWER_TOO_LARGE",
				fmt.Sprintf("what is known of %d values does not fit into one answer; ask for fewer at a time", len(asked)))
		}
	}
	return elsewherev1.EnrichResponse_builder{Records: records, Attributions: credits.list}.Build(), nil
}

// askOf reads how a request asks.
func (s *Service) askOf(viewer access.Viewer, req *elsewherev1.EnrichRequest) (enrich.Ask, error) {
	tenant := s.tenants.Resolve(req.GetTenant())
	ask := enrich.Ask{
		Tenant: tenant, LocalOnly: req.GetLocalOnly() || !viewer.LooksUp(), Kept: viewer.ReadsWithheld(tenant),
	}
	if ask.Tenant != "" {
		if err := evidence.CheckTenant(ask.Tenant); err != nil {
			return enrich.Ask{}, err
		}
		if !viewer.Reads(ask.Tenant) {
			return enrich.Ask{}, access.ErrNoTenant
		}
	}
	ask.TLP = enrich.TLP(strings.TrimPrefix(strings.ToLower(req.GetTlp()), "tlp:"))
	labels := []enrich.TLP{"", enrich.TLPRed, enrich.TLPAmberStrict, enrich.TLPAmber, enrich.TLPGreen, enrich.TLPClear}
	if !slices.Contains(labels, ask.TLP) {
		return enrich.Ask{}, violation("tlp", evidence.ReasonTLPUnknown, "the labels are red, amber+strict, amber, green and clear")
	}
	if req.HasMaxLookups() {
		n := req.GetMaxLookups()
		if n > maxLookups {
			return enrich.Ask{}, violation("max_lookups", "TOO_LARGE", "at most 10,000")
		}
		if ask.MaxLookups = int(n); n == 0 {
			ask.MaxLookups = -1
		}
	}
	return ask, nil
}

// readAsked reads a value that somebody asks for. Where it is to be enriched,
// the record has the status ANSWERED and nothing else.
func (s *Service) readAsked(viewer access.Viewer, options evidence.Options, nth int, obs *elsewherev1.Observable) (elsewherev1.Record_builder, enrich.Value) {
	p, invalid := evidence.ParseValue(evidence.Kind(obs.GetKind()), obs.GetValue(), options)
	if invalid != nil {
		invalid.Path = "observables[" + strconv.Itoa(nth) + "]." + invalid.Path
		return elsewherev1.Record_builder{
			Observable: elsewherev1.Observable_builder{Kind: obs.GetKind(), Value: echo(obs)}.Build(),
			Status:     elsewherev1.RecordStatus_RECORD_STATUS_INVALID, Violation: wireViolation(*invalid),
		}, enrich.Value{}
	}
	if private(p.Kind) || !viewer.Asks(p.Kind) {
		return elsewherev1.Record_builder{
			Observable: elsewherev1.Observable_builder{Kind: string(p.Kind)}.Build(),
			Status:     elsewherev1.RecordStatus_RECORD_STATUS_NOT_DISCLOSED,
		}, enrich.Value{}
	}
	return elsewherev1.Record_builder{
		Observable: elsewherev1.Observable_builder{Kind: string(p.Kind), Value: p.Text}.Build(),
		Status:     elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED,
	}, enrichValue(p.Value)
}

func private(kind evidence.Kind) bool {
	v, known := evidence.KindVisibility(kind)
	return known && v == evidence.Private
}

// enrichValue returns a value as package enrich names it: the target of a
// forwarding rule is an address of mail or a domain.
func enrichValue(v evidence.Value) enrich.Value {
	if v.Kind != evidence.KindForwardTo {
		return enrich.Value{Kind: enrich.Kind(v.Kind), Text: v.Text}
	}
	if strings.Contains(v.Text, "@") {
		return enrich.Value{Kind: enrich.KindEmail, Text: v.Text}
	}
	return enrich.Value{Kind: enrich.KindDomain, Text: v.Text}
}

// enricherOf returns who answers a viewer.
func (s *Service) enricherOf(v access.Viewer) Enricher {
	if v.LooksUp() {
		return s.enricher
	}
	return s.public
}

// records asks the enricher, and leaves time before the caller's deadline to
// send what is known by then. A caller who gave up ends it.
func (s *Service) records(ctx context.Context, v access.Viewer, ask enrich.Ask, values []enrich.Value) iter.Seq2[enrich.Record, error] {
	return func(yield func(enrich.Record, error) bool) {
		asking, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok {
			reserved := min(time.Until(deadline)/answerShare, longestReserved)
			asking, cancel = context.WithDeadline(ctx, deadline.Add(-reserved))
		}
		defer cancel()
		for record := range s.enricherOf(v).Enrich(asking, ask, values) {
			if err := ctx.Err(); err != nil {
				yield(enrich.Record{}, err)
				return
			}
			if !yield(record, nil) {
				return
			}
		}
	}
}

// ListFeeds implements elsewherev1.EnrichmentServiceServer.
func (s *Service) ListFeeds(ctx context.Context, _ *elsewherev1.ListFeedsRequest) (*elsewherev1.ListFeedsResponse, error) {
	res, err := s.listFeeds(ctx)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listFeeds(ctx context.Context) (*elsewherev1.ListFeedsResponse, error) {
	if s.feeds == nil {
		return nil, errNoEnrichment()
	}
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	feeds, err := s.feeds.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	if !viewer.LooksUp() && !viewer.Administers() {
		feeds = slices.DeleteFunc(feeds, func(f Feed) bool { return f.Name == egressFeed })
	}
	out := make([]*elsewherev1.Feed, len(feeds))
	for i := range feeds {
		out[i] = wireFeed(&feeds[i])
	}
	return elsewherev1.ListFeedsResponse_builder{Feeds: out}.Build(), nil
}
