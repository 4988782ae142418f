package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) reviewCommand() *cobra.Command {
	return group("review", "Say what you found out about two cases",
		`Say what you found out about two cases. A confirmed pair stays in one actor and a
refuted one never is, whatever the score, which stays as it is. What is said can be
taken back, and then everything is as if nobody had spoken.`,
		a.oneReviewCommand("confirm", "The same actor", "same phishing kit on both hosts", elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM),
		a.oneReviewCommand("refute", "Not the same actor", "the address is a VPN exit", elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE),
		a.oneReviewCommand("clear", "Take back what was said", "the kit is sold to everybody", elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR))
}

func (a *app) oneReviewCommand(name, short, reason string, action elsewherev1.ReviewAction) *cobra.Command {
	b := elsewherev1.ReviewLinkRequest_builder{Action: action}
	cmd := &cobra.Command{
		Use:     name + " A B",
		Short:   short,
		Example: "  elsewhere review " + name + " alder/2023-0117 birch/IR-88 --reason \"" + reason + "\" --dry-run",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, refs []string) error {
			for _, ref := range refs {
				if err := checkRef(ref); err != nil {
					return err
				}
			}
			if b.Reason == "" && action != elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR {
				return usageError{errors.New("--reason is needed: others will ask why")}
			}
			b.A, b.B = refs[0], refs[1]
			return a.ask(func(c *client.Client) error { return a.review(cmd.Context(), c, b.Build()) })
		},
	}
	cmd.Flags().StringVar(&b.Reason, "reason", "", "why, in a `sentence` of at most 1,000 characters")
	cmd.Flags().BoolVar(&b.DryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

func (a *app) review(ctx context.Context, c *client.Client, req *elsewherev1.ReviewLinkRequest) error {
	res, err := c.Review(ctx, req)
	if errors.Is(err, client.ErrNotFound) {
		err = fmt.Errorf("%s or %s: %w", req.GetA(), req.GetB(), err)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(res)
	}
	return a.print(a.reviewed(req, res))
}

// reviewed writes what follows from a review.
func (a *app) reviewed(req *elsewherev1.ReviewLinkRequest, res *elsewherev1.ReviewLinkResponse) string {
	var b strings.Builder
	did := map[elsewherev1.ReviewAction]string{
		elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM: "confirmed",
		elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE:  "refuted",
		elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR:   "cleared",
	}[req.GetAction()]
	if req.GetDryRun() {
		did = "would be " + did + "; nothing is changed"
	}
	fmt.Fprintf(&b, "%s and %s  %s\n", a.style.bold(safe(req.GetA(), refWidth)), a.style.bold(safe(req.GetB(), refWidth)), did)
	fmt.Fprintf(&b, "link    %s -> %s\n", linkState(res.GetBefore()), linkState(res.GetAfter()))
	fmt.Fprintf(&b, "actors  %s -> %s\n", actorState(res.GetActorsBefore()), actorState(res.GetActorsAfter()))
	for _, c := range res.GetConflicts() {
		fmt.Fprintf(&b, "conflict: %s is set aside, against %s\n", said(c.GetSetAside()), said(c.GetAgainst()))
	}
	for _, r := range res.GetHistory() {
		fmt.Fprintf(&b, "  %s\n", said(r))
	}
	return b.String()
}

func linkState(l *elsewherev1.Link) string {
	if l == nil {
		return "none"
	}
	text := tierName(l.GetTier())
	if l.GetReview() == elsewherev1.Review_REVIEW_REFUTED {
		text = "refuted"
	}
	if l.GetHeld() {
		text += ", held"
	}
	return text + " (" + likelihood(l.GetLikelihood()) + ")"
}

func actorState(actors []*elsewherev1.Actor) string {
	if len(actors) == 0 {
		return "none"
	}
	parts := make([]string, len(actors))
	for i, x := range actors {
		parts[i] = fmt.Sprintf("%s (%s)", x.GetId(), count(int(x.GetCases()), "case", "cases"))
	}
	return strings.Join(parts, ", ")
}

// said writes what a person said of a pair.
func said(r *elsewherev1.LinkReview) string {
	action, _ := strings.CutPrefix(r.GetAction().String(), "REVIEW_ACTION_")
	return fmt.Sprintf("%s %s  %s %s~%s  %s", day(r.GetTime()), safe(r.GetAuthor(), refWidth), strings.ToLower(action),
		safe(r.GetA(), refWidth), safe(r.GetB(), refWidth), safe(r.GetReason(), 200))
}
