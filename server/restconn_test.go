package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// restRoute is one way to call an RPC.
type restRoute struct{ verb, path, body string }

// restRoutes reads the routes of every RPC, by its gRPC name.
func restRoutes(t testing.TB) map[string][]restRoute {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "proto", "rest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	routes := make(map[string][]restRoute)
	method := ""
	line := regexp.MustCompile(`^[ -]+(selector|get|put|post|patch|delete|body): "?([^"]*)"?$`)
	for text := range strings.Lines(string(raw)) {
		m := line.FindStringSubmatch(strings.TrimRight(text, "\n"))
		switch {
		case m == nil:
		case m[1] == "selector":
			at := strings.LastIndexByte(m[2], '.')
			method = "/" + m[2][:at] + "/" + m[2][at+1:]
		case m[1] == "body":
			routes[method][len(routes[method])-1].body = m[2]
		default:
			routes[method] = append(routes[method], restRoute{strings.ToUpper(m[1]), m[2], ""})
		}
	}
	return routes
}

// restConn carries the calls of generated clients over REST.
type restConn struct {
	site
	routes map[string][]restRoute
	client *http.Client
	// asked and answered are told of what goes over the wire, unless nil.
	asked    func(*http.Request)
	answered func(line []byte)
}

// overREST returns who asks over REST.
func overREST(t testing.TB, s site) caller {
	t.Helper()
	conn := newRESTConn(t, s)
	return caller{
		elsewherev1.NewCaseServiceClient(conn), elsewherev1.NewCorrelationServiceClient(conn),
		elsewherev1.NewEnrichmentServiceClient(conn), elsewherev1.NewAdminServiceClient(conn),
		elsewherev1.NewExportServiceClient(conn), nil, nil,
	}
}

func newRESTConn(t testing.TB, s site) *restConn {
	c := &restConn{site: s, routes: restRoutes(t), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

var _ grpc.ClientConnInterface = (*restConn)(nil)

// placeholder is a field in a path.
var placeholder = regexp.MustCompile(`\{([a-z_.]+)(=\*/\*)?\}`)

// request makes the request of a call.
func (c *restConn) request(ctx context.Context, method string, m proto.Message) (*http.Request, error) {
	routes := c.routes[method]
	if len(routes) == 0 {
		return nil, status.Error(codes.Unimplemented, "no route for "+method)
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	query := url.Values{}
	flatten(query, "", fields)
	route := routes[0]
	for _, r := range routes {
		// The first whose places are filled.
		filled := true
		for _, p := range placeholder.FindAllStringSubmatch(r.path, -1) {
			filled = filled && query.Get(p[1]) != ""
		}
		if filled {
			route = r
			break
		}
	}
	path := placeholder.ReplaceAllStringFunc(route.path, func(p string) string {
		name := placeholder.FindStringSubmatch(p)[1]
		value := query.Get(name)
		query.Del(name)
		a, b, two := strings.Cut(value, "/")
		if two {
			return url.PathEscape(a) + "/" + url.PathEscape(b)
		}
		return url.PathEscape(a)
	})
	var body io.Reader = http.NoBody
	switch route.body {
	case "":
		if len(query) > 0 {
			path += "?" + query.Encode()
		}
	case "*":
		body = bytes.NewReader(raw)
	default:
		part, err := json.Marshal(fields[route.body])
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(part)
	}
	return c.make(ctx, route.verb, path, body, "application/json")
}

func (c *restConn) make(ctx context.Context, verb, path string, body io.Reader, kind string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, verb, "http://"+c.addr+path, body)
	if err != nil {
		return nil, err
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	req.Header.Set("Content-Type", kind)
	if c.asked != nil {
		c.asked(req)
	}
	return req, nil
}

// flatten writes fields as a query has them.
func flatten(query url.Values, prefix string, fields map[string]any) {
	for name, value := range fields {
		switch value := value.(type) {
		case map[string]any:
			flatten(query, prefix+name+".", value)
		case []any:
			for _, v := range value {
				query.Add(prefix+name, fmt.Sprint(v))
			}
		default:
			query.Set(prefix+name, fmt.Sprint(value))
		}
	}
}

// broken is the error of an answer that did not come.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(codes.Internal, err.Error())
}

// statusOf turns a problem into the error of a call, without what differs each time.
func statusOf(code int, body []byte) error {
	var p struct {
		Reason, Detail string
		Errors         json.RawMessage
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Reason == "" {
		return status.Errorf(codes.Internal, "%d without a problem: %s", code, body)
	}
	known := map[int]codes.Code{
		400: codes.InvalidArgument, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 404: codes.NotFound,
		409: codes.FailedPrecondition, 410: codes.OutOfRange, 429: codes.ResourceExhausted, 500: codes.Internal, 501: codes.Unimplemented,
	}
	c, ok := known[code]
	if !ok {
		c = codes.Unknown
	}
	return status.Errorf(c, "%d %s %s %s", code, p.Reason, p.Detail, p.Errors)
}

func (c *restConn) Invoke(ctx context.Context, method string, args, answer any, _ ...grpc.CallOption) error {
	req, err := c.request(ctx, method, args.(proto.Message))
	if err != nil {
		return err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return broken(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return broken(ctx, err)
	}
	if res.StatusCode >= 300 {
		return statusOf(res.StatusCode, body)
	}
	if c.answered != nil {
		c.answered(body)
	}
	return protojson.Unmarshal(body, answer.(proto.Message))
}

func (c *restConn) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	s := &restStream{conn: c, ctx: ctx, method: method}
	if d.ClientStreams {
		r, w := io.Pipe()
		s.send = w
		route := c.routes[method][0]
		req, err := c.make(ctx, route.verb, route.path, r, "application/x-ndjson")
		if err != nil {
			return nil, err
		}
		s.begin(req)
	}
	return s, nil
}

// restStream is a stream over REST: a line for each message.
type restStream struct {
	grpc.ClientStream
	conn   *restConn
	ctx    context.Context
	method string
	send   *io.PipeWriter // nil where one message is sent
	res    chan restResult
	in     *json.Decoder
	closer io.Closer
}

type restResult struct {
	*http.Response
	err error
}

func (s *restStream) begin(req *http.Request) {
	s.res = make(chan restResult, 1)
	go func() {
		res, err := s.conn.client.Do(req)
		if s.send != nil && (err != nil || res.StatusCode >= 300) {
			s.send.CloseWithError(io.EOF)
		}
		s.res <- restResult{res, err}
	}()
}

func (s *restStream) Context() context.Context     { return s.ctx }
func (s *restStream) Header() (metadata.MD, error) { return nil, nil }

func (s *restStream) SendMsg(m any) error {
	if s.send == nil {
		req, err := s.conn.request(s.ctx, s.method, m.(proto.Message))
		if err != nil {
			return err
		}
		s.begin(req)
		return nil
	}
	line, err := protojson.Marshal(m.(proto.Message))
	if err != nil {
		return err
	}
	if _, err := s.send.Write(append(line, '\n')); err != nil {
		return io.EOF
	}
	return nil
}

func (s *restStream) CloseSend() error {
	if s.send != nil {
		return s.send.Close()
	}
	return nil
}

func (s *restStream) RecvMsg(m any) error {
	if s.in == nil {
		res := <-s.res
		if res.err != nil {
			return broken(s.ctx, res.err)
		}
		if res.StatusCode >= 300 {
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return broken(s.ctx, err)
			}
			return statusOf(res.StatusCode, body)
		}
		s.in, s.closer = json.NewDecoder(res.Body), res.Body
	}
	var line json.RawMessage
	if err := s.in.Decode(&line); err != nil {
		s.closer.Close()
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return broken(s.ctx, err)
	}
	var failed struct{ Error json.RawMessage }
	if m.(proto.Message).ProtoReflect().Descriptor().Fields().ByName("error") == nil &&
		json.Unmarshal(line, &failed) == nil && failed.Error != nil {
		s.closer.Close()
		var p struct{ Status int }
		if err := json.Unmarshal(failed.Error, &p); err != nil {
			return err
		}
		return statusOf(p.Status, failed.Error)
	}
	if s.conn.answered != nil {
		s.conn.answered(line)
	}
	return protojson.Unmarshal(line, m.(proto.Message))
}
