package rpc

import (
	"context"
	"errors"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/enrich"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Bounds of records in answers of Seen.
const (
	maxSeenRecords = 2_000
	// maxFactCases is how many cases one call reads for what they stated.
	maxFactCases = 200
	// maxFactBytes is how much of that is held; the case that exceeds it is the
	// last that is read.
	maxFactBytes = 16 << 20
	// maxFactFields is how many statements a record shows.
	maxFactFields = 50
)

// addRecords puts into each result what the value is, from what is known here
// and kept from earlier look-ups. Nobody is asked.
func (s *Service) addRecords(ctx context.Context, results []*elsewherev1.SeenResult, stated *statedFacts, credits *credits) error {
	var values []enrich.Value
	var places []int
	size := 0
	for i, r := range results {
		size += proto.Size(r)
		switch r.GetStatus() {
		case elsewherev1.SeenStatus_SEEN_STATUS_SEEN, elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN:
		default:
			continue
		}
		v := evidence.Value{Kind: evidence.Kind(r.GetObservable().GetKind()), Text: r.GetObservable().GetValue()}
		if !private(v.Kind) {
			values, places = append(values, enrichValue(v)), append(places, i)
		}
	}
	viewer, err := access.From(ctx)
	if err != nil {
		return err
	}
	ask := enrich.Ask{Kept: viewer.ReadsWithheld(""), MaxLookups: -1, LocalOnly: !viewer.LooksUp()}
	for record, err := range s.records(ctx, viewer, ask, values) {
		if err != nil {
			return err
		}
		nth := places[0]
		places = places[1:]
		out := elsewherev1.Record_builder{
			Observable: elsewherev1.Observable_builder{
				Kind: results[nth].GetObservable().GetKind(), Value: results[nth].GetObservable().GetValue(),
			}.Build(),
			Status: elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED, Fields: stated.fields[nth],
			MoreCaseFields: stated.more[nth],
		}.Build()
		fillRecord(out, &record, credits)
		results[nth].SetRecords([]*elsewherev1.Record{out})
		if size += proto.Size(out); size > maxAnswerBytes {
			return violation("observables", "ANSWER_TOO_LARGE", "what is known of these values does not fit into one answer; ask for fewer at a time")
		}
	}
	return nil
}

// statedFacts are what cases stated of the values of one call.
type statedFacts struct {
	mu sync.Mutex
	// cases holds the facts of the cases that were read, bytes their size.
	cases  map[evidence.Ref]caseFacts
	bytes  int
	fields map[int][]*elsewherev1.RecordField
	more   map[int]bool
}

// caseFacts are the facts of a case about values, each once.
type caseFacts map[evidence.Value][]evidence.Fact

func newStatedFacts() *statedFacts {
	return &statedFacts{
		cases: make(map[evidence.Ref]caseFacts), fields: make(map[int][]*elsewherev1.RecordField),
		more: make(map[int]bool),
	}
}

// add reads what the cases of an answer stated of its value.
func (f *statedFacts) add(viewer access.Viewer, snap graph.Snapshot, nth int, a *seenAnswer) error {
	if len(a.Sightings) == 0 {
		return nil
	}
	// One case at a time: what several goroutines would read at once is no
	// longer bounded.
	f.mu.Lock()
	defer f.mu.Unlock()
	value := evidence.Value{Kind: evidence.Kind(a.kind), Text: a.value}
	var fields []*elsewherev1.RecordField
	f.more[nth] = a.More
	for _, sighting := range a.Sightings {
		facts, ok := f.cases[sighting.Ref]
		if !ok {
			if len(f.cases) >= maxFactCases || f.bytes >= maxFactBytes {
				f.more[nth] = true
				continue
			}
			c, err := readCase(viewer, snap, sighting.Ref)
			switch {
			case errors.Is(err, graph.ErrNotFound):
			case err != nil:
				return err
			default:
				facts = f.keep(c)
			}
			f.cases[sighting.Ref] = facts
		}
		for _, fact := range facts[value] {
			fields = append(fields, wireStated(sighting.Ref, fact))
		}
	}
	if len(fields) > maxFactFields {
		fields, f.more[nth] = fields[:maxFactFields], true
	}
	f.fields[nth] = fields
	return nil
}

// keep returns the facts of a case, and counts their size.
func (f *statedFacts) keep(c *graph.StoredCase) caseFacts {
	out := make(caseFacts)
	for i := range c.Findings {
		for _, o := range c.Findings[i].Observables {
			for _, fact := range o.Facts {
				// One more than is shown says that there are more.
				if len(out[o.Value]) <= maxFactFields && !slices.Contains(out[o.Value], fact) {
					out[o.Value] = append(out[o.Value], fact)
					f.bytes += len(fact.Name) + len(fact.Value) + len(fact.Source)
				}
			}
		}
	}
	return out
}

func wireStated(ref evidence.Ref, fact evidence.Fact) *elsewherev1.RecordField {
	return elsewherev1.RecordField_builder{
		Name: fact.Name, Value: fact.Value, Source: fact.Source, DataDate: toTimestamp(fact.ObservedAt),
		Status: elsewherev1.LookupStatus_LOOKUP_STATUS_OK, CaseRef: ref.String(),
	}.Build()
}
