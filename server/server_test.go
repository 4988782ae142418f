package server_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// deployment is a server under test and a connection to it.
type deployment struct {
	elsewherev1.CaseServiceClient
	elsewherev1.CorrelationServiceClient
	conn *grpc.ClientConn
	http string // address of metrics, "" if there is none
	stop func() error
}

// patience is how long lists wait for the linker in tests, which on a busy machine takes
// longer than anybody would wait.
const patience = time.Minute

// patient returns c for a test: on a free port, with time.
func patient(c server.Config) server.Config {
	c.GRPCAddr = cmp.Or(c.GRPCAddr, "127.0.0.1:0")
	c.Limits.SettleWithin = cmp.Or(c.Limits.SettleWithin, patience)
	return c
}

// start serves c on a free port until the test ends.
func start(t testing.TB, c server.Config) *deployment {
	t.Helper()
	c = patient(c)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, c)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	d := dial(t, s.Addr())
	d.http = s.HTTPAddr()
	stopped := false
	d.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-served
	}
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func dial(t testing.TB, addr string, options ...grpc.DialOption) *deployment {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(server.MessageBytes), grpc.MaxCallSendMsgSize(server.MessageBytes)))
	conn, err := grpc.NewClient(addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &deployment{elsewherev1.NewCaseServiceClient(conn), elsewherev1.NewCorrelationServiceClient(conn), conn, "", nil}
}

func obs(kind, value string, roles ...string) *elsewherev1.Observable {
	return elsewherev1.Observable_builder{Kind: kind, Value: value, Roles: roles}.Build()
}

// newCase returns a case with one finding.
func newCase(tenant, id string, observables ...*elsewherev1.Observable) *elsewherev1.Case {
	return elsewherev1.Case_builder{
		Tenant: tenant, Id: id, Kind: "bec",
		Findings: []*elsewherev1.Finding{elsewherev1.Finding_builder{Technique: "T1114.003", Observables: observables}.Build()},
	}.Build()
}

// submitMany stores n cases over one stream, without links in the answers.
func submitMany(t testing.TB, to elsewherev1.CaseServiceClient, n int, one func(i int) *elsewherev1.Case) {
	t.Helper()
	stream, err := to.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			err := stream.Send(elsewherev1.SubmitCasesRequest_builder{
				Index: uint64(i), Submit: elsewherev1.SubmitCaseRequest_builder{Case: one(i), NoLinks: true}.Build(),
			}.Build())
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for range n {
		res, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if said := res.GetStatus(); said.GetCode() != 0 {
			t.Fatalf("case %d: %v", res.GetIndex(), said)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) submit(t testing.TB, c *elsewherev1.Case) *elsewherev1.SubmitCaseResponse {
	t.Helper()
	res, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestListsItsServices(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	health := grpc_health_v1.NewHealthClient(d.conn)
	for _, name := range []string{"", "elsewhere.v1.CaseService", "elsewhere.v1.CorrelationService"} {
		res, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil || res.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", name, res.GetStatus(), err)
		}
	}
	stream, err := grpc_reflection_v1.NewServerReflectionClient(d.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range res.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{"elsewhere.v1.CaseService", "elsewhere.v1.CorrelationService", "grpc.health.v1.Health"} {
		if !slices.Contains(names, want) {
			t.Errorf("reflection lists %v, not %s", names, want)
		}
	}
}

func TestOpenModeIsLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		s, err := server.Open(t.Context(), server.Config{Memory: true, GRPCAddr: addr})
		if err == nil {
			t.Errorf("listens on %s as %s", addr, s.Addr())
		}
	}
	d := start(t, server.Config{Memory: true, GRPCAddr: "localhost:0"})
	d.submit(t, newCase("a", "1", obs("ip", "70.0.0.1")))
}

func TestStopLosesNothing(t *testing.T) {
	dir := t.TempDir()
	d := start(t, server.Config{DataDir: dir})
	type result struct {
		id  string
		err error
	}
	const callers = 8
	results := make(chan result)
	for i := range callers {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", i, n)
				_, err := d.SubmitCase(context.Background(), elsewherev1.SubmitCaseRequest_builder{
					Case: newCase("a", id, obs("ip", "70.0.0.1")),
				}.Build())
				results <- result{id, err}
				if err != nil {
					return
				}
			}
		}()
	}
	var stored []string
	stopped := make(chan error, 1)
	for left := callers; left > 0; {
		r := <-results
		if r.err != nil {
			left--
			continue
		}
		if stored = append(stored, r.id); len(stored) == 50 {
			go func() { stopped <- d.stop() }()
		}
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	again := start(t, server.Config{DataDir: dir})
	for _, id := range stored {
		if _, err := again.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/" + id}.Build()); err != nil {
			t.Errorf("case %s was acknowledged: %v", id, err)
		}
	}
}

func TestCorrelationKey(t *testing.T) {
	dir := t.TempDir()
	d := start(t, server.Config{DataDir: dir})
	d.submit(t, newCase("a", "1", obs("phone", "+1 555 123-4567")))
	path := filepath.Join(dir, "keys", "correlation.key")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v", info.Mode())
	}
	res, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/1"}.Build())
	if err != nil {
		t.Fatal(err)
	}
	value := res.GetCase().GetFindings()[0].GetObservables()[0].GetValue()
	if !strings.HasPrefix(value, "hmac1:") || strings.Contains(prototext.Format(res), "5551234") {
		t.Errorf("private value comes back as %q", value)
	}
	// What was read can be submitted again.
	if again := d.submit(t, res.GetCase()); again.GetOutcome() != elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_UNCHANGED {
		t.Errorf("the case as read is %v", again.GetOutcome())
	}
	seen, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{
		obs("phone", "0015551234567"), obs("phone", "5551234567"),
	}}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if got := seen.GetResults()[0]; got.GetStatus() != elsewherev1.SeenStatus_SEEN_STATUS_SEEN || got.GetObservable().GetValue() != value {
		t.Errorf("the same number in another spelling: %v", got)
	}
	if got := seen.GetResults()[1]; got.GetStatus() != elsewherev1.SeenStatus_SEEN_STATUS_INVALID || strings.Contains(prototext.Format(got), "5551234") {
		t.Errorf("a number without a country: %v", got)
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(p)
		if strings.Contains(string(raw), "5551234567") {
			t.Errorf("%s holds the number", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.key")
	if err := os.WriteFile(other, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Open(t.Context(), server.Config{DataDir: dir, CorrelationKeyFile: other, GRPCAddr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "correlation key") {
		t.Errorf("opening a store with another key: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Open(t.Context(), server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("opening a store whose key is gone: %v", err)
	}
}

func TestRejectsWhatIsTooLarge(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	var many []*elsewherev1.Observable
	for i := range 10_001 {
		many = append(many, obs("ip", fmt.Sprintf("70.0.%d.%d", i/250, i%250)))
	}
	_, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase("a", "1", many...)}.Build())
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("10,001 observables: %v", err)
	}
	_, err = d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: many}.Build())
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("Seen of 10,001: %v", err)
	}
	seen, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: many[:10_000]}.Build())
	if err != nil || len(seen.GetResults()) != 10_000 {
		t.Errorf("Seen of 10,000: %v", err)
	}
	huge := newCase("a", "1")
	huge.SetTitle(strings.Repeat("x", 33<<20))
	_, err = d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: huge}.Build())
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("33 MB: %v", status.Code(err))
	}
	list, err := d.ListCases(t.Context(), &elsewherev1.ListCasesRequest{})
	if err != nil || len(list.GetCases()) != 0 {
		t.Errorf("stored: %v, %v", list, err)
	}
}

// TestHalfOpenConnection holds that a client that says nothing costs nothing.
func TestHalfOpenConnection(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	conn, err := net.Dial("tcp", d.conn.Target())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	d.submit(t, newCase("a", "1", obs("ip", "70.0.0.1")))
}

// answers asks everything about a population and returns the answers without
// what is allowed to differ: revisions and stored times.
func (d *deployment) answers(t testing.TB, p *population) map[string]proto.Message {
	t.Helper()
	d.settle(t)
	out := make(map[string]proto.Message)
	var values []*elsewherev1.Observable
	for _, v := range p.values {
		values = append(values, v)
		var all []*elsewherev1.Sighting
		for token := ""; ; {
			res, err := d.ListSightings(t.Context(), elsewherev1.ListSightingsRequest_builder{Observable: v, PageSize: 7, PageToken: token}.Build())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, res.GetSightings()...)
			if token = res.GetNextPageToken(); token == "" {
				break
			}
		}
		out["sightings "+v.GetValue()] = elsewherev1.ListSightingsResponse_builder{Sightings: all}.Build()
	}
	seen, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: values}.Build())
	if err != nil {
		t.Fatal(err)
	}
	out["seen"] = seen
	for _, tenant := range p.tenants {
		out["links "+tenant] = d.links(t, elsewherev1.ListLinksRequest_builder{Tenant: &tenant, MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 5})
	}
	refs := p.refs()
	for _, ref := range refs {
		out["links "+ref] = d.links(t, elsewherev1.ListLinksRequest_builder{CaseRef: &ref, MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 60, IncludeSameTenant: true})
	}
	pairs := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		a, b := refs[pairs.IntN(len(refs))], refs[pairs.IntN(len(refs))]
		if a == b {
			continue
		}
		res, err := d.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: a, B: b}.Build())
		if err != nil {
			t.Fatal(err)
		}
		out["why "+a+" "+b] = res
	}
	return out
}

// TestOpenLeavesNothing: what could not be opened as a whole holds no goroutine that
// would answer calls.
func TestOpenLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	answering := func() int {
		stacks := make([]byte, 16<<20)
		return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("grpc.(*Server).serverWorker("))
	}
	before := answering()
	if _, err := server.Open(t.Context(), server.Config{Memory: true, GRPCAddr: "127.0.0.1:0", HTTPAddr: taken.Addr().String()}); err == nil {
		t.Fatal("opened on an address that is taken")
	}
	eventually(t, func() bool { return answering() <= before })
}

// settle waits until the linker has nothing left. The list of a tenant waits for it and
// then answers in any event.
func (d *deployment) settle(t testing.TB) {
	t.Helper()
	for {
		asked := time.Now()
		if _, err := d.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("nobody")}.Build()); err != nil {
			t.Fatal(err)
		}
		if time.Since(asked) < patience {
			return
		}
	}
}

// links follows the pages of a list.
func (d *deployment) links(t testing.TB, b elsewherev1.ListLinksRequest_builder) proto.Message {
	t.Helper()
	var all []*elsewherev1.Link
	for {
		res, err := d.ListLinks(t.Context(), b.Build())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range res.GetLinks() {
			l.ClearFirstLinkedAt()
		}
		all = append(all, res.GetLinks()...)
		if b.PageToken = res.GetNextPageToken(); b.PageToken == "" {
			return elsewherev1.ListLinksResponse_builder{Links: all}.Build()
		}
	}
}

func compare(t testing.TB, got, want map[string]proto.Message) {
	t.Helper()
	differ := 0
	for name, w := range want {
		if g := got[name]; !proto.Equal(g, w) {
			if differ++; differ <= 3 {
				t.Errorf("%s differs:\n got %s\nwant %s", name, prototext.Format(g), prototext.Format(w))
			}
		}
	}
	if differ > 3 {
		t.Errorf("%d of %d answers differ", differ, len(want))
	}
}

// population draws cases that share a lot.
type population struct {
	rand    *rand.Rand
	tenants []string
	values  []*elsewherev1.Observable
	stored  map[string]*elsewherev1.Case
}

func newPopulation(seed uint64, tenants, values int) *population {
	p := &population{rand: rand.New(rand.NewPCG(seed, 0)), stored: make(map[string]*elsewherev1.Case)}
	for i := range tenants {
		p.tenants = append(p.tenants, fmt.Sprintf("t%02d", i))
	}
	for i := range values {
		switch i % 6 {
		case 0:
			p.values = append(p.values, obs("domain", fmt.Sprintf("name%d.example", i)))
		case 1:
			p.values = append(p.values, obs("rule_name", fmt.Sprintf("rule with a name %c", 'a'+i%26)))
		case 2:
			p.values = append(p.values, obs("forward_to", fmt.Sprintf("to@collect%d.example", i)))
		default:
			p.values = append(p.values, obs("ip", fmt.Sprintf("70.0.%d.%d", i/8, i)))
		}
	}
	p.values = append(p.values, obs("ip", "40.107.22.84"), obs("rule_name", "."), obs("rule_name", "Spam"), obs("domain", "gmail.com"))
	return p
}

// draw returns a case with values of which the first are much more common.
func (p *population) draw() *elsewherev1.Case {
	c := newCase(p.tenants[p.rand.IntN(len(p.tenants))], fmt.Sprint(p.rand.IntN(6)))
	for range 1 + p.rand.IntN(3) {
		f := elsewherev1.Finding_builder{Technique: []string{"T1078.004", "T1098.003", "T1562.001", "T1114.003"}[p.rand.IntN(4)]}
		for range 1 + p.rand.IntN(4) {
			i := int(float64(len(p.values)) * p.rand.Float64() * p.rand.Float64())
			o := proto.CloneOf(p.values[i])
			o.SetRoles([]string{[]string{"login_source", "referenced", "allow_listed", "spoofed"}[p.rand.IntN(4)]})
			if p.rand.IntN(4) > 0 {
				at := time.Date(2024, 1, 1+p.rand.IntN(300), p.rand.IntN(24), 0, 0, 0, time.UTC)
				o.SetFirstSeen(timestamp(at))
				o.SetLastSeen(timestamp(at.AddDate(0, 0, p.rand.IntN(20))))
			}
			f.Observables = append(f.Observables, o)
		}
		c.SetFindings(append(c.GetFindings(), f.Build()))
	}
	switch p.rand.IntN(12) {
	case 0:
		c.SetState(elsewherev1.CaseState_CASE_STATE_DISMISSED)
	case 1:
		c.SetRestricted(true)
	case 2:
		c.SetTlp("red")
	}
	return c
}

// step submits, replaces or deletes a case.
func (p *population) step(t testing.TB, d *deployment) {
	t.Helper()
	c := p.draw()
	ref := c.GetTenant() + "/" + c.GetId()
	if p.stored[ref] != nil && p.rand.IntN(3) == 0 {
		if _, err := d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: ref}.Build()); err != nil {
			t.Fatal(err)
		}
		delete(p.stored, ref)
		return
	}
	d.submit(t, c)
	p.stored[ref] = c
}

func (p *population) refs() []string {
	var refs []string
	for ref := range p.stored {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	return refs
}

// TestOrderDoesNotMatter holds SCORING.md C2 to C4 from outside: ten thousand
// submits, replacements and deletions end where the surviving cases alone, in
// another order and some of them twice, begin.
func TestOrderDoesNotMatter(t *testing.T) {
	operations := 10_000
	if testing.Short() {
		operations = 300
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := newPopulation(seed, 80, 60)
	d := start(t, server.Config{Memory: true})
	for range operations {
		p.step(t, d)
	}
	got := d.answers(t, p)
	again := start(t, server.Config{Memory: true})
	refs := p.refs()
	p.rand.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	for i, ref := range refs {
		again.submit(t, p.stored[ref])
		if i%5 == 0 {
			again.submit(t, p.stored[ref])
		}
	}
	compare(t, got, again.answers(t, p))
	if linked := len(got); linked < 100 {
		t.Errorf("only %d answers compared", linked)
	}
}
