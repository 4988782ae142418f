package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// watching is how watch was told to run.
type watching struct {
	since, minTier string
	limit          uint
	within         time.Duration
}

func (a *app) watchCommand() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Follow how links change",
		Long: `Print each change of a link between cases that you may read, until interrupted: new
links, those that rise, fall or go, those that people reviewed, and those that are held
for review. Where the connection breaks it connects again and goes on where it was.

At the end the cursor stands on stderr; --since takes it up again, within 30 days, with
the same key, and nothing is missing then. What comes twice has the same event id.
With --json every message is a line: events and, every 15 seconds, a checkpoint, each
with its cursor.`,
		Example: `  elsewhere watch
  elsewhere watch --since 24h --min-tier probable
  elsewhere watch --json --for 10s --since "$(cat cursor)"`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := w.request()
			if err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error { return a.watch(cmd.Context(), c, req, w) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&w.since, "since", "", "begin at this `cursor`, or so long ago as 24h; at most 720h")
	flags.StringVar(&w.minTier, "min-tier", "possible", "lowest `tier` of links: "+strings.Join(tierNames(), ", "))
	flags.UintVar(&w.limit, "limit", 0, "end after so many `events`; 0 is never")
	flags.DurationVar(&w.within, "for", 0, "end after this `time`; 0 is never")
	_ = cmd.RegisterFlagCompletionFunc("min-tier", cobra.FixedCompletions(tierNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// minCursor is less than the length of any cursor and more than that of what people
// write for a time.
const minCursor = 32

// request says what the flags ask for.
func (w *watching) request() (*elsewherev1.WatchLinksRequest, error) {
	tier, err := parseTier(w.minTier)
	if err != nil {
		return nil, err
	}
	req := elsewherev1.WatchLinksRequest_builder{MinTier: tier}.Build()
	if w.within < 0 {
		return nil, usageError{fmt.Errorf("--for %v: want a time ahead", w.within)}
	}
	switch ago, err := time.ParseDuration(w.since); {
	case w.since == "":
	case err == nil && ago <= 0:
		return nil, usageError{fmt.Errorf("--since %v: want how long ago, as 24h", ago)}
	case err == nil:
		req.SetSince(durationpb.New(ago))
	case len(w.since) < minCursor:
		return nil, usageError{fmt.Errorf("--since %q: want a cursor or how long ago, as 24h", safe(w.since, valueWidth))}
	default:
		req.SetCursor(w.since)
	}
	return req, nil
}

// watch prints what comes. That it was interrupted is how it ends.
func (a *app) watch(ctx context.Context, c *client.Client, req *elsewherev1.WatchLinksRequest, w watching) error {
	if w.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.within)
		defer cancel()
	}
	cursor, events := "", uint(0)
	defer func() {
		if cursor != "" {
			a.warn("cursor %s", cursor)
		}
	}()
	broken := func(err error) { a.warn("%s; connecting again", safe(err.Error(), messageWidth)) }
	for m, err := range c.Watch(ctx, req, broken) {
		if err != nil {
			if cursor != "" && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
				return nil
			}
			return err
		}
		if a.json {
			err = a.printJSON(m)
		} else if m.HasEvent() {
			err = a.print(eventLine(m.GetEvent()))
		}
		if err != nil {
			return err
		}
		if !m.HasEvent() {
			cursor = m.GetCheckpoint().GetCursor()
			continue
		}
		cursor = m.GetEvent().GetCursor()
		if events++; events == w.limit {
			return nil
		}
	}
	return nil
}

// eventLine writes an event. Lines stand below each other, so columns have fixed
// widths; the refs come last.
func eventLine(e *elsewherev1.LinkEvent) string {
	l := e.GetLink()
	tier, p := tierName(l.GetTier()), likelihood(l.GetLikelihood())
	previous := e.GetPreviousTier()
	switch {
	case e.GetChange() == elsewherev1.LinkChange_LINK_CHANGE_REMOVED:
		tier, p = "", ""
		if previous != 0 {
			tier = "was " + tierName(previous)
		}
	case previous != 0 && previous != l.GetTier():
		tier += ", was " + tierName(previous)
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s ~ %s  (%s)\n",
		e.GetCommitTime().AsTime().UTC().Format(time.DateTime), left(enumName(e.GetChange().String(), "LINK_CHANGE_"), 8), right(p, 5), left(tier, 22),
		safe(l.GetA(), refWidth), safe(l.GetB(), refWidth), enumName(e.GetCause().String(), "LINK_CAUSE_"))
}
