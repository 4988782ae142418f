package badger

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// drawLarge draws a case around the size from which profiles are read in part.
func drawLarge(t *rapid.T, ref evidence.Ref) *evidence.Case {
	n := rapid.SampledFrom([]int{1, graph.OutlineAbove, graph.OutlineAbove + 1, 2 * graph.OutlineAbove}).Draw(t, "values")
	f := evidence.Finding{Technique: "T1078.004"}
	for i := range n {
		o := evidence.Observable{Roles: []string{evidence.RoleLoginSource}, Count: uint32(i)}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			o.Kind, o.Text = evidence.KindRuleName, fmt.Sprintf("rule number %d of", i)
		case 1:
			o.Kind, o.Text = evidence.KindURL, fmt.Sprintf("https://host%d.example/", i)
		default:
			o.Kind, o.Text = evidence.KindIP, fmt.Sprintf("70.0.%d.%d", i/250, i%250)
		}
		f.Observables = append(f.Observables, o)
	}
	c, _, err := evidence.Parse(evidence.Draft{Ref: ref, Kind: "bec", Findings: []evidence.Finding{f}}, evidence.Options{Now: time.Unix(1_700_000_000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPartsOfAProfile(t *testing.T) {
	s, err := Open(t.Context(), Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		c := drawLarge(t, evidence.Ref{Tenant: "a", Case: "large"})
		if _, err := s.Submit(ctx, c, nil); err != nil {
			t.Fatal(err)
		}
		whole := c.Profile()
		with := drawLarge(t, evidence.Ref{Tenant: "b", Case: "other"}).Profile()
		err := s.View(ctx, func(sn graph.Snapshot) error {
			outline, err := sn.Outline(c.Ref)
			if err != nil {
				return err
			}
			overlap, err := sn.Overlap(c.Ref, with)
			if err != nil {
				return err
			}
			want := *whole
			if len(whole.Sightings) > graph.OutlineAbove {
				want.Counts = make(map[evidence.Kind]int)
				want.Sightings = nil
				for _, sighting := range whole.Sightings {
					want.Counts[sighting.Kind]++
					_, shared := slices.BinarySearchFunc(with.Sightings, sighting.Value, func(x evidence.Sighting, v evidence.Value) int { return x.Value.Compare(v) })
					if shared || sighting.Kind == evidence.KindRuleName {
						want.Sightings = append(want.Sightings, sighting)
					}
				}
			}
			if diff := cmp.Diff(&want, overlap); diff != "" {
				t.Errorf("overlap (-want +got):\n%s", diff)
			}
			if want.Counts != nil {
				want.Sightings = nil
			}
			if diff := cmp.Diff(&want, outline); diff != "" {
				t.Errorf("outline (-want +got):\n%s", diff)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
