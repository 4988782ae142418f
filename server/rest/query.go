package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// asked are dial options that refuse what a request says in its query and nobody
// reads. The gateway passes over it: a misspelt limit would be none.
func asked() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, res any, conn *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption) error {
			if err := checkQuery(ctx, method); err != nil {
				return err
			}
			return call(ctx, method, req, res, conn, o...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			if err := checkQuery(ctx, method); err != nil {
				return nil, err
			}
			return open(ctx, d, conn, method, o...)
		}),
	}
}

// shownName bounds what is said again of a name, in bytes.
const shownName = 64

// checkQuery returns what is wrong with the query of the request that a call is made
// for.
func checkQuery(ctx context.Context, method string) error {
	x := exchangeOf(ctx)
	if x == nil || x.request.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(x.request.URL.RawQuery)
	if err != nil {
		return status.Error(codes.InvalidArgument, "the query cannot be read")
	}
	input := inputOf(method)
	bad := &errdetails.BadRequest{}
	for name := range query {
		message := ""
		switch {
		case x.request.Method == http.MethodPost || x.request.Method == http.MethodPatch:
			message = "belongs in the body"
		case input == nil || !hasField(input, name):
			message = "there is no such parameter"
		default:
			continue
		}
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: strings.ToValidUTF8(name[:min(len(name), shownName)], ""), Reason: "FIELD_UNKNOWN", Description: message,
		})
	}
	if len(bad.GetFieldViolations()) == 0 {
		return nil
	}
	slices.SortFunc(bad.GetFieldViolations(), func(a, b *errdetails.BadRequest_FieldViolation) int {
		return strings.Compare(a.GetField(), b.GetField())
	})
	first := bad.GetFieldViolations()[0]
	s, err := status.New(codes.InvalidArgument, first.GetField()+": "+first.GetDescription()).WithDetails(bad)
	if err != nil {
		return err
	}
	return s.Err()
}

// inputOf returns what a method takes, nil for one that there is not.
func inputOf(method string) protoreflect.MessageDescriptor {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	if m, ok := d.(protoreflect.MethodDescriptor); ok {
		return m.Input()
	}
	return nil
}

// hasField reports whether a path, as selection.tlp, leads to a field.
func hasField(m protoreflect.MessageDescriptor, path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if m == nil {
			return false
		}
		f := m.Fields().ByTextName(part)
		if f == nil {
			f = m.Fields().ByJSONName(part)
		}
		if f == nil {
			return false
		}
		m = f.Message()
	}
	return true
}
