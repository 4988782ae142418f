package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// storedTrail verifies the trail that a service has left in a folder, and returns it.
func storedTrail(t testing.TB, dir string) (entries []*audit.Entry) {
	t.Helper()
	if _, err := server.VerifyAudit(t.Context(), server.Config{DataDir: dir}); err != nil {
		t.Fatal(err)
	}
	store, err := badger.Open(t.Context(), badger.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	trail, err := server.OpenTrail(t.Context(), server.Config{DataDir: dir}, store)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range trail.Entries(t.Context(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// recordedCalls are what one caller has asked a service that is killed.
type recordedCalls struct {
	subject string // a case, or a tenant
	// changes are the requests that were acknowledged, in order; underWay is one that
	// was not, "" if there is none.
	changes  []string
	underWay string
	answered []string // requests with an answer that told something
	revision uint32   // of the subject after the acknowledged changes
}

// TestKilledServerHasItOnRecord kills a service that waits for the trail before it
// answers: every change has its entry and no other has one, and every answer is there.
func TestKilledServerHasItOnRecord(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	var callers []*recordedCalls
	for i := range 5 {
		callers = append(callers, &recordedCalls{subject: fmt.Sprintf("t%d/1", i)})
	}
	for i := range 2 {
		callers = append(callers, &recordedCalls{subject: fmt.Sprintf("owner%d", i)})
	}
	callers = append(callers, &recordedCalls{subject: "big/1"})
	t.Setenv(serveSync, "1")
	n := 0
	var mu sync.Mutex
	request := func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprint("call-", n)
	}
	for range min(*killRounds, 4) {
		k := &killing{t: t, acknowledged: make(chan struct{}), big: make(chan struct{}, 1), idle: make(chan struct{})}
		k.cmd, k.deployment = victim(t, dir)
		k.run(func() { k.take(20 + random.IntN(200)) }, func(ctx context.Context, running *sync.WaitGroup) {
			for _, c := range callers {
				running.Go(func() {
					for k.recordedChange(ctx, c, request()) && k.recordedQuestion(ctx, c, request()) {
					}
				})
			}
		})
		entries := storedTrail(t, dir)
		changes, answers := make(map[string]int), make(map[string]int)
		for _, e := range entries {
			if e.Change {
				changes[e.Content.Request]++
			} else {
				answers[e.Content.Request]++
			}
		}
		d := start(t, server.Config{DataDir: dir})
		for _, c := range callers {
			for _, request := range c.changes {
				if changes[request] != 1 {
					t.Errorf("%s: the change by %s has %d entries", c.subject, request, changes[request])
				}
			}
			for _, request := range c.answered {
				if answers[request] == 0 {
					t.Errorf("%s: the answer to %s is not on record", c.subject, request)
				}
			}
			revision := d.revisionOf(t, c.subject)
			if c.underWay != "" {
				if happened := int(revision - c.revision); changes[c.underWay] != happened {
					t.Errorf("%s: %d changes happened that nobody heard of, and %d are on record", c.subject, happened, changes[c.underWay])
				}
			}
			c.revision, c.underWay = revision, ""
		}
		if err := d.stop(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d requests", n)
}

// recordedChange changes the subject and reports whether the service has answered.
func (k *killing) recordedChange(ctx context.Context, c *recordedCalls, request string) bool {
	c.underWay = request
	var err error
	revision := uint32(0)
	asked := named(ctx, request)
	admin := elsewherev1.NewAdminServiceClient(k.conn)
	switch {
	case c.subject == "big/1":
		big := bigCase(rand.New(rand.NewPCG(uint64(len(c.changes)), 0)))
		big.SetId("1")
		big.SetTitle(request)
		var res *elsewherev1.SubmitCaseResponse
		res, err = k.SubmitCase(asked, elsewherev1.SubmitCaseRequest_builder{Case: big}.Build())
		revision = res.GetRevision()
	case c.revision == 0 && c.subject[:1] == "o":
		var res *elsewherev1.CreateTenantResponse
		res, err = admin.CreateTenant(asked, elsewherev1.CreateTenantRequest_builder{Tenant: elsewherev1.Tenant_builder{Id: c.subject}.Build()}.Build())
		revision = res.GetTenant().GetRevision()
	case c.subject[:1] == "o":
		var res *elsewherev1.UpdateTenantResponse
		res, err = admin.UpdateTenant(asked, elsewherev1.UpdateTenantRequest_builder{
			Tenant: elsewherev1.Tenant_builder{Id: c.subject, DisplayName: request}.Build(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
		}.Build())
		revision = res.GetTenant().GetRevision()
	default:
		sent := newCase(c.subject[:2], "1", obs("ip", "70.0.0.1"), obs("domain", "evil.example"))
		sent.SetTitle(request)
		var res *elsewherev1.SubmitCaseResponse
		res, err = k.SubmitCase(asked, elsewherev1.SubmitCaseRequest_builder{Case: sent}.Build())
		revision = res.GetRevision()
	}
	if !k.heard(ctx, err) {
		return false
	}
	c.changes, c.revision, c.underWay = append(c.changes, request), revision, ""
	return true
}

// recordedQuestion asks where a value was seen.
func (k *killing) recordedQuestion(ctx context.Context, c *recordedCalls, request string) bool {
	_, err := k.Seen(named(ctx, request), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("ip", "70.0.0.1")}}.Build())
	if !k.heard(ctx, err) {
		return false
	}
	c.answered = append(c.answered, request)
	return true
}

// heard reports whether an answer came, and says so.
func (k *killing) heard(ctx context.Context, err error) bool {
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.Canceled:
		return false
	default:
		k.t.Error(err)
		return false
	}
	select {
	case k.acknowledged <- struct{}{}:
		return true
	case <-ctx.Done():
		return true
	}
}

// revisionOf returns the revision of a case or a tenant, 0 if there is none.
func (d *deployment) revisionOf(t testing.TB, subject string) uint32 {
	t.Helper()
	if subject[:1] == "o" {
		res, err := elsewherev1.NewAdminServiceClient(d.conn).GetTenant(t.Context(), elsewherev1.GetTenantRequest_builder{Tenant: subject}.Build())
		if err != nil && status.Code(err) != codes.NotFound {
			t.Fatal(err)
		}
		return res.GetTenant().GetRevision()
	}
	res, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: subject}.Build())
	if err != nil && status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	return res.GetCase().GetRevision()
}
