package bench

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// service is a server in this process and one connection to it.
type service struct {
	addr      string
	conn      *grpc.ClientConn
	cases     elsewherev1.CaseServiceClient
	correlate elsewherev1.CorrelationServiceClient
	health    grpc_health_v1.HealthClient
	cancel    context.CancelFunc
	served    chan error
}

func start(ctx context.Context, dir string) (*service, error) {
	s, err := server.Open(ctx, server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	// It ends by stop alone: an interrupted run still closes the store.
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	out := &service{addr: s.Addr(), cancel: cancel, served: make(chan error, 1)}
	go func() { out.served <- s.Serve(serving) }()
	out.conn, err = grpc.NewClient(out.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(server.MessageBytes), grpc.MaxCallSendMsgSize(server.MessageBytes)))
	if err != nil {
		cancel()
		<-out.served
		return nil, err
	}
	out.cases = elsewherev1.NewCaseServiceClient(out.conn)
	out.correlate = elsewherev1.NewCorrelationServiceClient(out.conn)
	out.health = grpc_health_v1.NewHealthClient(out.conn)
	return out, nil
}

func (s *service) stop() error {
	err := s.conn.Close()
	s.cancel()
	if served := <-s.served; err == nil {
		err = served
	}
	return err
}

// settleAnswer is less than the time for which the service holds back the list
// of a tenant's links until its linker has nothing left to do.
const settleAnswer = 1900 * time.Millisecond

// settle waits until all that was submitted is linked, or for a time. It reports
// whether it is.
func (s *service) settle(ctx context.Context, limit time.Duration) (bool, error) {
	for began := time.Now(); ; {
		asked := time.Now()
		_, err := s.correlate.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{Tenant: new("nobody"), PageSize: 1}.Build())
		if err != nil {
			return false, err
		}
		if time.Since(asked) < settleAnswer {
			return true, nil
		}
		if time.Since(began) >= limit {
			return false, nil
		}
	}
}

// quietRounds is how many rounds a preparation waits for the linker.
const quietRounds = 20

// settled is settle as a preparation: rows are measured on a quiet service, or
// marked. Once the linker was not done in time, nobody waits as long for it
// again.
func (r *runner) settled(ctx context.Context) error {
	limit := min(r.Limit, quietRounds*r.Round)
	if r.behind {
		limit = r.Round
	}
	done, err := r.service.settle(ctx, limit)
	r.behind = !done
	return err
}
