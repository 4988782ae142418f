package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// service is a server in a process of its own and one connection to it.
type service struct {
	*process
	addr, metrics string
	http          *http.Client
	conn          *grpc.ClientConn
	cases         elsewherev1.CaseServiceClient
	correlate     elsewherev1.CorrelationServiceClient
	health        grpc_health_v1.HealthClient
	stopProfiles  func()
}

// What the lines begin with by which a service says where it listens, each followed by
// an address and a comma. That of the first comes before that of the second.
const (
	saysHTTP = "metrics"
	saysGRPC = "gRPC"
)

// errStart is returned where a service does not start.
var errStart = errors.New("the service does not start")

// start runs a service on a folder until it is stopped: an interrupted run still
// lets it close the store.
func (r *runner) start(ctx context.Context, dir string) (*service, error) {
	cmd := r.Program(append([]string{"serve", "--data", dir, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"}, r.ServeFlags...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	s := &service{http: &http.Client{Transport: &http.Transport{}}, stopProfiles: func() {}}
	listening := make(chan struct{})
	s.process, err = launch(cmd, stderr, func(line string) {
		words := strings.Fields(line)
		if len(words) < 2 || !strings.HasSuffix(words[1], ",") {
			return
		}
		addr := strings.TrimSuffix(words[1], ",")
		switch {
		case words[0] == saysHTTP:
			s.metrics = strings.TrimSuffix(strings.TrimPrefix(addr, "http://"), "/metrics")
		case words[0] == saysGRPC && s.addr == "":
			s.addr = addr
			close(listening)
		}
	})
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	select {
	case <-listening:
		err = s.connect()
	case <-s.exited:
		err = s.failure(errStart)
	case <-timer.C:
		err = s.failure(errStart)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.kill()
		<-s.exited
		return nil, err
	}
	if r.Profiles != "" {
		s.stopProfiles = r.profile(s)
	}
	return s, nil
}

func (s *service) connect() (err error) {
	s.conn, err = grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(server.MessageBytes), grpc.MaxCallSendMsgSize(server.MessageBytes)))
	if err != nil {
		return err
	}
	s.cases = elsewherev1.NewCaseServiceClient(s.conn)
	s.correlate = elsewherev1.NewCorrelationServiceClient(s.conn)
	s.health = grpc_health_v1.NewHealthClient(s.conn)
	return nil
}

func (s *service) stop() error {
	err := errors.Join(s.conn.Close(), s.process.stop())
	s.stopProfiles()
	s.http.CloseIdleConnections()
	return err
}

// crash ends the service without a warning.
func (s *service) crash() error {
	s.kill()
	<-s.exited
	s.stopProfiles()
	s.http.CloseIdleConnections()
	return s.conn.Close()
}

// Pauses between two looks at the backlog: a look counts the marks, so it is
// left at a share of the time.
const (
	leastPause  = 10 * time.Millisecond
	mostPause   = 500 * time.Millisecond
	pausePerAsk = 20
)

// settle waits until the service is as far as is asked, or for a time. It reports
// whether it is.
func (r *runner) settle(ctx context.Context, s *service, limit time.Duration, far func(backlog) bool) (bool, error) {
	for began := time.Now(); ; {
		asked := time.Now()
		b, err := s.backlog(ctx)
		if err != nil {
			return false, err
		}
		took := time.Since(asked)
		if far(b) {
			return true, nil
		}
		if time.Since(began) >= limit {
			return false, nil
		}
		r.Progress("waiting for links and actors: " + b.String())
		if err := wait(ctx, min(max(pausePerAsk*took, leastPause), mostPause)); err != nil {
			return false, err
		}
	}
}

func (b backlog) String() string {
	switch {
	case b.marks == 0 && b.sweeping:
		return "a look at every value is under way"
	case b.marks == 0:
		return "actors are not current"
	}
	return fmt.Sprintf("%d values to go, the oldest for %v", b.marks, b.age.Round(time.Second))
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
	done, err := r.settle(ctx, r.service, limit, backlog.done)
	r.behind = !done
	return err
}
