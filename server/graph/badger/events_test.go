package badger

import (
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func drawStanding(t *rapid.T, name string) *graph.Standing {
	if rapid.Bool().Draw(t, "no "+name) {
		return nil
	}
	return &graph.Standing{
		Score: graph.Score{
			Millibits: rapid.Int32().Draw(t, "millibits"), Micros: rapid.Uint32().Draw(t, "micros"), Tier: rapid.Uint8().Draw(t, "tier"),
			SharedCount: rapid.Uint32().Draw(t, "shared"), ModelVersion: rapid.Uint32().Draw(t, "model"),
		},
		Verdict: graph.Verdict(rapid.IntRange(0, 2).Draw(t, "verdict")), Held: rapid.Bool().Draw(t, "held"),
	}
}

func TestEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		commit := time.UnixMicro(rapid.Int64Range(0, 1<<60).Draw(t, "commit")).UTC()
		e := graph.LinkEvent{
			RowKey: graph.Pair(drawRef(t), drawRef(t)), Before: drawStanding(t, "before"), After: drawStanding(t, "after"),
			Cause: graph.Cause(rapid.Uint8().Draw(t, "cause")), Feeds: rapid.String().Draw(t, "feeds"),
			Commit: commit, Position: eventPosition(stampOf(commit), rapid.Uint32().Draw(t, "index")),
		}
		got, err := decodeLinkEvent([]byte(e.Position), encodeLinkEvent(e))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "event", got, e)
		y := sweepWhy{rapid.Bool().Draw(t, "corpus"), rapid.String().Draw(t, "from")}
		again, err := decodeSweepWhy(y.encode())
		if err != nil || again != y {
			t.Fatalf("%+v reads as %+v: %v", y, again, err)
		}
	})
}

// TestEventLayout pins what stands on disks.
func TestEventLayout(t *testing.T) {
	e := graph.LinkEvent{
		RowKey: graph.RowKey{A: evidence.Ref{Tenant: "a", Case: "1"}, B: evidence.Ref{Tenant: "b", Case: "2"}},
		Before: &graph.Standing{Score: graph.Score{Millibits: -1, Micros: 2, Tier: 3, SharedCount: 4, ModelVersion: 5}},
		After:  &graph.Standing{Verdict: graph.Confirmed, Held: true}, Cause: graph.CauseModel, Feeds: "f",
	}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"event":     {encodeLinkEvent(e), "0303016101310162013201660102030405000000000000" + "05"},
		"tombstone": {encodeLinkEvent(graph.LinkEvent{RowKey: e.RowKey, Cause: graph.CauseErased}), "0007016101310162013200"},
		"key":       {eventKey(eventPosition(258, 3)), "6f000000000000010200000003"},
		"sweep why": {sweepWhy{true, "m"}.encode(), "01016d"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// FuzzDecodeEvent reads anything; what can be read is stored as it was read.
func FuzzDecodeEvent(f *testing.F) {
	at := []byte(eventPosition(1, 2))
	f.Add(at, encodeLinkEvent(graph.LinkEvent{Cause: graph.CauseErased}))
	f.Add(at, encodeLinkEvent(graph.LinkEvent{Before: &graph.Standing{Held: true}, After: &graph.Standing{Verdict: graph.Refuted}, Feeds: "f"}))
	f.Add([]byte("short"), sweepWhy{true, "m"}.encode())
	f.Fuzz(func(t *testing.T, position, b []byte) {
		if e, err := decodeLinkEvent(position, b); err == nil {
			again, err := decodeLinkEvent(position, encodeLinkEvent(e))
			if err != nil {
				t.Fatal(err)
			}
			if string(encodeLinkEvent(again)) != string(encodeLinkEvent(e)) {
				t.Error("an event changes as it is stored")
			}
		}
		_, _ = decodeSweepWhy(b)
	})
}
