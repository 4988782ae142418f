package observe_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

const submitMethod = "/elsewhere.v1.CaseService/SubmitCase"

func TestCallsAreCounted(t *testing.T) {
	d := start(t, server.Config{})
	d.submit(t, newCase("alder", "1", observable("ip", "104.161.20.102")))
	d.submit(t, newCase("birch", "1", observable("ip", "104.161.20.102")))
	if _, err := d.SubmitCase(t.Context(), &elsewherev1.SubmitCaseRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Fatal(err)
	}
	err := d.conn.Invoke(t.Context(), "/elsewhere.v1.CaseService/Oak", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
	d.metrics(t,
		`elsewhere_grpc_request_duration_seconds_count{code="OK",method="`+submitMethod+`"} 2`,
		`elsewhere_grpc_request_duration_seconds_count{code="InvalidArgument",method="`+submitMethod+`"} 1`,
		`elsewhere_grpc_request_duration_seconds_count{code="Unimplemented",method="unknown"} 1`,
		`elsewhere_grpc_request_duration_seconds_bucket{code="OK",method="`+submitMethod+`",le="60"} 2`,
		`elsewhere_grpc_requests_in_flight{method="`+submitMethod+`"} 0`,
		`elsewhere_grpc_messages_total{direction="received",method="`+submitMethod+`"} 3`,
		`elsewhere_grpc_messages_total{direction="sent",method="`+submitMethod+`"} 2`,
		`elsewhere_store_live_cases 2`,
		`elsewhere_linker_backlog_marks 0`,
		`elsewhere_linker_backlog_oldest_age_seconds 0`,
		`elsewhere_linker_sweep_pending 0`,
		`elsewhere_actors_pending 0`,
		`elsewhere_queue_depth{queue="submit"} 0`,
		`elsewhere_queue_depth{queue="storing"} 0`,
		`elsewhere_queue_depth{queue="writer"} 0`,
	)
	_, body := d.get(t, "/metrics")
	for _, want := range []string{
		`(?m)^elsewhere_grpc_request_duration_seconds_bucket\{code="OK",method="` + submitMethod + `",le="0.0001"\} \d`,
		`(?m)^elsewhere_grpc_message_bytes_total\{direction="received",method="` + submitMethod + `"\} [1-9]\d*$`,
		`(?m)^elsewhere_grpc_message_bytes_total\{direction="sent",method="` + submitMethod + `"\} [1-9]\d*$`,
		`(?m)^elsewhere_build_info\{goversion="go1\.[^"]+",revision="[^"]*",version="[^"]+"\} 1$`,
		`(?m)^go_goroutines \d`,
		`(?m)^process_resident_memory_bytes \d`,
	} {
		if !regexp.MustCompile(want).MatchString(body) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestCallsInFlight(t *testing.T) {
	d := start(t, server.Config{})
	stream, err := d.SubmitCases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const gauge = `elsewhere_grpc_requests_in_flight{method="/elsewhere.v1.CaseService/SubmitCases"} `
	d.metrics(t, gauge+"1")
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	d.metrics(t, gauge+"0")
}

// sized is a store that knows its size.
type sized struct{ observe.Store }

func (sized) DiskSize() (lsm, valueLog int64) { return 12, 34 }

func (sized) CacheStats() map[string]graph.CacheStats {
	return map[string]graph.CacheStats{"values": {Hits: 5, Misses: 6, Bytes: 7}}
}

// broken is a store that answers nothing.
type broken struct{ sized }

var errBroken = errors.New("out of order")

func (broken) View(context.Context, func(graph.Snapshot) error) error { return errBroken }

func (broken) Backlog(context.Context, int) (int, time.Time, error) {
	return 0, time.Time{}, errBroken
}

func (broken) Sweep(context.Context) (graph.Sweep, error) { return graph.Sweep{}, errBroken }

func (broken) Touched(context.Context, int) ([]graph.Touched, []graph.TouchMark, error) {
	return nil, nil, errBroken
}

func (broken) Regrouping(context.Context) (graph.Regrouping, error) {
	return graph.Regrouping{}, errBroken
}

// scrape returns the metrics of one store.
func scrape(t *testing.T, store observe.Store, log *slog.Logger) string {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(observe.NewStoreCollector(store)); err != nil {
		t.Fatal(err)
	}
	pages := observe.Pages{Metrics: reg, Ready: func(context.Context) error { return nil }, Loopback: true, Log: log}
	w := httptest.NewRecorder()
	pages.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestBacklogIsShown(t *testing.T) {
	behind := time.Now().Add(-time.Hour)
	store, err := badger.Open(t.Context(), badger.Options{Memory: true, Clock: func() time.Time { return behind }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	// Marks stand where two tenants have a value.
	for _, tenant := range []string{"alder", "birch"} {
		c, _, err := evidence.Parse(evidence.Draft{
			Ref: evidence.Ref{Tenant: tenant, Case: "1"}, Kind: "bec", State: evidence.Open, TLP: evidence.TLPAmber,
			Findings: []evidence.Finding{{Technique: "T1114.003", Observables: []evidence.Observable{
				{Value: evidence.Value{Kind: "ip", Text: "104.161.20.102"}},
				{Value: evidence.Value{Kind: "domain", Text: "example.net"}},
			}}},
		}, evidence.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Submit(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.StartSweep(t.Context(), "another model", true); err != nil {
		t.Fatal(err)
	}
	if err := store.StartRegrouping(t.Context()); err != nil {
		t.Fatal(err)
	}
	body := scrape(t, sized{store}, slog.New(slog.DiscardHandler))
	for _, want := range []string{
		`(?m)^elsewhere_linker_backlog_marks 2$`,
		`(?m)^elsewhere_actors_pending 1$`,
		// A little more than an hour.
		`(?m)^elsewhere_linker_backlog_oldest_age_seconds 36\d\d\.`,
		`(?m)^elsewhere_linker_sweep_pending 1$`,
		`(?m)^elsewhere_store_live_cases 2$`,
		`(?m)^elsewhere_store_disk_bytes\{part="lsm"\} 12$`,
		`(?m)^elsewhere_store_disk_bytes\{part="value_log"\} 34$`,
		`(?m)^elsewhere_store_cache_lookups_total\{cache="values",result="hit"\} 5$`,
		`(?m)^elsewhere_store_cache_lookups_total\{cache="values",result="miss"\} 6$`,
		`(?m)^elsewhere_store_cache_bytes\{cache="values"\} 7$`,
	} {
		if !regexp.MustCompile(want).MatchString(body) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

// TestBrokenStoreHidesNothingElse: the metrics that can be read are shown, and
// the log says why the others are not.
func TestBrokenStoreHidesNothingElse(t *testing.T) {
	var log journal
	body := scrape(t, broken{}, slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(body, `elsewhere_store_disk_bytes{part="lsm"} 12`) || strings.Contains(body, "elsewhere_linker") || strings.Contains(body, "elsewhere_actors") {
		t.Error(body)
	}
	if !strings.Contains(log.String(), errBroken.Error()) {
		t.Errorf("log: %s", log.String())
	}
}
