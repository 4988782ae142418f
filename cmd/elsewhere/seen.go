package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

const (
	// seenBatch is how many values are asked for at once; answers are printed
	// batch by batch.
	seenBatch = 1000
	// seenReasons is how many reasons for a class are written: the first decided.
	seenReasons = 4
)

func (a *app) seenCommand() *cobra.Command {
	q := seenQuery{input: input{app: a}}
	cmd := &cobra.Command{
		Use:   "seen VALUE...",
		Short: "Show in which tenants and cases values were seen",
		Long: `Show for each value in which tenants and cases it was seen, in which roles and
when, and whether it is too common to say anything. Values may be defanged, as in
104[.]161[.]20[.]102. Their kind is guessed unless --kind is given.

The exit code is 1 if a value cannot be read, and with --fail-unseen 3 if one was
never seen.`,
		Example: `  elsewhere seen 104.161.20.102 'hxxps://login.example[.]net/'
  elsewhere seen --kind rule_name 'Block Spoofing'
  elsewhere seen -f addresses.txt --fail-unseen
  cut -d, -f3 logins.csv | elsewhere seen -`,
		RunE: func(cmd *cobra.Command, values []string) error {
			if err := q.check(values); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error { return q.run(cmd.Context(), c, values) })
		},
	}
	flags := cmd.Flags()
	q.register(flags)
	flags.BoolVar(&q.records, "records", false, "also with --json: answer what each value is, as the text does")
	flags.BoolVar(&q.failUnseen, "fail-unseen", false, "exit with 3 if a value was never seen")
	return cmd
}

// seenQuery is one run of seen.
type seenQuery struct {
	input
	failUnseen bool
	records    bool // asked for with JSON

	unseen, failed bool
	block          bool // the last answer has several lines
}

func (q *seenQuery) run(ctx context.Context, c *client.Client, values []string) error {
	batch := make([]*elsewherev1.Observable, 0, seenBatch)
	var credits []*elsewherev1.Attribution
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		ask := c.SeenWithRecords
		if q.app.json && !q.records {
			ask = c.Seen
		}
		resp, err := ask(ctx, batch)
		if err == nil && q.kind == "" && !q.app.json {
			resp, err = withTargets(ctx, c, resp)
		}
		batch = batch[:0]
		if err != nil {
			return err
		}
		credits = append(credits, resp.GetAttributions()...)
		return q.report(resp)
	}
	for value, err := range q.values(ctx, values) {
		if err != nil {
			q.app.warn("elsewhere: %s", safe(err.Error(), messageWidth))
			q.failed = true
			continue
		}
		batch = append(batch, elsewherev1.Observable_builder{Kind: q.kind, Value: value}.Build())
		if len(batch) == seenBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if !q.app.json {
		if err := q.app.print(q.app.creditText(credits)); err != nil {
			return err
		}
	}
	switch {
	case q.failed:
		return exitError(exitFailed)
	case q.failUnseen && q.unseen:
		return exitError(exitUnseen)
	}
	return ctx.Err()
}

// withTargets adds, behind the answer for an address or a domain that was seen,
// where it was seen as the target of forwarding too: to who did not say a kind
// it is one value.
func withTargets(ctx context.Context, c *client.Client, resp *elsewherev1.SeenResponse) (*elsewherev1.SeenResponse, error) {
	var also []*elsewherev1.Observable
	var behind []int
	for i, r := range resp.GetResults() {
		kind := r.GetObservable().GetKind()
		if r.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN && (kind == "email" || kind == "domain") {
			also = append(also, elsewherev1.Observable_builder{Kind: "forward_to", Value: r.GetObservable().GetValue()}.Build())
			behind = append(behind, i)
		}
	}
	if len(also) == 0 {
		return resp, nil
	}
	more, err := c.Seen(ctx, also)
	if err != nil {
		return nil, err
	}
	results := resp.GetResults()
	for k := len(behind) - 1; k >= 0; k-- {
		if r := more.GetResults()[k]; r.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN {
			results = slices.Insert(results, behind[k]+1, r)
		}
	}
	return elsewherev1.SeenResponse_builder{Results: results, Attributions: resp.GetAttributions()}.Build(), nil
}

// report prints the answers to a batch.
func (q *seenQuery) report(resp *elsewherev1.SeenResponse) error {
	var text strings.Builder
	for _, r := range resp.GetResults() {
		switch r.GetStatus() {
		case elsewherev1.SeenStatus_SEEN_STATUS_INVALID:
			q.failed = true
		case elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN:
			q.unseen = true
		}
		if q.app.json {
			continue
		}
		if q.block {
			text.WriteString("\n")
		}
		q.block = len(r.GetSightings()) > 0 || len(r.GetRecords()) > 0
		text.WriteString(q.app.seenText(r))
		if q.kind == "" && r.GetObservable().GetKind() == "rule_name" && r.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN {
			// Whatever has no other form may be the name of a rule, a mistyped
			// address too.
			text.WriteString("  read as the name of a mail rule; if it is something else, say --kind\n")
		}
	}
	if q.app.json {
		return q.app.printJSON(resp)
	}
	return q.app.print(text.String())
}

// seenText writes the answer for one value.
func (a *app) seenText(r *elsewherev1.SeenResult) string {
	o := r.GetObservable()
	title := a.style.bold(safe(cmp.Or(o.GetValue(), "(value not repeated)"), refWidth))
	if o.GetKind() != "" {
		title += "  " + safe(o.GetKind(), valueWidth)
	}
	switch r.GetStatus() {
	case elsewherev1.SeenStatus_SEEN_STATUS_SEEN:
	case elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN:
		return title + "  not seen\n" + a.seenNature(r)
	case elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED:
		return title + "  not disclosed\n"
	case elsewherev1.SeenStatus_SEEN_STATUS_INVALID:
		return title + "  " + invalidText(r.GetViolation()) + "\n"
	default:
		return title + "  unknown answer\n"
	}
	text := title + "  seen in " + seenCounts(r) + "\n"
	text += a.seenNature(r)
	rows := make([][]string, len(r.GetSightings()))
	for i, s := range r.GetSightings() {
		rows[i] = []string{
			"", safe(s.GetTenant()+"/"+s.GetCase(), refWidth),
			strings.Join(safeAll(s.GetRoles(), valueWidth), ", "), span(s.GetFirstSeen(), s.GetLastSeen()),
		}
		if s.GetWithheld() {
			rows[i][3] += "  restricted, not counted"
		}
	}
	text += table(make([]string, 4), rows)
	if r.GetMoreSightings() {
		text += "  + more cases\n"
	}
	return text
}

// seenNature writes what a value is and whether it can say anything.
func (a *app) seenNature(r *elsewherev1.SeenResult) string {
	if r.GetClass() == "" && !r.GetGeneric() {
		return ""
	}
	phrases := []string{}
	if c := r.GetClass(); c != "" {
		class := "class " + safe(c, valueWidth)
		if reasons := because(c, r.GetClassReasons()); len(reasons) > 0 {
			if more := len(reasons) - seenReasons; more > 0 {
				reasons = append(reasons[:seenReasons], fmt.Sprintf("%d more, see elsewhere enrich", more))
			}
			class += " (" + strings.Join(reasons, "; ") + ")"
		}
		phrases = append(phrases, class)
	}
	if r.GetGeneric() {
		phrases = append(phrases, "generic: "+safe(r.GetGenericReason(), messageWidth))
	} else {
		phrases = append(phrases, "not generic")
	}
	text := strings.Join(wrap("  ", phrases), "\n") + "\n"
	for _, record := range r.GetRecords() {
		text += a.seenRecord(record)
	}
	return text
}

// seenCounts writes in how many tenants and cases a value was seen, and when.
func seenCounts(r *elsewherev1.SeenResult) string {
	others := ""
	if n := r.GetOtherTenants(); n.GetMin() > 0 {
		others = countRange(n, "other tenant", "other tenants")
	}
	when := span(r.GetFirstSeen().GetEarliest(), r.GetLastSeen().GetLatest())
	if t := r.GetLastSeen(); t.GetEarliest().AsTime() != t.GetLatest().AsTime() {
		when = months(r.GetFirstSeen().GetEarliest(), t.GetLatest())
	}
	if r.GetCases().GetMin() == 0 && others != "" {
		if r.HasLastSeen() {
			others += ", " + when
		}
		return others
	}
	text := fmt.Sprintf("%s, %s, %s", countRange(r.GetTenants(), "tenant", "tenants"), countRange(r.GetCases(), "case", "cases"), when)
	if others != "" {
		text += ", and in " + others
	}
	return text
}

// countRange writes a count that may be known only roughly.
func countRange(r *elsewherev1.CountRange, singular, plural string) string {
	least := r.GetMin()
	switch {
	case !r.HasMax():
		return thousands(least) + " or more " + plural
	case r.GetMax() == least:
		return count(int(least), singular, plural)
	default:
		return thousands(least) + " to " + thousands(r.GetMax()) + " " + plural
	}
}
