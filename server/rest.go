package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/taxii"
	"github.com/elsewhere-project/elsewhere/server/rest"
	"github.com/elsewhere-project/elsewhere/server/rpc"
	"github.com/elsewhere-project/elsewhere/server/web/session"
)

// restPrefix is where REST begins.
const restPrefix = "/v1/"

// restSide answers over HTTP what the gRPC server answers, through a gRPC server of
// its own that nothing but the link reaches.
type restSide struct {
	link    *rest.Link
	grpc    *grpc.Server
	handler http.Handler
	// leave ends the gateway.
	leave context.CancelFunc
}

// openREST makes the side; register gives it its services.
func (s *Server) openREST(c Config, door *rpc.Door, register func(*grpc.Server)) (*restSide, error) {
	link, err := rest.NewLink(MessageBytes)
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancel(context.Background())
	options := rest.Options{
		BodyBytes: MessageBytes, Origins: c.RESTOrigins,
		BodyWithin: cmp.Or(c.Patience.CallWithin, rpc.DefaultCallWithin), WriteWithin: cmp.Or(c.Patience.SendWithin, rpc.DefaultSendWithin),
	}
	handler, err := rest.Handler(ctx, link, options)
	var feeds http.Handler
	if err == nil {
		feeds, err = rest.TAXII(link, cmp.Or(c.Producer, export.DefaultProducer), options)
	}
	if err != nil {
		leave()
		return nil, errors.Join(err, link.Close())
	}
	inner := grpc.NewServer(slices.Concat(
		rest.ServerOptions(),
		[]grpc.ServerOption{grpc.MaxRecvMsgSize(MessageBytes), grpc.MaxSendMsgSize(MessageBytes), grpc.MaxHeaderListSize(maxHeaderBytes)},
		s.telemetry.options(), door.Options(),
	)...)
	register(inner)
	either := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if taxii.Handles(r.URL.Path) {
			feeds.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
	return &restSide{link, inner, either, leave}, nil
}

// serve answers until stop.
func (r *restSide) serve() error {
	if err := r.grpc.Serve(r.link.Listener()); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// stop ends what the HTTP side has not ended.
func (r *restSide) stop() {
	r.grpc.Stop()
	r.leave()
	// Both of its ends are gone.
	_ = r.link.Close()
}

// checkOrigins returns an error for the first text that is no origin.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || o != u.Scheme+"://"+u.Host {
			return fmt.Errorf("origin %.100q: want https://HOST or https://HOST:PORT", o)
		}
	}
	return nil
}

// split sends requests for REST and TAXII to one handler and all others to another.
func split(api, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if forREST(r) {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

func forREST(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, restPrefix) || taxii.Handles(r.URL.Path)
}

// withoutKeys refuses requests with a key in their address or in a header where none
// belongs: whoever sent it believes that it does, and addresses are logged on the way.
func withoutKeys(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found := access.HoldsKey(r.RequestURI) || access.HoldsKey(r.URL.Path) || access.HoldsKey(r.URL.RawQuery)
		for name, values := range r.Header {
			if name == "Authorization" && (forREST(r) || r.URL.Path == session.Path) && len(values) == 1 {
				continue
			}
			for _, v := range values {
				found = found || access.HoldsKey(v)
			}
		}
		misplaced := rest.Problem{Status: http.StatusBadRequest, Reason: "KEY_MISPLACED", Detail: access.ErrMisplacedKey.Error()}
		switch {
		case found && taxii.Handles(r.URL.Path):
			rest.TAXIIProblem(misplaced).Write(w)
		case found && forREST(r):
			misplaced.Write(w)
		case found:
			http.Error(w, access.ErrMisplacedKey.Error(), http.StatusBadRequest)
		default:
			h.ServeHTTP(w, r)
		}
	})
}
