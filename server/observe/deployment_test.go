package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// within bounds every wait for something that happens in the background.
const within = time.Minute

// deployment is a server under test, seen as its users and operators see it.
type deployment struct {
	elsewherev1.CaseServiceClient
	elsewherev1.CorrelationServiceClient
	conn   *grpc.ClientConn
	http   string // address
	key    string // the first one, if Config.Init asked for it
	log    *journal
	cancel context.CancelFunc
	served chan error
}

// start serves c on free ports until stop or the end of the test.
func start(t *testing.T, c server.Config) *deployment {
	t.Helper()
	d := &deployment{log: &journal{}, served: make(chan error, 1)}
	c.GRPCAddr, c.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	c.Memory = c.DataDir == ""
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewJSONHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	s, err := server.Open(ctx, c)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		d.served <- s.Serve(ctx)
		close(d.served)
	}()
	t.Cleanup(func() { d.stop(t) })
	d.http = s.HTTPAddr()
	if key, ok := s.FirstKey(); ok {
		d.key = key.Reveal()
	}
	if d.conn, err = grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.conn.Close() })
	d.CaseServiceClient = elsewherev1.NewCaseServiceClient(d.conn)
	d.CorrelationServiceClient = elsewherev1.NewCorrelationServiceClient(d.conn)
	return d
}

// stop ends the service; afterwards the log is complete.
func (d *deployment) stop(t *testing.T) {
	t.Helper()
	d.cancel()
	if err := <-d.served; err != nil {
		t.Error(err)
	}
}

func (d *deployment) submit(t *testing.T, c *elsewherev1.Case) {
	t.Helper()
	if _, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()); err != nil {
		t.Fatal(err)
	}
}

func newCase(tenant, id string, observables ...*elsewherev1.Observable) *elsewherev1.Case {
	return elsewherev1.Case_builder{
		Tenant: tenant, Id: id, Kind: "bec",
		Findings: []*elsewherev1.Finding{elsewherev1.Finding_builder{Technique: "T1114.003", Observables: observables}.Build()},
	}.Build()
}

func observable(kind, value string) *elsewherev1.Observable {
	return elsewherev1.Observable_builder{Kind: kind, Value: value}.Build()
}

// get reads a page.
func (d *deployment) get(t *testing.T, path string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.http+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (code int, body string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// until reads a page again and again until accept takes it: the end of a call is
// counted after the caller has its answer.
func (d *deployment) until(t *testing.T, path string, accept func(code int, body string) bool) string {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		code, body := d.get(t, path)
		if accept(code, body) {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s stays as it is: %d\n%s", path, code, body)
		}
	}
}

// metrics waits until /metrics has each of the lines.
func (d *deployment) metrics(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		d.until(t, "/metrics", func(_ int, body string) bool { return strings.Contains("\n"+body, "\n"+line+"\n") })
	}
}

// journal keeps a log.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// line is a line of the log, in JSON.
type line struct {
	Level     string
	Msg       string
	Method    string
	Code      string
	RequestID string   `json:"request_id"`
	Duration  *float64 `json:"duration_ms"`
}

// lines returns what the log says of requests.
func (j *journal) lines(t *testing.T) []line {
	t.Helper()
	var lines []line
	for text := range strings.Lines(j.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if l.Method != "" {
			lines = append(lines, l)
		}
	}
	return lines
}
