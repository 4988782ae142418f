package server_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// violations returns path and reason of everything that an error names.
func violations(err error) (out []string) {
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				out = append(out, v.GetField()+" "+v.GetReason())
			}
		}
	}
	return out
}

func TestEveryViolationAtOnce(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	c := newCase("a", "1", obs("ip", "1.2.3"), obs("nonsense", "x"), obs("ip", "70.0.0.1"), obs("phone", "secret-555"))
	c.SetTlp("purple")
	c.SetOpenedAt(timestamp(time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC)))
	c.SetFindings(append(c.GetFindings(), elsewherev1.Finding_builder{
		Technique: "T1", FirstSeen: timestamp(day(2)), LastSeen: timestamp(day(1)),
	}.Build()))
	_, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
	if status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
	var paths []string
	for _, v := range violations(err) {
		path, reason, _ := strings.Cut(v, " ")
		if reason == "" {
			t.Errorf("%s has no reason", path)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	want := []string{
		"findings[0].observables[0].value", "findings[0].observables[1].kind", "findings[0].observables[3].value",
		"findings[1].last_seen", "findings[1].technique", "opened_at", "tlp",
	}
	if !slices.Equal(paths, want) {
		t.Errorf("violations at\n%q, want\n%q", paths, want)
	}
	if strings.Contains(prototext.Format(status.Convert(err).Proto()), "secret-555") {
		t.Error("the error repeats a private value")
	}
	if _, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/1"}.Build()); status.Code(err) != codes.NotFound {
		t.Errorf("after a rejected submit: %v", err)
	}

	// What can be left out is left out and named.
	c = newCase("a", "1", obs("ip", "1.2.3"), obs("ip", "70.0.0.1"))
	res, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c, AllowPartial: true, ValidateOnly: true}.Build())
	if err != nil || len(res.GetRejected()) != 1 || res.GetRejected()[0].GetPath() != "findings[0].observables[0].value" {
		t.Errorf("validate only: %v, %v", res, err)
	}
	if _, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/1"}.Build()); status.Code(err) != codes.NotFound {
		t.Errorf("after validating: %v", err)
	}
	res, err = d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c, AllowPartial: true}.Build())
	if err != nil || res.GetOutcome() != elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_CREATED || len(res.GetRejected()) != 1 {
		t.Errorf("partial: %v, %v", res, err)
	}
}

// TestNoLinks holds that a submit answers links unless it says that it wants none.
func TestNoLinks(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	for _, step := range []struct {
		tenant string
		none   bool
		links  int
	}{{"a", false, 0}, {"b", true, 0}, {"b", false, 1}} {
		c := newCase(step.tenant, "1", obs("forward_to", "x@y.example"), obs("ip", "70.0.0.1"))
		res, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c, NoLinks: step.none}.Build())
		if err != nil || res.GetRevision() != 1 || len(res.GetLinks()) != step.links || res.GetMoreLinks() {
			t.Errorf("%+v: %v, %v", step, res, err)
		}
	}
}

func day(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }

func TestRevisions(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	submit := func(value string, expected *uint32) (*elsewherev1.SubmitCaseResponse, error) {
		return d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{
			Case: newCase("a", "1", obs("ip", value)), ExpectedRevision: expected,
		}.Build())
	}
	for _, tc := range []struct {
		value    string
		expected *uint32
		code     codes.Code
		revision uint32
		outcome  elsewherev1.SubmitOutcome
	}{
		{"70.0.0.1", new(uint32(1)), codes.Aborted, 0, 0},
		{"70.0.0.1", new(uint32(0)), codes.OK, 1, elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_CREATED},
		{"70.0.0.2", new(uint32(0)), codes.Aborted, 1, 0},
		{"70.0.0.1", nil, codes.OK, 1, elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_UNCHANGED},
		{"70.0.0.2", new(uint32(1)), codes.OK, 2, elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_REPLACED},
		{"70.0.0.3", new(uint32(1)), codes.Aborted, 2, 0},
	} {
		res, err := submit(tc.value, tc.expected)
		if status.Code(err) != tc.code {
			t.Fatalf("%s: %v", tc.value, err)
		}
		if err != nil {
			want := fmt.Sprint(tc.revision)
			found := false
			for _, detail := range status.Convert(err).Details() {
				if info, ok := detail.(*errdetails.ErrorInfo); ok {
					found = info.GetMetadata()["current_revision"] == want
				}
			}
			if !found {
				t.Errorf("error does not name the current revision %s: %v", want, err)
			}
			continue
		}
		if res.GetRevision() != tc.revision || res.GetOutcome() != tc.outcome {
			t.Errorf("%s: %v", tc.value, res)
		}
	}
}

func TestStream(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	stream, err := d.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 700
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			// Every case comes in seven versions, the last of which has to win.
			c := newCase("a", fmt.Sprint(i%100), obs("ip", fmt.Sprintf("70.0.%d.1", i/100)))
			if i == 350 {
				c = newCase("a", "bad", obs("ip", "not an address"))
			}
			if err := stream.Send(elsewherev1.SubmitCasesRequest_builder{
				Index: uint64(i), Submit: elsewherev1.SubmitCaseRequest_builder{Case: c}.Build(),
			}.Build()); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	seen := make(map[uint64]bool)
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		i := res.GetIndex()
		if seen[i] {
			t.Errorf("case %d acknowledged twice", i)
		}
		seen[i] = true
		if code := codes.Code(res.GetStatus().GetCode()); (code == codes.OK) == (i == 350) {
			t.Errorf("case %d: %v", i, res.GetStatus())
		}
		if i == 350 && len(violations(status.ErrorProto(res.GetStatus()))) != 1 {
			t.Errorf("rejected case names %v", res.GetStatus())
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if len(seen) != n {
		t.Errorf("%d of %d acknowledged", len(seen), n)
	}
	for i := range 100 {
		res, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: fmt.Sprintf("a/%d", i)}.Build())
		if err != nil {
			t.Fatal(err)
		}
		want := "70.0.6.1"
		if got := res.GetCase().GetFindings()[0].GetObservables()[0].GetValue(); got != want {
			t.Errorf("case %d holds %s, not the last version %s", i, got, want)
		}
	}
}

func TestPages(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	for i := range 12 {
		d.submit(t, newCase(fmt.Sprintf("t%02d", i), "case", obs("ip", "70.0.0.1"), obs("forward_to", "x@y.example")))
	}
	var refs []string
	token := ""
	for {
		res, err := d.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageSize: 5, PageToken: token}.Build())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range res.GetCases() {
			refs = append(refs, c.GetTenant()+"/"+c.GetId())
			if len(c.GetFindings()) > 0 {
				t.Error("a list holds findings")
			}
		}
		if token = res.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(refs) != 12 || !slices.IsSorted(refs) {
		t.Errorf("pages hold %v", refs)
	}
	first, err := d.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageSize: 5}.Build())
	if err != nil {
		t.Fatal(err)
	}
	good := first.GetNextPageToken()
	if raw, err := base64.RawURLEncoding.DecodeString(good); err != nil || bytes.Contains(raw, []byte("enant")) {
		t.Errorf("token %s tells what it holds, or is none: %v", good, err)
	}
	bent := []byte(good)
	bent[3] ^= 1
	for what, err := range map[string]error{
		"a changed token": get(d.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageToken: string(bent)}.Build())),
		"another query":   get(d.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageToken: good, Tenant: "t01"}.Build())),
		"another method": get(d.ListSightings(t.Context(), elsewherev1.ListSightingsRequest_builder{
			PageToken: good, Observable: obs("ip", "70.0.0.1"),
		}.Build())),
		"a large page": get(d.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{PageSize: 1001}.Build())),
	} {
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The same links on pages of one as on one page.
	whole := d.links(t, elsewherev1.ListLinksRequest_builder{CaseRef: new("t00/case"), MinTier: elsewherev1.Tier_TIER_LEAD})
	paged := d.links(t, elsewherev1.ListLinksRequest_builder{CaseRef: new("t00/case"), MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 1})
	if !proto.Equal(whole, paged) || len(whole.(*elsewherev1.ListLinksResponse).GetLinks()) == 0 {
		t.Errorf("pages of one:\n%v\none page:\n%v", paged, whole)
	}
}

func get[T any](_ T, err error) error { return err }

func TestWhatIsNotThere(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	d.submit(t, newCase("a", "1", obs("ip", "70.0.0.1")))
	for what, tc := range map[string]struct {
		err  error
		code codes.Code
	}{
		"get":                   {get(d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a/2"}.Build())), codes.NotFound},
		"get of nonsense":       {get(d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: "a"}.Build())), codes.InvalidArgument},
		"delete":                {get(d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "a/2"}.Build())), codes.NotFound},
		"delete if there":       {get(d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "a/2", AllowMissing: true}.Build())), codes.OK},
		"links":                 {get(d.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{CaseRef: new("a/2")}.Build())), codes.NotFound},
		"links of tenant":       {get(d.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("b")}.Build())), codes.OK},
		"links of nothing":      {get(d.ListLinks(t.Context(), &elsewherev1.ListLinksRequest{})), codes.InvalidArgument},
		"links of a tier":       {get(d.ListLinks(t.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("a"), MinTier: elsewherev1.Tier_TIER_NONE}.Build())), codes.InvalidArgument},
		"why":                   {get(d.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: "a/1", B: "a/2"}.Build())), codes.NotFound},
		"why of itself":         {get(d.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: "a/1", B: "a/1"}.Build())), codes.InvalidArgument},
		"sightings of nonsense": {get(d.ListSightings(t.Context(), elsewherev1.ListSightingsRequest_builder{Observable: obs("ip", "1.2.3")}.Build())), codes.InvalidArgument},
		"cases of nonsense":     {get(d.ListCases(t.Context(), elsewherev1.ListCasesRequest_builder{Tenant: "BAD!"}.Build())), codes.InvalidArgument},
		"no case":               {get(d.SubmitCase(t.Context(), &elsewherev1.SubmitCaseRequest{})), codes.InvalidArgument},
		"no tenant":             {get(d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase("", "1")}.Build())), codes.InvalidArgument},
	} {
		if status.Code(tc.err) != tc.code {
			t.Errorf("%s: %v, want %v", what, tc.err, tc.code)
		}
	}
}

func TestWithheldCasesAreNobodysCandidates(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	shared := []*elsewherev1.Observable{obs("forward_to", "x@y.example"), obs("ip", "70.0.0.1", "login_source"), obs("domain", "evil.example")}
	d.submit(t, newCase("a", "1", shared...))
	before := d.submit(t, newCase("b", "1", shared...))
	if len(before.GetLinks()) != 1 {
		t.Fatalf("links %v", before.GetLinks())
	}
	for name, set := range map[string]func(*elsewherev1.Case){
		"restricted": func(c *elsewherev1.Case) { c.SetRestricted(true) },
		"red":        func(c *elsewherev1.Case) { c.SetTlp("tlp:red") },
		"dismissed":  func(c *elsewherev1.Case) { c.SetState(elsewherev1.CaseState_CASE_STATE_DISMISSED) },
	} {
		c := newCase("c", name, shared...)
		set(c)
		asks := d.submit(t, c)
		if wants := name != "dismissed"; (len(asks.GetLinks()) > 0) != wants {
			t.Errorf("%s asks and gets %v", name, asks.GetLinks())
		}
		after := d.links(t, elsewherev1.ListLinksRequest_builder{CaseRef: new("b/1"), MinTier: elsewherev1.Tier_TIER_LEAD}).(*elsewherev1.ListLinksResponse)
		if len(after.GetLinks()) != 1 || after.GetLinks()[0].GetTotalMillibits() != before.GetLinks()[0].GetTotalMillibits() {
			t.Errorf("with a %s case the others have links %v", name, after.GetLinks())
		}
	}
}

// TestDeleteLeavesNothing asks while the linker may still be at work.
func TestDeleteLeavesNothing(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	shared := obs("forward_to", "x@y.example")
	d.submit(t, newCase("a", "1", shared))
	d.submit(t, newCase("b", "1", shared))
	if _, err := d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "b/1"}.Build()); err != nil {
		t.Fatal(err)
	}
	for _, q := range []elsewherev1.ListLinksRequest_builder{{Tenant: new("a")}, {Tenant: new("b")}, {CaseRef: new("a/1")}} {
		if got := d.links(t, q).(*elsewherev1.ListLinksResponse); len(got.GetLinks()) != 0 {
			t.Errorf("links %v", got)
		}
	}
	res, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{shared}}.Build())
	if err != nil || res.GetResults()[0].GetCases().GetMax() != 1 {
		t.Errorf("seen %v, %v", res, err)
	}
}

// TestSeenWithoutAKind asks for values whose form fits several kinds.
func TestSeenWithoutAKind(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	d.submit(t, newCase("a", "1", obs("forward_to", "collect@drop.example"), obs("user_agent", "python-requests/2.31"),
		obs("rule_name", "999.1.1.1 of somebody"), obs("app_id", "aaaaaaaa-0000-0000-0000-000000000001")))
	hidden := newCase("b", "1", obs("forward_to", "hidden@drop.example"))
	hidden.SetRestricted(true)
	d.submit(t, hidden)
	for _, tc := range []struct {
		value, kind, echoed string
		seen                bool
	}{
		{"collect[@]drop.example", "forward_to", "collect@drop.example", true},
		{"hidden@drop.example", "forward_to", "hidden@drop.example", true},
		{"nobody@drop.example", "email", "nobody@drop.example", false},
		{"python-requests/2.31", "user_agent", "python-requests/2.31", true},
		{"{AAAAAAAA-0000-0000-0000-000000000001}", "app_id", "aaaaaaaa-0000-0000-0000-000000000001", true},
		{"999.1.1.1", "rule_name", "999.1.1.1", false},
	} {
		res, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("", tc.value)}}.Build())
		if err != nil {
			t.Fatal(err)
		}
		got := res.GetResults()[0]
		if seen := got.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN; got.GetObservable().GetKind() != tc.kind ||
			got.GetObservable().GetValue() != tc.echoed || seen != tc.seen {
			t.Errorf("%s: %v", tc.value, got)
		}
	}
	res, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("forward_to", "hidden@drop.example")}}.Build())
	if err != nil {
		t.Fatal(err)
	}
	if got := res.GetResults()[0]; got.GetCases().GetMax() != 0 || len(got.GetSightings()) != 1 || !got.GetSightings()[0].GetWithheld() {
		t.Errorf("a restricted sighting counts or is not marked: %v", got)
	}
}

// TestLargeCaseScoresTheSame holds that a case that is read in part for a list
// scores as in the explanation, for which it is read whole.
func TestLargeCaseScoresTheSame(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	large := []*elsewherev1.Observable{obs("forward_to", "x@y.example"), obs("rule_name", "block spoofing")}
	for i := range 300 {
		role := "referenced"
		if i < 20 {
			role = "login_source"
		}
		large = append(large, obs("ip", fmt.Sprintf("70.%d.%d.1", i/250, i%250), role))
	}
	d.submit(t, newCase("a", "large", large...))
	d.submit(t, newCase("b", "small", obs("forward_to", "x@y.example"), obs("ip", "70.0.3.1", "login_source"),
		obs("ip", "70.0.200.1", "login_source"), obs("rule_name", "display name spoofing")))
	for _, q := range []elsewherev1.ListLinksRequest_builder{
		{CaseRef: new("b/small")}, {CaseRef: new("a/large")}, {Tenant: new("b")},
	} {
		q.MinTier = elsewherev1.Tier_TIER_LEAD
		links := d.links(t, q).(*elsewherev1.ListLinksResponse).GetLinks()
		why, err := d.ExplainLink(t.Context(), elsewherev1.ExplainLinkRequest_builder{A: "a/large", B: "b/small"}.Build())
		if err != nil {
			t.Fatal(err)
		}
		e := why.GetExplanation()
		if len(links) != 1 || links[0].GetTotalMillibits() != e.GetTotalMillibits() || links[0].GetTier() != e.GetTier() {
			t.Errorf("listed as %v, explained as %d millibits, %v", links, e.GetTotalMillibits(), e.GetTier())
		}
	}
}
