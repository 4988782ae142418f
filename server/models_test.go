package server_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
)

func (d *deployment) models() elsewherev1.ModelServiceClient {
	return elsewherev1.NewModelServiceClient(d.conn)
}

// reviewed submits pairs of cases with a name in common, which are mostly right, and
// with a sign-in address in common, which never are, and returns what people said.
func (d *deployment) reviewed(t testing.TB) []*elsewherev1.JudgedPair {
	t.Helper()
	var out []*elsewherev1.JudgedPair
	pair := func(kind string, n int, same bool, observable *elsewherev1.Observable) {
		var refs [2]string
		for i := range refs {
			tenant := fmt.Sprintf("%s%d-%d", kind, n, i)
			d.submit(t, newCase(tenant, "1", observable))
			refs[i] = tenant + "/1"
		}
		out = append(out, elsewherev1.JudgedPair_builder{A: refs[0], B: refs[1], Same: same}.Build())
	}
	for n := range 20 {
		pair("name", n, n != 7, obs("domain", fmt.Sprintf("attacker-%d.com", n), "referenced"))
		pair("login", n, false, obs("ip", fmt.Sprintf("45.83.%d.7", n+1), "login_source"))
	}
	return out
}

// scores are all links and some explanations, as text.
func (d *deployment) scores(t testing.TB, judged []*elsewherev1.JudgedPair) (out []string) {
	t.Helper()
	d.settle(t)
	for _, j := range judged {
		tenant, _, _ := strings.Cut(j.GetA(), "/")
		for _, req := range []elsewherev1.ListLinksRequest_builder{{CaseRef: new(j.GetA())}, {Tenant: new(tenant)}} {
			req.MinTier = elsewherev1.Tier_TIER_LEAD
			res, err := d.ListLinks(t.Context(), req.Build())
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range res.GetLinks() {
				l.ClearFirstLinkedAt()
				out = append(out, prototext.Format(l))
			}
		}
		out = append(out, prototext.Format(d.explain(t, j.GetA(), j.GetB())))
	}
	return out
}

func (d *deployment) propose(t testing.TB, judged []*elsewherev1.JudgedPair, dryRun bool) *elsewherev1.ProposeModelResponse {
	t.Helper()
	res, err := d.models().ProposeModel(t.Context(), elsewherev1.ProposeModelRequest_builder{Judged: judged, Note: "a test", DryRun: dryRun}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (d *deployment) apply(t testing.TB, version uint32) {
	t.Helper()
	res, err := d.models().ApplyModel(t.Context(), elsewherev1.ApplyModelRequest_builder{Version: version}.Build())
	if err != nil || res.GetModel().GetVersion() != version || !res.GetModel().GetActive() {
		t.Fatal(res, err)
	}
}

func (d *deployment) activeModel(t testing.TB) *elsewherev1.GetModelResponse {
	t.Helper()
	res, err := d.models().GetModel(t.Context(), &elsewherev1.GetModelRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (d *deployment) listed(t testing.TB) *elsewherev1.ListModelsResponse {
	t.Helper()
	res, err := d.models().ListModels(t.Context(), &elsewherev1.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestModelIsAppliedAndTakenBack follows a model from reviews through its proposal,
// which changes no answer, to being applied, which changes every link, and back,
// after which all answers are what they were, byte for byte.
func TestModelIsAppliedAndTakenBack(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	judged := d.reviewed(t)
	before := d.scores(t, judged)
	base := d.activeModel(t).GetModel().GetVersion()

	if p := d.propose(t, judged, true); p.GetModel() == nil || p.GetModel().GetVersion() != 0 || len(d.listed(t).GetModels()) != len(link.BuiltInVersions()) {
		t.Fatalf("a dry run left %v", d.listed(t))
	}
	p := d.propose(t, judged, false)
	m := p.GetModel()
	if m.GetVersion() != link.FirstOwnVersion || m.GetBaseVersion() != base || m.GetLearnedFromVersion() != base || m.GetActive() ||
		m.GetNote() != "a test" || m.GetReviews() != 40 || m.GetChanged() < 2 || !(m.GetLogLossAfter() < m.GetLogLossBefore()) {
		t.Fatalf("proposed %v", m)
	}
	applied := 0
	for _, c := range p.GetConsidered() {
		if c.GetReason() == "" {
			t.Errorf("no reason: %v", c)
		}
		if c.GetApplied() {
			applied++
		}
	}
	moved := uint32(0)
	for _, c := range p.GetTierChanges() {
		if c.GetFromTier() == c.GetToTier() || c.GetPairs() == 0 {
			t.Errorf("%v", c)
		}
		moved += c.GetPairs()
	}
	if applied < 2 || p.GetPairsCompared() != 40 || moved < 20 {
		t.Errorf("%d applied, %d of %d pairs in another tier", applied, moved, p.GetPairsCompared())
	}
	if diff := cmp.Diff(before, d.scores(t, judged)); diff != "" {
		t.Errorf("a proposal changed answers: %s", diff)
	}

	d.apply(t, m.GetVersion())
	after := d.scores(t, judged)
	for _, a := range after {
		if !strings.Contains(a, "model_version:") || strings.Contains(strings.ReplaceAll(a, "  ", " "), fmt.Sprintf("model_version: %d\n", base)) {
			t.Fatalf("not by the applied model: %s", a)
		}
	}
	if slices.Equal(before, after) {
		t.Error("nothing changed")
	}
	history := d.listed(t).GetHistory()
	if len(history) != 1 || history[0].GetVersion() != m.GetVersion() || history[0].GetPreviousVersion() != base ||
		history[0].GetActivatedBy() != "open" || time.Since(history[0].GetActivatedAt().AsTime()) > time.Hour || history[0].GetRollback() {
		t.Errorf("history %v", history)
	}

	back, err := d.models().RollbackModel(t.Context(), &elsewherev1.RollbackModelRequest{})
	if err != nil || back.GetModel().GetVersion() != base || back.GetPreviousVersion() != m.GetVersion() {
		t.Fatal(back, err)
	}
	if diff := cmp.Diff(before, d.scores(t, judged)); diff != "" {
		t.Errorf("not what it was: %s", diff)
	}
	if history := d.listed(t).GetHistory(); len(history) != 2 || !history[0].GetRollback() {
		t.Errorf("history %v", history)
	}
	_, err = d.models().RollbackModel(t.Context(), &elsewherev1.RollbackModelRequest{})
	refused(t, err, codes.FailedPrecondition, "NOTHING_TO_ROLL_BACK", "")
}

// TestModelLearnedFromAnotherThanTheActive holds that it is applied only where that
// is asked for, and that rollbacks go back step by step.
func TestModelLearnedFromAnotherThanTheActive(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	judged := d.reviewed(t)
	base := d.activeModel(t).GetModel().GetVersion()
	first, second := d.propose(t, judged, false).GetModel(), d.propose(t, judged[:30], false).GetModel()
	if second.GetVersion() != first.GetVersion()+1 {
		t.Fatalf("versions %d and %d", first.GetVersion(), second.GetVersion())
	}
	d.apply(t, first.GetVersion())
	_, err := d.models().ApplyModel(t.Context(), elsewherev1.ApplyModelRequest_builder{Version: second.GetVersion()}.Build())
	refused(t, err, codes.FailedPrecondition, "MODEL_OUTDATED", "another model is active")
	if got := d.activeModel(t).GetModel().GetVersion(); got != first.GetVersion() {
		t.Errorf("model %d is active", got)
	}
	if _, err := d.models().ApplyModel(t.Context(), elsewherev1.ApplyModelRequest_builder{
		Version: second.GetVersion(), EvenIfOutdated: true,
	}.Build()); err != nil {
		t.Fatal(err)
	}
	d.apply(t, second.GetVersion()) // once more does nothing
	for _, want := range []uint32{first.GetVersion(), base} {
		res, err := d.models().RollbackModel(t.Context(), &elsewherev1.RollbackModelRequest{})
		if err != nil || res.GetModel().GetVersion() != want {
			t.Errorf("rolled back to %v, %v; want %d", res, err, want)
		}
	}
	if n := len(d.listed(t).GetHistory()); n != 4 {
		t.Errorf("%d activations", n)
	}
}

// TestModelSurvivesARestart holds that the active model, its constants and its
// history outlive the process, and that no link is by another.
func TestModelSurvivesARestart(t *testing.T) {
	c := server.Config{DataDir: t.TempDir()}
	d := start(t, c)
	judged := d.reviewed(t)
	d.apply(t, d.propose(t, judged, false).GetModel().GetVersion())
	want, model, list := d.scores(t, judged), d.activeModel(t), d.listed(t)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	sound(t, c)
	d = start(t, c)
	if diff := cmp.Diff(model, d.activeModel(t), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(list, d.listed(t), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, d.scores(t, judged)); diff != "" {
		t.Error(diff)
	}
}

// TestStoreOfANewerProgram holds that a store whose active model this program does
// not know is refused, and says why.
func TestStoreOfANewerProgram(t *testing.T) {
	for name, entries := range map[string]map[string]string{
		"model": {
			"model/active/0000000000":  `{"version":77,"previous":1,"at":"2026-01-01T00:00:00Z","by":"open"}`,
			"model/version/0000001000": `{}`,
		},
		"base": {
			"model/active/0000000000":  `{"version":1000,"previous":1,"at":"2026-01-01T00:00:00Z","by":"open"}`,
			"model/version/0000001000": `{"model":{"version":1000,"base":77,"changes":[],"created_at":"2026-01-01T00:00:00Z","note":""}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := start(t, server.Config{DataDir: dir}).stop(); err != nil {
				t.Fatal(err)
			}
			store, err := badger.Open(t.Context(), badger.Options{Dir: filepath.Join(dir, "store")})
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range entries {
				if err := store.Kept().Put(t.Context(), k, []byte(v), time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = server.Open(t.Context(), server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"})
			if err == nil || !strings.Contains(err.Error(), "model 77") || !strings.Contains(err.Error(), "needs a newer program") {
				t.Fatal(err)
			}
		})
	}
}

func TestEveryConstantIsShown(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	for _, version := range link.BuiltInVersions() {
		res, err := d.models().GetModel(t.Context(), elsewherev1.GetModelRequest_builder{Version: version}.Build())
		if err != nil {
			t.Fatal(err)
		}
		m, _ := link.BuiltIn(version)
		want := m.Parameters()
		if len(res.GetParameters()) != len(want) || res.GetModel().GetVersion() != version {
			t.Fatalf("%d constants of model %d, want %d", len(res.GetParameters()), res.GetModel().GetVersion(), len(want))
		}
		for i, p := range res.GetParameters() {
			w := want[i]
			if p.GetName() != w.Name || p.GetValue() != w.Value || p.GetBaseValue() != w.Value || p.GetUnit() != w.Unit || p.GetOrigin() != w.Origin {
				t.Errorf("%v, want %+v", p, w)
			}
		}
		if read, err := link.ParseDefinition([]byte(res.GetDefinition())); err != nil || read.Version != version {
			t.Errorf("definition %s: %v", res.GetDefinition(), err)
		}
	}
	_, err := d.models().GetModel(t.Context(), elsewherev1.GetModelRequest_builder{Version: 4711}.Build())
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "4711") {
		t.Error(err)
	}
	_, err = d.models().ApplyModel(t.Context(), elsewherev1.ApplyModelRequest_builder{Version: 4711}.Build())
	if status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	for _, version := range []uint32{77, 999} {
		if _, err := d.models().ApplyModel(t.Context(), elsewherev1.ApplyModelRequest_builder{Version: version}.Build()); status.Code(err) != codes.NotFound {
			t.Errorf("model %d: %v", version, err)
		}
	}
}

func TestJudgedPairsAreChecked(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	for _, tenant := range []string{"alder", "birch"} {
		d.submit(t, newCase(tenant, "1", obs("domain", "attacker.com")))
	}
	judge := func(a, b string, same bool, weight float64) *elsewherev1.JudgedPair {
		return elsewherev1.JudgedPair_builder{A: a, B: b, Same: same, Weight: weight}.Build()
	}
	good := judge("alder/1", "birch/1", true, 0)
	for _, test := range []struct {
		judged []*elsewherev1.JudgedPair
		note   string
		want   []string
	}{
		{[]*elsewherev1.JudgedPair{good, judge("alder/2", "birch", true, 0), judge("birch/1", "cedar/1", true, -1)}, "", []string{
			"judged[1].a NOT_FOUND", "judged[1].b MALFORMED", "judged[2].b NOT_FOUND", "judged[2].weight OUT_OF_RANGE",
		}},
		{[]*elsewherev1.JudgedPair{judge("alder/1", "alder/1", true, 0)}, "", []string{"judged[0].b SAME_CASE"}},
		{[]*elsewherev1.JudgedPair{good, judge("birch/1", "alder/1", false, 0)}, "", []string{"judged[1].same CONTRADICTION"}},
		{slices.Repeat([]*elsewherev1.JudgedPair{good}, 10_001), "", []string{"judged TOO_MANY"}},
		{nil, "two\nlines", []string{"note INVALID"}},
	} {
		_, err := d.models().ProposeModel(t.Context(), elsewherev1.ProposeModelRequest_builder{Judged: test.judged, Note: test.note}.Build())
		got := violations(err)
		if status.Code(err) != codes.InvalidArgument || len(got) != len(test.want) {
			t.Errorf("%v: %v", test.want, err)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("violation %q, want %q", got[i], test.want[i])
			}
		}
	}
	if p := d.propose(t, []*elsewherev1.JudgedPair{good}, false); p.GetModel() != nil || p.GetReviews() != 1 || len(p.GetConsidered()) == 0 {
		t.Errorf("%v", p)
	}
}

// TestModelFromConfirmedClusters holds that m and the number of siblings come from
// clusters that people confirmed, with the numbers they come from, and that what was
// proposed is what the next version says.
func TestModelFromConfirmedClusters(t *testing.T) {
	d := start(t, server.Config{Memory: true})
	judged := d.reviewed(t)
	for n := range 14 {
		var refs []string
		for i := range 3 {
			tenant := fmt.Sprintf("actor%d-%d", n, i)
			observables := []*elsewherev1.Observable{
				obs("domain", fmt.Sprintf("campaign-%d.net", n), "referenced"),
				obs("file_hash", fmt.Sprintf("%064x", n+1), "referenced"),
				// Of its addresses an actor uses none twice.
				obs("ip", fmt.Sprintf("45.%d.%d.7", 90+n, i), "login_source"),
			}
			d.submit(t, newCase(tenant, "1", observables...))
			refs = append(refs, tenant+"/1")
		}
		for _, pair := range [][2]int{{0, 1}, {1, 2}, {0, 2}} {
			judged = append(judged, elsewherev1.JudgedPair_builder{A: refs[pair[0]], B: refs[pair[1]], Same: true}.Build())
		}
	}
	d.settle(t)
	p := d.propose(t, judged, false)
	considered := make(map[string]*elsewherev1.LearnedParameter)
	for _, c := range p.GetConsidered() {
		considered[c.GetName()] = c
	}
	for name, want := range map[string]struct{ same, different uint32 }{
		"name.other.m": {42, 0}, "kind.file_hash.m": {42, 0}, "siblings": {42 + 19, 0},
	} {
		c := considered[name]
		if c.GetSame() != want.same || c.GetDifferent() != want.different || c.GetReason() == "" {
			t.Errorf("%s: %v, want %d and %d", name, c, want.same, want.different)
		}
	}
	if c := considered["address.unknown.m"]; c.GetSame() != 0 || c.GetDifferent() < 30 || !(c.GetToValue() < c.GetFromValue()) {
		t.Errorf("addresses that no actor uses twice: %v", c)
	}
	if m := p.GetModel(); !(m.GetLogLossAfter() < m.GetLogLossBefore()) {
		t.Errorf("proposed %v", m)
	}
	res, err := d.models().GetModel(t.Context(), elsewherev1.GetModelRequest_builder{Version: p.GetModel().GetVersion()}.Build())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.GetParameters() {
		if want := considered[c.GetName()]; want.GetApplied() && want.GetToValue() != c.GetValue() {
			t.Errorf("%s is %v, proposed was %v", c.GetName(), c.GetValue(), want)
		}
	}
}
