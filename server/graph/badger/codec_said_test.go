package badger

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// again fails unless a record that can be read says the same once it is written and
// read again.
func again[R any](t *testing.T, b []byte, decode func([]byte) (R, error), encode func(R) []byte) {
	t.Helper()
	first, err := decode(b)
	if err != nil {
		return
	}
	second, err := decode(encode(first))
	if err != nil {
		t.Fatalf("%T cannot be read again: %v", first, err)
	}
	if diff := gocmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%T changes as it is stored:\n%s", first, diff)
	}
}

// FuzzDecodeSaid feeds damaged records of what people and the linker say of cases:
// reviews, actors, their histories and names, events of links, fan-outs, and lists of
// what has to be looked at.
func FuzzDecodeSaid(f *testing.F) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7_000, time.UTC)
	a, b := evidence.Ref{Tenant: "t", Case: "1"}, evidence.Ref{Tenant: "u", Case: "2"}
	pair := graph.RowKey{A: a, B: b}
	review := graph.Review{RowKey: pair, Verdict: graph.Refuted, Author: "somebody", Reason: "another VPN", Time: at}
	standing := graph.Standing{Score: graph.Score{Millibits: -5, Micros: 7, Tier: 3, SharedCount: 2, ModelVersion: 2}, Verdict: graph.Confirmed, Held: true}
	position := []byte(eventPosition(stampOf(at), 3))
	for _, seed := range [][]byte{
		nil,
		encodeReview(review),
		encodeSaid([]graph.Review{review, {RowKey: pair, Time: at}}),
		encodeActor(&graph.Actor{Founder: a, Members: []evidence.Ref{a, b}, Threshold: 1_000, IDs: []string{"act-a", "act-b"}}),
		encodeEvent(&graph.ActorEvent{Change: graph.ActorMerged, Time: at, From: a, To: b, Members: []evidence.Ref{a}, More: 4, Author: "x", Text: "y"}),
		encodeAnchor(&graph.Anchor{Ref: a, Name: "n", Aliases: []string{"m", ""}, Note: "o", Author: "p", Time: at}),
		encodeLinkEvent(graph.LinkEvent{RowKey: pair, Before: &standing, After: &graph.Standing{}, Cause: graph.CauseReview, Feeds: "v"}),
		encodeLinkEvent(graph.LinkEvent{RowKey: pair, Cause: graph.CauseErased}),
		encodeFanout(graph.Fanout{Day: 20_000, Made: 60, Wide: true, Alarm: true}),
		encodeRegrouping(graph.Regrouping{Pending: true, Actors: true, After: b}),
		encodeRegrouping(graph.Regrouping{Pending: true, Reviews: true, After: a, Other: b}),
		historySize{Kept: 9_999, Dropped: 1}.encode(),
		sweepWhy{corpus: true, from: "model 2"}.encode(),
		appendString(appendString(appendString(appendString(nil, "t"), "1"), ""), ""),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, val []byte) {
		again(t, val, func(val []byte) (graph.Review, error) { return decodeReview(pair, val) }, encodeReview)
		again(t, val, func(val []byte) ([]graph.Review, error) { return decodeSaid(pair, val) }, encodeSaid)
		again(t, val, func(val []byte) (*graph.Actor, error) { return decodeActor(a, val) }, encodeActor)
		again(t, val, decodeEvent, func(e graph.ActorEvent) []byte { return encodeEvent(&e) })
		again(t, val, func(val []byte) (graph.Anchor, error) { return decodeAnchor(a, val) }, func(n graph.Anchor) []byte { return encodeAnchor(&n) })
		again(t, val, func(val []byte) (graph.LinkEvent, error) { return decodeLinkEvent(position, val) }, encodeLinkEvent)
		again(t, val, decodeFanout, encodeFanout)
		again(t, val, decodeRegrouping, encodeRegrouping)
		again(t, val, decodeHistorySize, historySize.encode)
		if all, err := decodeTouched(val); err == nil && len(all) > maxTouched+1 {
			t.Errorf("%d entries of one record", len(all))
		}
		_, _ = decodeSweepWhy(val)
	})
}
