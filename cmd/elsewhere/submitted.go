package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/elsewhere-project/elsewhere/client"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/casefile"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// report prints what became of a case.
func (s *submission) report(from origin, ack *client.Ack) error {
	if ack.Err != nil {
		s.rejected++
		problems := problemsOf(from, ack.Err)
		for _, p := range problems {
			s.app.warn("%s", p.line(from.file))
		}
		if s.app.json {
			return s.app.printJSON(elsewherev1.SubmitCasesResponse_builder{
				Index: ack.Index, Status: statusOf(from, ack.Err, problems).Proto(),
			}.Build())
		}
		return nil
	}
	r := ack.Result
	for _, v := range r.GetRejected() {
		p := problem{path: v.GetPath(), reason: v.GetReason(), message: "left out: " + v.GetMessage()}
		p.place(from)
		s.app.warn("%s", p.line(from.file))
	}
	switch {
	case s.template.GetValidateOnly():
		s.valid++
	case r.GetOutcome() == elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_UNCHANGED:
		s.unchanged++
	default:
		s.stored++
	}
	switch {
	case s.app.json:
		return s.app.printJSON(elsewherev1.SubmitCasesResponse_builder{
			Index: ack.Index, Status: status.New(codes.OK, "").Proto(), Result: r,
		}.Build())
	case s.quiet:
		return nil
	default:
		return s.app.print(s.result(r))
	}
}

// result writes an accepted case and its links.
func (s *submission) result(r *elsewherev1.SubmitCaseResponse) string {
	st := s.app.style
	ref := safe(r.GetCaseRef(), refWidth)
	if s.template.GetValidateOnly() {
		return ref + "  valid, nothing stored\n"
	}
	outcome, _ := strings.CutPrefix(r.GetOutcome().String(), "SUBMIT_OUTCOME_")
	found := "no links"
	if s.template.GetNoLinks() {
		found = "links not asked for"
	}
	if n := len(r.GetLinks()); n > 0 {
		found = count(n, "link", "links")
		if r.GetMoreLinks() {
			found = "the best " + found
		}
	}
	text := fmt.Sprintf("%s  %s  revision %d  %s\n", st.bold(ref), strings.ToLower(outcome), r.GetRevision(), found)
	rows := make([][]string, len(r.GetLinks()))
	for i, l := range r.GetLinks() {
		rows[i] = []string{"", likelihood(l.GetLikelihood()), tierName(l.GetTier()), safe(otherEnd(l, r.GetCaseRef()), refWidth)}
	}
	text += table(make([]string, 4), rows)
	if r.GetMoreLinks() {
		text += "  + more: elsewhere links " + ref + "\n"
	}
	return text
}

// otherEnd returns the end of a link that is not ref.
func otherEnd(l *elsewherev1.Link, ref string) string {
	if l.GetA() == ref {
		return l.GetB()
	}
	return l.GetA()
}

// answers counts the cases of which is known what became of them.
func (s *submission) answers() int { return s.stored + s.unchanged + s.valid + s.rejected }

// summary counts the cases so far.
func (s *submission) summary() string {
	parts := []string{fmt.Sprintf("%d stored", s.stored), fmt.Sprintf("%d unchanged", s.unchanged)}
	if s.template.GetValidateOnly() {
		parts = []string{fmt.Sprintf("%d valid", s.valid)}
	}
	parts = append(parts, fmt.Sprintf("%d rejected", s.rejected))
	return count(s.answers(), "case", "cases") + ": " + strings.Join(parts, ", ")
}

// problem is one thing that is wrong with a case of a file.
type problem struct {
	at      casefile.Position // the zero Position is the whole file
	path    string
	reason  string
	message string
}

// place finds where the field of a problem stands.
func (p *problem) place(from origin) {
	if from.doc != nil {
		p.at = from.doc.Place(p.path)
	}
}

// line writes a problem as compilers do, so that editors find the place.
func (p problem) line(file string) string {
	line := safe(file, 0)
	if p.at.Line > 0 {
		line += ":" + p.at.String()
	}
	line += ": "
	if p.path != "" {
		line += safe(p.path, valueWidth) + ": "
	}
	line += safe(p.message, messageWidth)
	if p.reason != "" {
		line += " (" + safe(p.reason, valueWidth) + ")"
	}
	return line
}

// problemsOf lists what is wrong with a case that was not stored.
func problemsOf(from origin, err error) []problem {
	if bad, ok := errors.AsType[*casefile.Error](err); ok {
		out := make([]problem, len(bad.Problems))
		for i, p := range bad.Problems {
			out[i] = problem{at: p.Position, path: p.Path, reason: p.Reason, message: p.Message}
		}
		return out
	}
	invalid, ok := errors.AsType[*client.InvalidError](err)
	if !ok || len(invalid.Violations) == 0 {
		p := problem{message: err.Error()}
		if st, ok := status.FromError(err); ok {
			p.message = st.Message()
		}
		p.place(from)
		return []problem{p}
	}
	var out []problem
	for _, v := range invalid.Violations {
		p := problem{path: v.Path, reason: v.Reason, message: v.Message}
		p.place(from)
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column))
	})
	if more := invalid.Total - len(invalid.Violations); more > 0 {
		out = append(out, problem{message: fmt.Sprintf("and %d more", more)})
	}
	return out
}

// statusOf returns the status of a case that was not stored: the server's, or,
// where the case never came so far, one of the same form.
func statusOf(from origin, err error, problems []problem) *status.Status {
	if st, ok := status.FromError(err); ok {
		return st
	}
	bad := &errdetails.BadRequest{}
	for _, p := range problems {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: p.path, Reason: p.reason, Description: fmt.Sprintf("%s:%s: %s", from.file, p.at, p.message),
		})
	}
	st := status.New(codes.InvalidArgument, bad.FieldViolations[0].Description)
	if detailed, err := st.WithDetails(bad); err == nil {
		return detailed
	}
	return st
}
