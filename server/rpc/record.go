package rpc

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/observe"
)

// Recorder puts calls on record: what they changed in the batch that changes it, what
// they told before it is sent, and how many were refused.
type Recorder struct {
	trail   *audit.Trail
	tenants *access.Tenants
	// methods are the names that an entry may have, by full name.
	methods map[string]string
}

// NewRecorder returns a recorder on a trail, which has to run. Without a trail nothing
// is recorded.
func NewRecorder(trail *audit.Trail, tenants *access.Tenants) *Recorder {
	r := &Recorder{trail: trail, tenants: tenants, methods: make(map[string]string)}
	if trail == nil {
		return r
	}
	for _, m := range access.Methods() {
		if m.Recorded() {
			r.methods[m.Full()] = m.Short()
		}
	}
	return r
}

// records reports whether calls of a method go on record.
func (r *Recorder) records(fullMethod string) bool { return r.methods[fullMethod] != "" }

// unknownMethod stands for every method that there is none of.
const unknownMethod = "unknown"

// recordedCall is a call on its way to the record.
type recordedCall struct {
	*Recorder
	entry     audit.Entry
	request   proto.Message
	note      *graph.Note // nil for who only reads
	mentioned *audit.Mentions
	told      *told
}

// begin returns a call of a method and a context by which what it changes leaves an
// entry.
func (r *Recorder) begin(ctx context.Context, fullMethod string, request proto.Message) (context.Context, *recordedCall) {
	viewer, err := access.From(ctx)
	if err != nil {
		viewer = access.Viewer{}
	}
	c := &recordedCall{Recorder: r, request: request, told: newTold(r.tenants)}
	c.entry = audit.Entry{Key: viewer.Who(), Method: r.methods[fullMethod], Code: audit.CodeOK}
	if viewer.Role() != 0 {
		c.entry.Role = viewer.Role().String()
	}
	c.entry.Content = &audit.Content{Request: observe.RequestID(ctx), Of: viewer.Of()}
	if onlyReads(fullMethod) {
		return ctx, c
	}
	ctx, c.mentioned = audit.WithMentions(ctx)
	c.note = r.trail.Note(c.change)
	return graph.WithNote(ctx, c.note), c
}

// onlyReads reports whether a method changes nothing but what the service keeps for
// itself, as answers of third parties. Any other may change something.
func onlyReads(fullMethod string) bool {
	name := fullMethod[strings.LastIndexByte(fullMethod, '/')+1:]
	for _, verb := range []string{"Get", "List", "Seen", "Explain", "Enrich", "Watch", "Audit", "Export", "WhoAmI", "Stats"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}

// change is the entry of what the call is about to change.
func (c *recordedCall) change() audit.Entry {
	e := c.entry
	content := *e.Content
	named := c.changed()
	content.Tenants, content.Subjects = named.list(), c.mentioned.Subjects()
	content.Digest = c.digest()
	e.Counts, e.Content = named.counts, &content
	return e
}

// changed gathers whose things the call changes.
func (c *recordedCall) changed() *told {
	named := newTold(c.tenants)
	named.request(c.request)
	for _, tenant := range c.mentioned.Tenants() {
		named.name(tenant)
	}
	return named
}

// digest is made once: a request may be large.
func (c *recordedCall) digest() string {
	if c.entry.Content.Digest == "" && c.request != nil {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.request)
		if err == nil {
			c.entry.Content.Digest = c.trail.Digest(c.entry.Method, raw)
		}
	}
	return c.entry.Content.Digest
}

// answered records what an answer tells. With an error it must not be sent.
func (c *recordedCall) answered(ctx context.Context, response proto.Message) error {
	if c.note != nil {
		c.trail.Wake()
	}
	if response != nil {
		c.told.response(response)
		c.told.values(c.request, response)
	}
	// The change has its entry already; only what it told of others is missing.
	if c.note != nil && c.note.Left() && !c.told.beyond(c.changed()) {
		return nil
	}
	return c.record(ctx)
}

func (c *recordedCall) record(ctx context.Context) error {
	c.digest()
	e := c.entry
	content := *e.Content
	content.Tenants, content.Values = c.told.list(), c.told.asked
	e.Counts, e.Content = c.told.counts, &content
	if err := c.trail.Record(ctx, e); err != nil {
		return &unrecordedError{err}
	}
	return nil
}

// unrecordedError is why an answer is not sent.
type unrecordedError struct{ err error }

func (e *unrecordedError) Error() string {
	return "the answer cannot be put on record, so it is not given: " + e.err.Error()
}

func (e *unrecordedError) Unwrap() error { return e.err }

// failed counts a call without an answer. What it changed all the same, as where its
// time was over, has its entry.
func (c *recordedCall) failed(err error) {
	if c.note != nil {
		c.trail.Wake()
	}
	c.trail.Refused(audit.Refusal{Key: c.entry.Key, Method: c.entry.Method, Reason: reasonOf(err)})
}

// refused counts a call that was not let in because of err, told as a status.
func (r *Recorder) refused(ctx context.Context, fullMethod string, err, told error) {
	if r.trail == nil {
		return
	}
	row := audit.Refusal{Method: r.methods[fullMethod], Reason: reasonOf(told)}
	if row.Method == "" {
		row.Method = unknownMethod
	}
	if from := peerAddress(ctx); from != (netip.Addr{}) {
		row.Address = access.Source(from).String()
	}
	var let *letInError
	if errors.As(err, &let) {
		row.Key, row.Address = let.key, ""
	}
	r.trail.Refused(row)
}

// letInError is why a call went no further whose key is known.
type letInError struct {
	error
	key string
}

func (e *letInError) Unwrap() error { return e.error }

// reasonOf returns the reason of a status, which is never one that a caller has
// thought up.
func reasonOf(err error) string {
	s := status.Convert(err)
	reason := s.Code().String()
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = d.GetReason()
		case *errdetails.RetryInfo:
			return "RATE_LIMITED"
		case *errdetails.BadRequest:
			if v := d.GetFieldViolations(); len(v) == 1 {
				return v[0].GetReason()
			}
		}
	}
	return reason
}
