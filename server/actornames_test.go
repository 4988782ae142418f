package server_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// namedCases are those of the one actor that people name.
func namedCases() []string { return []string{"alder/1", "birch/1", "cedar/1"} }

// nameable submits the cases of one actor and returns its id.
func (d *deployment) nameable(t testing.TB) string {
	t.Helper()
	for i, tenant := range []string{"alder", "birch", "cedar"} {
		d.submit(t, intrusion(tenant, "1", "1", 2+i))
	}
	d.settle(t)
	res, err := d.ListActors(t.Context(), &elsewherev1.ListActorsRequest{})
	if err != nil || len(res.GetActors()) != 1 || res.GetActors()[0].GetCases() != 3 {
		t.Fatal(res, err)
	}
	return res.GetActors()[0].GetId()
}

func nameParts() []string { return []string{"name", "note", "aliases", "anchor"} }

// nthChange asks for the nth change of one part of what an actor is called.
func nthChange(id, part string, n int) *elsewherev1.UpdateActorRequest {
	a := elsewherev1.Actor_builder{Id: id}
	text := fmt.Sprintf("%s %d", part, n)
	switch part {
	case "name":
		a.Name = text
	case "note":
		a.Note = text
	case "aliases":
		a.Aliases = []string{text}
	default:
		a.Anchor = namedCases()[n%3]
	}
	return elsewherev1.UpdateActorRequest_builder{Actor: a.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{part}}}.Build()
}

// holdsPart reports whether an actor has the nth change of a part.
func holdsPart(a *elsewherev1.Actor, part string, n int) bool {
	want := nthChange("", part, n).GetActor()
	switch part {
	case "name":
		return a.GetName() == want.GetName()
	case "note":
		return a.GetNote() == want.GetNote()
	case "aliases":
		// Were there names on two cases, one of them would be among these.
		return len(a.GetAliases()) == 1 && a.GetAliases()[0] == want.GetAliases()[0]
	}
	return a.GetAnchor() == want.GetAnchor()
}

// TestNamesAreNotLost has people change the name, the note, the aliases and the anchor of
// one actor at once, on either store: of each the last change stands.
func TestNamesAreNotLost(t *testing.T) {
	for name, config := range map[string]server.Config{"memory": {Memory: true}, "folder": {DataDir: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			d := start(t, config)
			id := d.nameable(t)
			const changes = 40
			var people sync.WaitGroup
			for _, part := range nameParts() {
				people.Go(func() {
					for n := range changes {
						if _, err := d.UpdateActor(t.Context(), nthChange(id, part, n)); err != nil {
							t.Errorf("%s: %v", part, err)
						}
					}
				})
			}
			people.Wait()
			res, err := d.GetActor(t.Context(), elsewherev1.GetActorRequest_builder{Actor: id}.Build())
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range nameParts() {
				if !holdsPart(res.GetActor(), part, changes-1) {
					t.Errorf("the last change of %s is lost: %v", part, res.GetActor())
				}
			}
			named := 0
			for _, e := range history(t, d, id, 7) {
				if e.GetChange() == elsewherev1.ActorChange_ACTOR_CHANGE_NAMED {
					named++
				}
			}
			if named != changes*len(nameParts()) {
				t.Errorf("%d changes of the name in the history, want %d", named, changes*len(nameParts()))
			}
		})
	}
}

// nameRounds is how often the server of TestKilledWhileNamed is killed.
const nameRounds = 3

// TestKilledWhileNamed kills a server while people name an actor: what was acknowledged
// stands, or what was under way, and all of it on one case.
func TestKilledWhileNamed(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	cmd, d := victim(t, dir)
	id := d.nameable(t)
	last := make(map[string]int)
	for _, part := range nameParts() {
		if _, err := d.UpdateActor(t.Context(), nthChange(id, part, 0)); err != nil {
			t.Fatal(err)
		}
		last[part] = 0
	}
	for range nameRounds {
		var mu sync.Mutex
		acknowledged := 0
		enough := make(chan struct{})
		stopAt := 20 + random.IntN(100)
		var people sync.WaitGroup
		for _, part := range nameParts() {
			people.Go(func() {
				for {
					mu.Lock()
					n := last[part] + 1
					mu.Unlock()
					if _, err := d.UpdateActor(t.Context(), nthChange(id, part, n)); err != nil {
						if code := status.Code(err); code != codes.Unavailable && code != codes.Canceled {
							t.Errorf("%s: %v", part, err)
						}
						return
					}
					mu.Lock()
					last[part] = n
					if acknowledged++; acknowledged == stopAt {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		people.Wait()
		cmd, d = victim(t, dir)
		res, err := d.GetActor(t.Context(), elsewherev1.GetActorRequest_builder{Actor: id}.Build())
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range nameParts() {
			switch n := last[part]; {
			case holdsPart(res.GetActor(), part, n):
			case holdsPart(res.GetActor(), part, n+1):
				last[part]++
			default:
				t.Errorf("%s was changed %d times, and is %v", part, n, res.GetActor())
			}
		}
	}
}

// history returns what became of an actor, read in pages of a size.
func history(t testing.TB, c elsewherev1.CorrelationServiceClient, id string, size uint32) (events []*elsewherev1.ActorEvent) {
	t.Helper()
	for token := ""; ; {
		res, err := c.ActorHistory(t.Context(), elsewherev1.ActorHistoryRequest_builder{Actor: id, PageSize: size, PageToken: token}.Build())
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, res.GetEvents()...)
		if token = res.GetNextPageToken(); token == "" {
			return events
		}
		if len(res.GetEvents()) != int(size) {
			t.Fatalf("a page of %d events, want %d", len(res.GetEvents()), size)
		}
	}
}

// TestHistoryInPages holds that pages of any size make up one history, newest first, for
// who reads all and for who reads a part, and that it reaches into the actors that went
// into this one.
func TestHistoryInPages(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	g.tenants(t, "alder", "birch", "cedar", "elm")
	all := g.key(t, lead)
	submit := func(c *elsewherev1.Case) {
		t.Helper()
		if _, err := all.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
			t.Fatal(err)
		}
		actorsOf(t, all)
	}
	review := func(action elsewherev1.ReviewAction) {
		t.Helper()
		if _, err := all.ReviewLink(t.Context(), reviewOf("alder/1", "cedar/1", action)); err != nil {
			t.Fatal(err)
		}
		actorsOf(t, all)
	}
	for i, tenant := range []string{"alder", "birch"} {
		submit(intrusion(tenant, "1", "1", 4+i))
	}
	for i, tenant := range []string{"cedar", "elm"} {
		submit(intrusion(tenant, "1", "2", 2+i))
	}
	for range 3 {
		review(elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM)
		review(elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR)
	}
	review(elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM)
	readers := map[string]elsewherev1.CorrelationServiceClient{
		"all": all, "alder": g.key(t, analyst, "alder"), "birch and elm": g.key(t, analyst, "birch", "elm"),
	}
	for name, c := range readers {
		actors := actorsOf(t, c)[0].(*elsewherev1.ListActorsResponse).GetActors()
		if len(actors) != 1 {
			t.Fatalf("%s: %v", name, actors)
		}
		id := actors[0].GetId()
		whole := history(t, c, id, 1_000)
		if len(whole) < 3 {
			t.Fatalf("%s: %v", name, whole)
		}
		created := 0
		for i, e := range whole {
			if i > 0 && e.GetTime().AsTime().After(whole[i-1].GetTime().AsTime()) {
				t.Errorf("%s: %v comes after %v", name, e, whole[i-1])
			}
			if e.GetChange() == elsewherev1.ActorChange_ACTOR_CHANGE_CREATED {
				created++
			}
		}
		if name == "all" && created < 2 {
			t.Errorf("the history of what went into the actor is not told: %v", whole)
		}
		for size := uint32(1); size < 6; size++ {
			if diff := gocmp.Diff(whole, history(t, c, id, size), protocmp.Transform()); diff != "" {
				t.Errorf("%s in pages of %d (-whole +pages):\n%s", name, size, diff)
			}
		}
		_, err := c.ActorHistory(t.Context(), elsewherev1.ActorHistoryRequest_builder{Actor: id, PageToken: "x"}.Build())
		want(t, name+": a token that nobody sealed", status.Code(err), codes.InvalidArgument)
	}
}
