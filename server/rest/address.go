package rest

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/elsewhere-project/elsewhere/server/jsonform"
)

const (
	// reasonPath is that of a request whose path holds what its fields do not take.
	reasonPath    = "PATH_INVALID"
	reasonNotUTF8 = "NOT_UTF8"
	// shownName bounds what is said again of a name, in bytes.
	shownName = 64
)

// asked are dial options that refuse what a request says in its address and no message
// holds. The gateway passes over a misspelt limit, which would be none.
func asked() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, res any, conn *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption) error {
			if err := readAddress(ctx, method); err != nil {
				return err
			}
			return call(ctx, method, req, res, conn, o...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			if err := readAddress(ctx, method); err != nil {
				return nil, err
			}
			return open(ctx, d, conn, method, o...)
		}),
	}
}

// readAddress returns what is wrong with the address of the request that a call is
// made for, which the gateway has taken.
func readAddress(ctx context.Context, method string) error {
	x := exchangeOf(ctx)
	if x == nil {
		return nil
	}
	if u := x.request.URL; u.RawQuery != "" || !utf8.ValidString(u.Path) {
		if err := checkAddress(inputOf(method), places(ctx), x.request.Method, u); err != nil {
			return err
		}
	}
	x.read = true
	return nil
}

// address finds what is wrong with the path and the query of a request.
type address struct {
	input protoreflect.MessageType
	// places are the fields that the segments of the path fill, "" where a segment is
	// one of the route: of /v1/cases/{case_ref=*/*} that is the last two.
	places []string
	reason string
	bad    errdetails.BadRequest
}

// checkAddress returns an error that names the fields, nil where nothing is wrong.
func checkAddress(input protoreflect.MessageType, places []string, method string, u *url.URL) error {
	if input == nil {
		return nil
	}
	a := &address{input: input, places: places, reason: reasonOf(codes.InvalidArgument)}
	a.path(u)
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return status.Error(codes.InvalidArgument, "the query cannot be read")
	}
	a.query(method, query)
	fields := a.bad.GetFieldViolations()
	if len(fields) == 0 {
		return nil
	}
	slices.SortFunc(fields, func(a, b *errdetails.BadRequest_FieldViolation) int {
		return strings.Compare(a.GetField(), b.GetField())
	})
	fields = slices.CompactFunc(fields, func(a, b *errdetails.BadRequest_FieldViolation) bool { return a.GetField() == b.GetField() })
	s, err := status.New(codes.InvalidArgument, fields[0].GetField()+": "+fields[0].GetDescription()).WithDetails(
		&errdetails.ErrorInfo{Reason: a.reason}, &errdetails.BadRequest{FieldViolations: fields})
	if err != nil {
		return err
	}
	return s.Err()
}

// report adds a field that is wrong.
func (a *address) report(field, reason, message string) {
	a.bad.FieldViolations = append(a.bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
		Field: field, Reason: reason, Description: message,
	})
}

// path checks the segments of the path that fill fields.
func (a *address) path(u *url.URL) {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments[:min(len(segments), len(a.places))] {
		if a.places[i] == "" {
			continue
		}
		_, f := a.field(a.places[i])
		text, err := url.PathUnescape(segment)
		before := len(a.bad.GetFieldViolations())
		switch {
		case f == nil:
		case err != nil || !utf8.ValidString(text):
			a.report(a.places[i], reasonNotUTF8, "not valid UTF-8")
		case f.Kind() != protoreflect.StringKind && runtime.PopulateFieldFromPath(a.input.New().Interface(), a.places[i], text) != nil:
			a.report(a.places[i], jsonform.ReasonType, wanted(f))
		}
		if len(a.bad.GetFieldViolations()) > before {
			a.reason = reasonPath
		}
	}
}

// query checks parameters. The body of a request has all that its path has not.
func (a *address) query(method string, query url.Values) {
	seen := make(map[string]bool)
	none := utilities.NewDoubleArray(nil)
	for name, values := range query {
		canonical, f := a.field(name)
		first, _, _ := strings.Cut(canonical, ".")
		switch {
		case f == nil:
			a.report(strings.ToValidUTF8(name[:min(len(name), shownName)], "\ufffd"), jsonform.ReasonFieldUnknown, "there is no such parameter")
		case slices.Contains(a.places, canonical):
			a.report(canonical, jsonform.ReasonFieldUnknown, "stands in the path")
		case method == http.MethodPost, method == http.MethodPatch, method == http.MethodPut && first != canonical:
			a.report(canonical, jsonform.ReasonFieldUnknown, "belongs in the body")
		case seen[canonical] || len(values) > 1 && !f.IsList():
			a.report(canonical, jsonform.ReasonFieldTwice, "the parameter is there twice")
		case slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }):
			a.report(canonical, reasonNotUTF8, "not valid UTF-8")
		case runtime.PopulateQueryParameters(a.input.New().Interface(), url.Values{name: values}, none) != nil:
			a.report(canonical, jsonform.ReasonType, wanted(f))
		}
		seen[canonical] = true
	}
}

// field returns the field that a path as selection.tlp leads to, with the names of the
// schema, nil for none.
func (a *address) field(path string) (canonical string, f protoreflect.FieldDescriptor) {
	m := a.input.Descriptor()
	var names []string
	for part := range strings.SplitSeq(path, ".") {
		if m == nil {
			return path, nil
		}
		f = m.Fields().ByTextName(part)
		if f == nil {
			f = m.Fields().ByJSONName(part)
		}
		if f == nil {
			return path, nil
		}
		names = append(names, string(f.Name()))
		m = f.Message()
	}
	return strings.Join(names, "."), f
}

// wanted says what a field takes.
func wanted(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.Uint32Kind:
		return fmt.Sprintf("not a whole number from 0 to %d", uint32(math.MaxUint32))
	case protoreflect.BoolKind:
		return "not true or false"
	case protoreflect.EnumKind:
		return "not one of " + strings.Join(jsonform.EnumNames(f.Enum()), ", ")
	case protoreflect.MessageKind:
		switch f.Message().FullName() {
		case "google.protobuf.Timestamp":
			return `not a time as in "2023-02-22T15:04:05Z"`
		case "google.protobuf.Duration":
			return `not a time span as in "3600s"`
		}
	}
	return "cannot be read"
}

// places reads the pattern of the route that a call is made by.
func places(ctx context.Context) []string {
	pattern, _ := runtime.HTTPPathPattern(ctx)
	var fields []string
	name := ""
	for segment := range strings.SplitSeq(pattern, "/") {
		if inner, ok := strings.CutPrefix(segment, "{"); ok {
			name, _, _ = strings.Cut(strings.TrimSuffix(inner, "}"), "=")
		}
		fields = append(fields, name)
		if strings.HasSuffix(segment, "}") {
			name = ""
		}
	}
	return fields
}

// inputOf returns what a method takes, nil for one that there is not.
func inputOf(method string) protoreflect.MessageType {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	m, ok := d.(protoreflect.MethodDescriptor)
	if !ok {
		return nil
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
	if err != nil {
		return nil
	}
	return t
}

// unread returns the error of a request that the gateway could not read, which it
// tells as text with its own names of types in it.
func unread(ctx context.Context, x *exchange, err error) error {
	method, ok := runtime.RPCMethod(ctx)
	if x == nil || x.read || !ok {
		return err
	}
	if found := checkAddress(inputOf(method), places(ctx), x.request.Method, x.request.URL); found != nil {
		return found
	}
	return err
}
