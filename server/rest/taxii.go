package rest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/export/taxii"
)

// TAXII returns what answers below /taxii2/, over the same link as REST, so that keys,
// roles, limits, disclosure and the record are the same. Title is what discovery says.
func TAXII(l *Link, title string, o Options) (http.Handler, error) {
	handler := taxii.Handler(collections{elsewherev1.NewExportServiceClient(l.conn)}, taxii.Options{Title: title, BodyBytes: o.BodyBytes})
	return compress(taxiiGuard(o, handler))
}

// taxiiGuard is guard for a protocol that browsers do not speak and that takes no
// bodies.
func taxiiGuard(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		switch {
		case foreign(r):
			TAXIIProblem(Problem{Status: http.StatusForbidden, Reason: "ORIGIN", Detail: "asked for by a page of another site"}).Write(w)
		case r.ContentLength > o.BodyBytes:
			TAXIIProblem(problemOfBody(&http.MaxBytesError{Limit: o.BodyBytes})).Write(w)
		default:
			serve(o, withoutQuery(next), w, r)
		}
	})
}

// withoutQuery keeps the query from what checks those of REST.
func withoutQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(withExchange(r.Context(), nil)))
	})
}

// TAXIIProblem is a problem as TAXII tells it.
func TAXIIProblem(p Problem) *taxii.Error {
	e := &taxii.Error{
		Status: p.Status, Title: http.StatusText(p.Status), Description: p.Detail, Code: p.Reason, RequestID: p.RequestID, RetryAfter: p.RetryAfterSeconds,
	}
	for _, f := range p.Errors {
		if e.Details == nil {
			e.Details = make(map[string]string)
		}
		e.Details[f.Path] = f.Message
	}
	return e
}

// collections answers TAXII from the service.
type collections struct {
	service elsewherev1.ExportServiceClient
}

// call is a call on behalf of who asks. What the service calls it comes back in id.
func call(ctx context.Context, by taxii.Caller, id *metadata.MD) (context.Context, grpc.CallOption) {
	pairs := []string{peerKey, by.Address}
	for _, header := range [][2]string{
		{"authorization", by.Authorization}, {requestIDKey, by.RequestID}, {"traceparent", by.Traceparent}, {"tracestate", by.Tracestate},
	} {
		if header[0] == "authorization" && !printable(header[1]) {
			// Sent on it is no header at all, and the fault would be ours.
			header[1] = "Bearer"
		}
		if header[1] != "" && printable(header[1]) {
			pairs = append(pairs, header[0], header[1])
		}
	}
	return metadata.NewOutgoingContext(ctx, metadata.Pairs(pairs...)), grpc.Header(id)
}

// printable reports whether a text can be a value of metadata.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// refusal maps an error of the service. A role that may not read collections is told of
// none, as is who asks for one that there is not.
func refusal(err error, id metadata.MD) error {
	if err == nil {
		return nil
	}
	p := problemOf(err, &http.Request{Header: http.Header{}, URL: &url.URL{}})
	if p.Status == http.StatusForbidden {
		p = Problem{Status: http.StatusNotFound, Reason: "NOT_FOUND", Detail: "no such collection"}
	}
	for _, given := range id.Get(requestIDKey) {
		p.RequestID = given
	}
	return TAXIIProblem(p)
}

// Known implements taxii.Source.
func (c collections) Known(ctx context.Context, by taxii.Caller) error {
	var id metadata.MD
	ctx, header := call(ctx, by, &id)
	_, err := c.service.ListCollections(ctx, elsewherev1.ListCollectionsRequest_builder{PageSize: 1}.Build(), header)
	return refusal(err, id)
}

// Collections implements taxii.Source.
func (c collections) Collections(ctx context.Context, by taxii.Caller) ([]taxii.Collection, error) {
	var id metadata.MD
	ctx, header := call(ctx, by, &id)
	res, err := c.service.ListCollections(ctx, elsewherev1.ListCollectionsRequest_builder{PageSize: taxii.MaxCollections}.Build(), header)
	if err != nil {
		return nil, refusal(err, id)
	}
	var out []taxii.Collection
	for _, one := range res.GetCollections() {
		out = append(out, taxiiCollection(one))
	}
	return out, nil
}

// Collection implements taxii.Source.
func (c collections) Collection(ctx context.Context, by taxii.Caller, name string) (taxii.Collection, error) {
	var id metadata.MD
	ctx, header := call(ctx, by, &id)
	res, err := c.service.GetCollection(ctx, elsewherev1.GetCollectionRequest_builder{Collection: name}.Build(), header)
	return taxiiCollection(res.GetCollection()), refusal(err, id)
}

func taxiiCollection(c *elsewherev1.Collection) taxii.Collection {
	of := "all cases"
	if c.GetActor() != "" {
		of = "cases of " + c.GetActor()
	}
	return taxii.Collection{
		ID: c.GetId(), Alias: c.GetAlias(), Title: c.GetTitle(),
		Description: "What may be handed on as TLP:" + c.GetTlp() + " of " + of + " that the key reads.",
	}
}

// Objects implements taxii.Source.
func (c collections) Objects(ctx context.Context, by taxii.Caller, name string, q taxii.Query) (taxii.Page, error) {
	var id metadata.MD
	ctx, header := call(ctx, by, &id)
	b := elsewherev1.ListCollectionObjectsRequest_builder{
		Collection: name, PageSize: uint32(q.Limit), PageToken: q.Next, Ids: q.IDs, Types: q.Types, Versions: q.Versions, SpecVersions: q.SpecVersions, OmitStix: q.Bare,
	}
	if !q.AddedAfter.IsZero() {
		b.AddedAfter = timestamppb.New(q.AddedAfter)
	}
	res, err := c.service.ListCollectionObjects(ctx, b.Build(), header)
	if err != nil {
		return taxii.Page{}, refusal(err, id)
	}
	page := taxii.Page{Next: res.GetNextPageToken()}
	for _, o := range res.GetObjects() {
		page.Objects = append(page.Objects, taxii.Object{
			ID: o.GetId(), Version: timeOf(o.GetVersion()), Added: timeOf(o.GetAddTime()), JSON: o.GetStix(),
		})
	}
	return page, nil
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
