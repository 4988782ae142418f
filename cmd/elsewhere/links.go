package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// listedTiers are the tiers that --min-tier takes, lowest first.
func listedTiers() []elsewherev1.Tier {
	return []elsewherev1.Tier{
		elsewherev1.Tier_TIER_LEAD, elsewherev1.Tier_TIER_POSSIBLE,
		elsewherev1.Tier_TIER_PROBABLE, elsewherev1.Tier_TIER_STRONG,
	}
}

func tierNames() []string {
	var names []string
	for _, t := range listedTiers() {
		names = append(names, tierName(t))
	}
	return names
}

func (a *app) linksCommand() *cobra.Command {
	var tenant, actor, minTier string
	var sameTenant, refuted bool
	cmd := &cobra.Command{
		Use:   "links TENANT/CASE",
		Short: "List the links of a case, a tenant or an actor",
		Long: `List the cases of other tenants that a case is linked to, best first, or with
--tenant all links of a tenant in order of its cases, or with --actor those among the
cases of an actor. A link that is held waits for a review: one of its cases is linked
so widely that nothing follows from it before.`,
		Example: `  elsewhere links alder/2023-0117
  elsewhere links alder/2023-0117 --min-tier lead --include-same-tenant
  elsewhere links --tenant alder
  elsewhere links --actor act-k3q7m2xw4c`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, refs []string) error {
			req := elsewherev1.ListLinksRequest_builder{IncludeSameTenant: sameTenant, IncludeRefuted: refuted}
			if len(refs) == 0 && sameTenant {
				return usageError{errors.New("--include-same-tenant goes with a case")}
			}
			switch {
			case len(refs) == 1 && tenant == "" && actor == "":
				if err := checkRef(refs[0]); err != nil {
					return err
				}
				req.CaseRef = proto.String(refs[0])
			case len(refs) == 0 && tenant != "" && actor == "":
				req.Tenant = proto.String(tenant)
			case len(refs) == 0 && tenant == "" && actor != "":
				req.Actor = proto.String(actor)
			default:
				return usageError{errors.New("one case, --tenant or --actor is needed")}
			}
			tier, err := parseTier(minTier)
			if err != nil {
				return err
			}
			req.MinTier = tier
			return a.ask(func(c *client.Client) error { return a.links(cmd.Context(), c, req.Build()) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&tenant, "tenant", "", "list all links of this `tenant`")
	flags.StringVar(&actor, "actor", "", "list the links among the cases of this actor, by its `id`")
	flags.BoolVar(&refuted, "include-refuted", false, "also list pairs that people refuted")
	flags.StringVar(&minTier, "min-tier", "possible", "lowest `tier` to list: "+strings.Join(tierNames(), ", "))
	flags.BoolVar(&sameTenant, "include-same-tenant", false, "also list links within the tenant of the case")
	// The names are right, so registering cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("min-tier", cobra.FixedCompletions(tierNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func parseTier(name string) (elsewherev1.Tier, error) {
	for _, t := range listedTiers() {
		if tierName(t) == name {
			return t, nil
		}
	}
	return 0, usageError{fmt.Errorf("no tier %q; there are %s", name, strings.Join(tierNames(), ", "))}
}

// checkRef refuses what was never meant as a case; the server knows the rest.
func checkRef(ref string) error {
	if tenant, id, ok := strings.Cut(ref, "/"); !ok || tenant == "" || id == "" {
		return usageError{fmt.Errorf("case %q: want TENANT/CASE", ref)}
	}
	return nil
}

// links prints the links that req asks for, page by page.
func (a *app) links(ctx context.Context, c *client.Client, req *elsewherev1.ListLinksRequest) error {
	found := 0
	for page, err := range c.LinkPages(ctx, req) {
		if err == nil {
			found += len(page.GetLinks())
			if a.json {
				err = a.printJSON(page)
			} else if len(page.GetLinks()) > 0 {
				err = a.print(linkTable(page.GetLinks(), cmp.Or(page.GetCaseRef(), req.GetCaseRef())))
			}
		}
		if err != nil {
			if errors.Is(err, client.ErrNotFound) {
				err = fmt.Errorf("%s: %w", cmp.Or(req.GetCaseRef(), req.GetActor()), err)
			}
			return err
		}
	}
	if found == 0 && !a.json {
		if err := a.print(fmt.Sprintf("no links of tier %s or better\n", tierName(req.GetMinTier()))); err != nil {
			return err
		}
		if req.GetMinTier() > elsewherev1.Tier_TIER_LEAD {
			a.hint("weaker ones, if any, are listed with --min-tier lead")
		}
	}
	return nil
}

// linkTable writes links; where all are of one case, only their other end.
func linkTable(links []*elsewherev1.Link, ref string) string {
	heading := []string{">likelihood", "tier", "case", "other case", ">shared", ">bits", ""}
	rows := make([][]string, len(links))
	for i, l := range links {
		a, b := l.GetA(), l.GetB()
		if ref != "" {
			a, b = ref, otherEnd(l, ref)
		}
		note := ""
		switch {
		case l.GetReview() == elsewherev1.Review_REVIEW_REFUTED:
			note = "refuted"
		case l.GetHeld():
			note = "held"
		case l.GetSameTenant():
			note = "same tenant"
		}
		rows[i] = []string{
			likelihood(l.GetLikelihood()), tierName(l.GetTier()), safe(a, refWidth), safe(b, refWidth),
			thousands(l.GetSharedCount()), bits(l.GetTotalMillibits()), note,
		}
	}
	if ref != "" {
		for i, row := range rows {
			rows[i] = append(row[:2:2], row[3:]...)
		}
		heading = append(heading[:2:2], heading[3:]...)
	}
	return table(heading, rows)
}
