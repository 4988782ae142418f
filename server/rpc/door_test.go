package rpc

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// behindDoor serves on a free port what register is told to, behind a door without
// keys.
func behindDoor(t *testing.T, log *slog.Logger, register func(*grpc.Server, *Door)) *grpc.ClientConn {
	t.Helper()
	store, err := badger.Open(t.Context(), badger.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	tenants, err := access.OpenTenants(t.Context(), store.Kept(), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := access.OpenKeys(t.Context(), store.Kept(), access.NewRules(tenants, false, false, nil), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	door := NewDoor(keys, NewRecorder(nil, tenants), log, Patience{})
	s := grpc.NewServer(door.Options()...)
	register(s, door)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(listener) //nolint:errcheck // it ends with Stop
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// panicking is a service that panics with what it was sent.
type panicking struct {
	elsewherev1.UnimplementedCaseServiceServer
}

func (panicking) SubmitCase(_ context.Context, req *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
	panic(req.GetCase().GetTitle())
}

func (panicking) SubmitCases(s grpc.BidiStreamingServer[elsewherev1.SubmitCasesRequest, elsewherev1.SubmitCasesResponse]) error {
	req, err := s.Recv()
	if err != nil {
		return err
	}
	panic(req.GetSubmit().GetCase().GetTitle())
}

func (panicking) ListCases(context.Context, *elsewherev1.ListCasesRequest) (*elsewherev1.ListCasesResponse, error) {
	return &elsewherev1.ListCasesResponse{}, nil
}

// TestPanicStaysInItsCall panics in a call and on a stream: the caller is told that
// something went wrong, the log where, and neither with what.
func TestPanicStaysInItsCall(t *testing.T) {
	var logged lines
	conn := behindDoor(t, slog.New(slog.NewTextHandler(&logged, nil)), func(s *grpc.Server, d *Door) {
		elsewherev1.RegisterCaseServiceServer(d.Registrar(s), panicking{})
	})
	cases := elsewherev1.NewCaseServiceClient(conn)
	const canary = "zq7canary"
	submit := elsewherev1.SubmitCaseRequest_builder{Case: elsewherev1.Case_builder{Title: canary}.Build()}.Build()
	_, err := cases.SubmitCase(t.Context(), submit)
	stream, streamErr := cases.SubmitCases(t.Context())
	if streamErr != nil {
		t.Fatal(streamErr)
	}
	if err := stream.Send(elsewherev1.SubmitCasesRequest_builder{Submit: submit}.Build()); err != nil {
		t.Fatal(err)
	}
	_, streamErr = stream.Recv()
	for what, err := range map[string]error{"a call": err, "a stream": streamErr} {
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if out := logged.String(); strings.Count(out, "msg=panic") != 2 || strings.Contains(out, canary) || !strings.Contains(out, "door_test.go") {
		t.Errorf("logged %s", out)
	}
	if _, err := cases.ListCases(t.Context(), &elsewherev1.ListCasesRequest{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestServicesBesideTheDoor registers a service without it: nobody gets in.
func TestServicesBesideTheDoor(t *testing.T) {
	conn := behindDoor(t, slog.New(slog.DiscardHandler), func(s *grpc.Server, d *Door) {
		elsewherev1.RegisterCaseServiceServer(s, panicking{})
		grpc_health_v1.RegisterHealthServer(d.Registrar(s), grpc_health_v1.UnimplementedHealthServer{})
	})
	_, err := elsewherev1.NewCaseServiceClient(conn).ListCases(t.Context(), &elsewherev1.ListCasesRequest{})
	if status.Code(err) != codes.Internal {
		t.Errorf("a service beside the door answers %v", err)
	}
	_, err = grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a service behind it answers %v", err)
	}
}
