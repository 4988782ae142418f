package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// enrichBatch is how many values are asked for at once, and how many share the
// look-ups of --max-lookups.
const enrichBatch = 10_000

func (a *app) enrichCommand() *cobra.Command {
	q := enrichQuery{input: input{app: a}}
	lookups := uint32(0)
	cmd := &cobra.Command{
		Use:   "enrich VALUE...",
		Short: "Show what addresses and names are, by whose data and of when",
		Long: `Show for each value whose network it is in, what class it has and which list decided
that, where it is hosted, and what a third party reports about it, each with its source
and date. Values may be defanged. Their kind is guessed unless --kind is given.

What was not looked up, was refused because a quota is used up, or failed is said in
those words: it never means that a value is harmless. A third party is asked only where
the service has a key for it and the ceiling of --tenant permits it.

The exit code is 1 if a value cannot be read.`,
		Example: `  elsewhere enrich 104.161.20.102 'mail[.]example[.]net'
  elsewhere enrich --local -f addresses.txt
  elsewhere enrich --tenant alder --tlp green 104.161.20.102
  cut -d, -f3 logins.csv | elsewhere enrich - --json`,
		RunE: func(cmd *cobra.Command, values []string) error {
			if err := q.check(values); err != nil {
				return err
			}
			if cmd.Flags().Changed("max-lookups") {
				q.lookups = &lookups
			}
			return a.ask(func(c *client.Client) error { return q.run(cmd.Context(), c, values) })
		},
	}
	flags := cmd.Flags()
	q.register(flags)
	flags.BoolVar(&q.local, "local", false, "ask nobody outside the deployment and leave out what third parties said before")
	flags.StringVar(&q.tenant, "tenant", "", "ask on behalf of this `tenant`: its ceiling decides whether third parties are asked")
	flags.StringVar(&q.tlp, "tlp", "", "strictest `label` of the cases that the values come from")
	flags.Uint32Var(&lookups, "max-lookups", 0, "look up at most this `number` of values at third parties, for each 10,000 values; default 100")
	return cmd
}

// enrichQuery is one run of enrich.
type enrichQuery struct {
	input
	local       bool
	tenant, tlp string
	lookups     *uint32 // nil for the server's default

	failed bool
	wrote  bool // an answer is above the next
}

func (q *enrichQuery) run(ctx context.Context, c *client.Client, values []string) error {
	batch := make([]*elsewherev1.Observable, 0, len(values))
	var credits []*elsewherev1.Attribution
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		resp, err := c.Enrich(ctx, elsewherev1.EnrichRequest_builder{
			Observables: batch, LocalOnly: q.local, Tenant: q.tenant, Tlp: q.tlp, MaxLookups: q.lookups,
		}.Build())
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
		if len(batch) == enrichBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if !q.app.json && q.wrote {
		if err := q.app.print(q.footer(ctx, c, credits)); err != nil {
			return err
		}
	}
	if q.failed {
		return exitError(exitFailed)
	}
	return ctx.Err()
}

// report prints the answers to a batch.
func (q *enrichQuery) report(resp *elsewherev1.EnrichResponse) error {
	var text strings.Builder
	for _, r := range resp.GetRecords() {
		if r.GetStatus() == elsewherev1.RecordStatus_RECORD_STATUS_INVALID {
			q.failed = true
		}
		if q.app.json {
			continue
		}
		if q.wrote {
			text.WriteString("\n")
		}
		q.wrote = true
		text.WriteString(q.app.recordText(r))
	}
	if q.app.json {
		return q.app.printJSON(resp)
	}
	return q.app.print(text.String())
}

// footer says which services nobody asked, and whose data were used.
func (q *enrichQuery) footer(ctx context.Context, c *client.Client, credits []*elsewherev1.Attribution) string {
	text := ""
	if feeds, err := c.Feeds(ctx); err == nil && !q.local {
		for _, f := range feeds {
			if f.GetKind() == elsewherev1.FeedKind_FEED_KIND_SERVICE && f.GetStatus() == elsewherev1.FeedStatus_FEED_STATUS_OFF {
				text += "\n" + safe(f.GetTitle(), valueWidth) + ": not looked up; the service has no key for it\n"
			}
		}
	}
	return text + q.app.creditText(credits)
}

// creditText writes what publishers want to be shown, each once.
func (a *app) creditText(credits []*elsewherev1.Attribution) string {
	var lines []string
	var shown []*elsewherev1.Attribution
credits:
	for _, c := range credits {
		for _, s := range shown {
			if proto.Equal(c, s) {
				continue credits
			}
		}
		shown = append(shown, c)
		line := "data: " + safe(c.GetText(), messageWidth)
		if c.HasDataDate() {
			line += ", " + day(c.GetDataDate())
		}
		for _, folded := range fold("  ", line) {
			lines = append(lines, a.style.dim(folded)+"\n")
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n" + strings.Join(lines, "")
}

// lookupWord says in words how a question ended.
func lookupWord(s elsewherev1.LookupStatus) string {
	switch s {
	case elsewherev1.LookupStatus_LOOKUP_STATUS_OK:
		return "answered"
	case elsewherev1.LookupStatus_LOOKUP_STATUS_NO_DATA:
		return "no data"
	case elsewherev1.LookupStatus_LOOKUP_STATUS_NOT_LOOKED_UP:
		return "not looked up"
	case elsewherev1.LookupStatus_LOOKUP_STATUS_QUOTA:
		return "quota used up"
	case elsewherev1.LookupStatus_LOOKUP_STATUS_ERROR:
		return "no usable answer"
	default:
		return "not known whether it was looked up"
	}
}

// invalidText writes why a value cannot be read.
func invalidText(v *elsewherev1.Violation) string {
	return fmt.Sprintf("invalid: %s (%s)", safe(v.GetMessage(), messageWidth), safe(v.GetReason(), valueWidth))
}
