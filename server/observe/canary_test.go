package observe_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// canary is planted in everything that a caller can say. It is lower case and a
// valid tenant, case, label of a domain and name.
const canary = "zq7canary"

// Forms in which a value is no longer what was sent.
var canaries = []string{canary, "203.0.113.77", "15551234567"}

// TestNothingOfACaseIsShown submits, asks and fails with canaries everywhere and
// then reads whatever the service tells its operator.
func TestNothingOfACaseIsShown(t *testing.T) {
	c := collect(t)
	d := start(t, server.Config{DataDir: t.TempDir(), TraceEndpoint: c.addr})
	ctx := metadata.AppendToOutgoingContext(t.Context(),
		observe.RequestIDKey, "a "+canary, "authorization", "Bearer "+canary, "user-agent", canary,
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage", "tenant="+canary)
	full := func(tenant string) *elsewherev1.Case {
		return elsewherev1.Case_builder{
			Tenant: tenant, Id: canary, Kind: "bec", Title: canary, Source: canary,
			Labels: map[string]string{canary: canary}, References: []string{"https://" + canary + ".example/"},
			Findings: []*elsewherev1.Finding{elsewherev1.Finding_builder{
				Id: canary, Technique: "T1114.003", Operation: canary, Summary: canary,
				Observables: []*elsewherev1.Observable{
					observable("ip", "203.0.113.77"), observable("domain", canary+".example"),
					observable("email", canary+"@example.net"), observable("phone", "+15551234567"),
					observable("url", "https://"+canary+".example/"+canary), observable("rule_name", canary),
				},
			}.Build()},
		}.Build()
	}
	bad := full(canary)
	bad.GetFindings()[0].SetObservables([]*elsewherev1.Observable{
		observable("ip", canary), observable(canary, canary), observable("phone", canary), observable("domain", canary),
	})
	for _, call := range []struct {
		name string
		want codes.Code
		do   func() error
	}{
		{"submit", codes.OK, submitting(ctx, d, full(canary), nil)},
		{"submit to another tenant", codes.OK, submitting(ctx, d, full(canary+"-2"), nil)},
		{"submit what is invalid", codes.InvalidArgument, submitting(ctx, d, bad, nil)},
		{"submit at another revision", codes.Aborted, submitting(ctx, d, full(canary), new(uint32(9)))},
		{"submit to an invalid tenant", codes.InvalidArgument, submitting(ctx, d, full("-"+canary), nil)},
		{"get what is not there", codes.NotFound, func() error {
			_, err := d.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: canary + "/" + canary + "3"}.Build())
			return err
		}},
		{"delete what is not there", codes.NotFound, func() error {
			_, err := d.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: canary + "/" + canary + "3"}.Build())
			return err
		}},
		{"get a bad ref", codes.InvalidArgument, func() error {
			_, err := d.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: canary + "//" + canary}.Build())
			return err
		}},
		{"list with a bad token", codes.InvalidArgument, func() error {
			_, err := d.ListCases(ctx, elsewherev1.ListCasesRequest_builder{Tenant: canary, PageToken: canary}.Build())
			return err
		}},
		{"ask", codes.OK, func() error {
			_, err := d.Seen(ctx, elsewherev1.SeenRequest_builder{
				Observables: []*elsewherev1.Observable{observable("", canary), observable("ip", "203.0.113.77"), observable(canary, canary)},
			}.Build())
			return err
		}},
		{"explain", codes.OK, func() error {
			_, err := d.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: canary + "/" + canary, B: canary + "-2/" + canary}.Build())
			return err
		}},
		{"explain what is not there", codes.NotFound, func() error {
			_, err := d.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: canary + "/" + canary, B: canary + "/gone"}.Build())
			return err
		}},
		{"call what does not exist", codes.Unimplemented, func() error {
			return d.conn.Invoke(ctx, "/"+canary+".v1/"+canary, &emptypb.Empty{}, &emptypb.Empty{})
		}},
		{"call a method that does not exist", codes.Unimplemented, func() error {
			return d.conn.Invoke(ctx, "/elsewhere.v1.CaseService/"+canary, &emptypb.Empty{}, &emptypb.Empty{})
		}},
		{"stream", codes.OK, func() error { return streaming(ctx, d, full(canary+"-4"), bad) }},
		{"give up", codes.Canceled, func() error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := d.Seen(ctx, nil)
			return err
		}},
	} {
		if got := status.Code(call.do()); got != call.want {
			t.Errorf("%s: %s, not %s", call.name, got, call.want)
		}
	}
	d.metrics(t, `elsewhere_store_live_cases 3`, `elsewhere_linker_backlog_marks 0`,
		`elsewhere_grpc_request_duration_seconds_count{code="Unimplemented",method="unknown"} 2`)
	told := everythingTold(t, d, c)
	lookForCanaries(t, told, canaries...)
	// Else there is nothing to find.
	if failed := strings.Count(told["log"], `"msg":"request failed"`); failed < 10 {
		t.Errorf("%d failures in the log:\n%s", failed, told["log"])
	}
	if spans := len(c.spans()); spans < 10 {
		t.Errorf("%d spans", spans)
	}
}

// everythingTold stops the service and returns what it tells its operator, by place.
func everythingTold(t *testing.T, d *deployment, c *traces) map[string]string {
	t.Helper()
	told := map[string]string{}
	for _, path := range []string{
		"/metrics", "/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1",
		"/" + canary,
	} {
		_, told[path] = d.get(t, path)
	}
	d.stop(t)
	told["log"] = d.log.String()
	told["traces"] = c.String()
	return told
}

func lookForCanaries(t *testing.T, told map[string]string, secrets ...string) {
	t.Helper()
	for what, text := range told {
		for _, secret := range secrets {
			if i := strings.Index(strings.ToLower(text), secret); i >= 0 {
				t.Errorf("%s has %q: …%s…", what, secret, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
}

func submitting(ctx context.Context, d *deployment, c *elsewherev1.Case, expected *uint32) func() error {
	return func() error {
		_, err := d.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c, ExpectedRevision: expected}.Build())
		return err
	}
}

// streaming submits cases on one stream and waits for every answer.
func streaming(ctx context.Context, d *deployment, cases ...*elsewherev1.Case) error {
	stream, err := d.SubmitCases(ctx)
	if err != nil {
		return err
	}
	for _, c := range cases {
		submit := elsewherev1.SubmitCaseRequest_builder{Case: c}.Build()
		if err := stream.Send(elsewherev1.SubmitCasesRequest_builder{Submit: submit}.Build()); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
