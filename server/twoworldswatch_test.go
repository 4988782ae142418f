package server_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// TestTwoWorldsWatched watches in worlds with and without the cases of a hidden
// tenant, in every role that may. The messages are equal but for what moves with the
// clock: cursors, whose length is the same, and times. What follows from the values
// that the hidden cases share with others is granted, so there only cases that share
// none, or that are restricted, are hidden.
func TestTwoWorldsWatched(t *testing.T) {
	base := newWorldBase(t)
	scratch := t.TempDir()
	worlds, heard := 0, 0
	check(t, 10, func(rt *rapid.T) {
		withheld := rapid.Bool().Draw(rt, "hidden cases are restricted")
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *elsewherev1.Case {
			return drawCase(t, append(worldTenantIDs(hidden), "alder", "alder", "birch", "birch"))
		}), 4, 14).Draw(rt, "cases")
		unknown := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *elsewherev1.Case {
			c := drawCase(t, []string{hidden})
			if withheld {
				c.SetRestricted(true)
				return c
			}
			for _, f := range c.GetFindings() {
				f.SetObservables([]*elsewherev1.Observable{
					obs("ip", fmt.Sprintf("70.0.77.%d", rapid.IntRange(1, 3).Draw(t, "own address"))), obs("domain", "only-hidden.com", "sending_infrastructure"),
				})
			}
			return c
		}), len(steps), len(steps)).Draw(rt, "hidden cases")
		worlds++
		with := base.watched(t, filepath.Join(scratch, fmt.Sprint(worlds, "-with")), steps, unknown)
		without := base.watched(t, filepath.Join(scratch, fmt.Sprint(worlds, "-without")), steps, nil)
		for i, a := range base.askers {
			if diff := gocmp.Diff(without[i], with[i], protocmp.Transform()); diff != "" {
				rt.Fatalf("%s watches (-without the hidden tenant +with):\n%s", a.name, diff)
			}
			heard += len(with[i])
			for _, m := range with[i] {
				if strings.Contains(m.String(), hidden) {
					rt.Fatalf("%s hears of the hidden tenant: %v", a.name, m)
				}
				if l := m.GetEvent().GetLink(); l != nil {
					checkLinks(rt, []*elsewherev1.Link{l})
				}
			}
		}
	})
	if heard == 0 {
		t.Error("nothing was heard")
	}
}

// check is rapid.Check with another number of draws than that of all tests, a fifth of
// it with -short.
func check(t *testing.T, draws int, property func(*rapid.T)) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set(fmt.Sprint(draws)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := checks.Value.Set(before); err != nil {
			t.Fatal(err)
		}
	}()
	rapid.Check(t, property)
}

// watched opens a copy of the base, submits cases one by one, after each one of those
// that are hidden, and returns what each asker hears from the beginning, nil for those
// who may not watch.
func (b *worldBase) watched(t *testing.T, dir string, steps, unknown []*elsewherev1.Case) [][]*elsewherev1.WatchLinksResponse {
	t.Helper()
	w := b.open(t, dir, false)
	defer w.stop()
	d := &deployment{CaseServiceClient: w.writer, CorrelationServiceClient: w.writer, conn: w.writer.conn}
	streams := make([]elsewherev1.CorrelationService_WatchLinksClient, len(b.askers))
	heard := make([][]*elsewherev1.WatchLinksResponse, len(b.askers))
	for i, a := range b.askers {
		stream, err := w.askers[i].WatchLinks(t.Context(), elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD}.Build())
		if err != nil {
			t.Fatal(err)
		}
		m, err := stream.Recv()
		if a.role != analyst && a.role != lead {
			if code := status.Code(err); code != codes.PermissionDenied && code != codes.Unauthenticated {
				t.Fatalf("%s watches: %v, %v", a.name, m, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		streams[i], heard[i] = stream, append(heard[i], maskWatched(m))
	}
	// How the linker puts changes together is a matter of chance, unless it is waited
	// for.
	for i, c := range steps {
		d.submit(t, c)
		d.settle(t)
		if i < len(unknown) {
			d.submit(t, unknown[i])
			d.settle(t)
		}
	}
	for _, tenant := range []string{"alder", "birch"} {
		d.submit(t, newCase(tenant, "last", obs("domain", "the-last-of-all.com", "sending_infrastructure"), obs("forward_to", "to@the-last-of-all.com", "forward_target")))
	}
	for i, stream := range streams {
		for last := stream == nil; !last; {
			m, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			last = m.GetEvent().GetLink().GetRef() == "alder/last~birch/last"
			if m.HasEvent() {
				heard[i] = append(heard[i], maskWatched(m))
			}
		}
	}
	return heard
}

// maskWatched takes away what moves with the clock.
func maskWatched(m *elsewherev1.WatchLinksResponse) *elsewherev1.WatchLinksResponse {
	if m.HasCheckpoint() {
		m.GetCheckpoint().SetCursor(fmt.Sprint(len(m.GetCheckpoint().GetCursor()), " bytes"))
		return m
	}
	e := m.GetEvent()
	e.SetCursor(fmt.Sprint(len(e.GetCursor()), " bytes"))
	e.ClearCommitTime()
	e.GetLink().ClearFirstLinkedAt()
	return m
}
