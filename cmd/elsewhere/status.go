package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) whoAmICommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to the server",
		Long: `Show which key the server sees and what it is for, and what answers: the versions of the
service, the model and, where the role is told of them, the feeds.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				who, err := c.WhoAmI(cmd.Context())
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(who)
				}
				return a.print(whoText(who))
			})
		},
	}
}

// whoText writes what is known of who asks, a line each.
func whoText(who *elsewherev1.WhoAmIResponse) string {
	tenants := strings.Join(safeAll(who.GetTenants(), valueWidth), ", ")
	switch {
	case who.GetAllTenants():
		tenants = "all"
	case tenants == "":
		tenants = "none"
	}
	key := safe(who.GetKeyPrefix(), valueWidth)
	role := roleName(who.GetRole())
	if who.GetOpen() {
		key, role = "none is needed", "everybody may do everything"
	}
	restricted := ""
	if who.GetRestricted() {
		restricted = "and tlp:red cases too"
	}
	return namedLines([][]string{
		{"key", key},
		{"name", safe(who.GetKeyName(), valueWidth)},
		{"role", role},
		{"tenants", tenants},
		{"restricted", restricted},
		{"expires", expiry(who.GetExpireTime())},
		{"service", safe(who.GetServiceVersion(), valueWidth)},
		{"model", fmt.Sprint(who.GetModelVersion())},
		{"feeds", safe(who.GetFeedsVersion(), valueWidth)},
	})
}

func (a *app) statsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Show how the service fares",
		Long: `Show how the service fares: how much it holds, whether links are current, what waits
and what memory and disk it takes. It is for admins; nothing of a tenant is shown.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				stats, err := c.Stats(cmd.Context())
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(stats)
				}
				return a.print(statsText(stats))
			})
		},
	}
}

// statsText writes the figures of a service, a line each.
func statsText(s *elsewherev1.StatsResponse) string {
	now := s.GetTime().AsTime()
	since := func(t *timestamppb.Timestamp) string { return now.Sub(t.AsTime()).Round(time.Second).String() }
	links := "current"
	if n := s.GetBacklogMarks(); n > 0 {
		links = fmt.Sprintf("%s to be looked at, the oldest for %s", count(int(n), "value", "values"), since(s.GetBacklogSince()))
	}
	if s.GetSweepPending() {
		links += "; every value is being looked at anew"
	}
	store := fmt.Sprintf("%s, of which %s are long values", size(s.GetStoreBytes()), size(s.GetValueLogBytes()))
	if s.GetInMemory() {
		store = "in memory"
	}
	rows := [][]string{
		{"running for", since(s.GetStartTime())},
		{"service", safe(s.GetServiceVersion(), valueWidth)},
		{"model", fmt.Sprint(s.GetModelVersion())},
		{"feeds", safe(s.GetFeedsVersion(), valueWidth)},
		{"live cases", fmt.Sprint(s.GetLiveCases())},
		{"tenants", fmt.Sprint(s.GetTenants())},
		{"keys", fmt.Sprint(s.GetKeys())},
		{"links", links},
		{"store", store},
	}
	for _, c := range s.GetCaches() {
		text := size(c.GetBytes())
		if all := c.GetHits() + c.GetMisses(); all > 0 {
			text += fmt.Sprintf(", %.1f%% of %d look-ups", 100*float64(c.GetHits())/float64(all), all)
		}
		rows = append(rows, []string{"cache " + safe(c.GetName(), valueWidth), text})
	}
	for _, q := range s.GetQueues() {
		rows = append(rows, []string{"queue " + safe(q.GetName(), valueWidth), fmt.Sprint(q.GetWaiting())})
	}
	return namedLines(rows)
}

// namedLines writes names and what they stand for, but for those with nothing.
func namedLines(rows [][]string) string {
	var set [][]string
	for _, r := range rows {
		if r[1] != "" {
			set = append(set, r)
		}
	}
	return table([]string{"", ""}, set)
}

// expiry writes when a key ends, for one that does.
func expiry(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return minute(t)
}
