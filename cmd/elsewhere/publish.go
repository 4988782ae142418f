package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) publishCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Send what was learned to MISP, or into a repository, and list what was sent",
		Long: `Send a case, two linked cases, an actor or single values to a target that an operator
set up (serve --publish-config). What leaves is what export would write: nothing of a
victim, and nothing that the target's label does not permit.

The target's state is read before and after, and only what differs is sent; a
publication that was cut short is taken up by the next. What is gone, or no longer
valid, is withdrawn where it was sent.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("publish needs a command: misp, github or list")}
			}
			return usageError{fmt.Errorf("no command publish %q", args[0])}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
		// What is wrong is the command, not a flag that is another's.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	cmd.AddCommand(a.publishMISPCommand(), a.publishGitHubCommand(), a.publishListCommand())
	return cmd
}

// publication is one run of publish.
type publication struct {
	app       *app
	kinds     []string // of targets
	target    string
	selection choice
	request   elsewherev1.PublishRequest_builder
}

func (p *publication) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	p.selection.register(cmd)
	flags.StringVar(&p.target, "target", "", "`name` of the target, where there is more than one")
	flags.BoolVar(&p.request.DryRun, "dry-run", false, "send nothing, and show what would be sent")
	flags.BoolVar(&p.request.Withdraw, "withdraw", false, "take back all that the target was sent of this")
}

func (a *app) publishMISPCommand() *cobra.Command {
	p := publication{app: a, kinds: []string{"misp"}, selection: choice{values: input{app: a}}}
	cmd := &cobra.Command{
		Use:   "misp TENANT/CASE",
		Short: "Make or update an event on a MISP server",
		Long: `Make or update an event on a MISP server. It is left unpublished; --publish publishes
it as a second step, after it was read again and found to be whole. What the server
did not store is listed: MISP drops values and tags that it does not take without a
word.`,
		Example: `  elsewhere publish misp alder/2023-0117 --dry-run
  elsewhere publish misp alder/2023-0117 --min-tier strong --publish
  elsewhere publish misp --actor act-k3q7m2xw4c --target cert --tlp green
  elsewhere publish misp alder/2023-0117 --withdraw`,
		Args: args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.ask(func(c *client.Client) error { return p.run(cmd.Context(), c, given) })
		},
	}
	p.register(cmd)
	cmd.Flags().BoolVar(&p.request.Publish, "publish", false, "publish the event once it is stored")
	return cmd
}

func (a *app) publishGitHubCommand() *cobra.Command {
	p := publication{app: a, kinds: []string{"github", "git"}, selection: choice{values: input{app: a}}}
	cmd := &cobra.Command{
		Use:   "github TENANT/CASE",
		Short: "Commit a bundle to a repository, at GitHub or elsewhere",
		Long: `Commit a bundle to a repository, at GitHub or wherever git is spoken: tables, a feed
that MISP servers pull, and an index, in one commit, and in none where nothing
changed. A protected branch gets a pull request, if the target permits that.`,
		Example: `  elsewhere publish github alder/2023-0117 --dry-run
  elsewhere publish github --link alder/2023-0117~birch/2023-0142 --approval TOKEN
  elsewhere publish github alder/2023-0117 --withdraw`,
		Args: args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.ask(func(c *client.Client) error { return p.run(cmd.Context(), c, given) })
		},
	}
	p.register(cmd)
	return cmd
}

func (p *publication) run(ctx context.Context, c *client.Client, given []string) error {
	target, err := p.choose(ctx, c)
	if err != nil {
		return err
	}
	if p.selection.message.Receiver != "" {
		return usageError{errors.New("--receiver is that of the target")}
	}
	if p.selection.message.Tlp == "" {
		p.selection.message.Tlp = target.GetTlp()
	}
	p.request.Target = target.GetName()
	if p.request.Selection, err = p.selection.read(ctx, given); err != nil {
		return err
	}
	line := p.app.newProgress()
	report, err := c.Publish(ctx, p.request.Build(), func(done, of uint32) {
		line.show("%s of %s values", thousands(done), thousands(of))
	})
	line.clear()
	if err != nil {
		return err
	}
	if p.app.json {
		return p.app.printJSON(report)
	}
	if err := p.app.print(reportText(report, p.request.DryRun)); err != nil {
		return err
	}
	for _, note := range report.GetNotes() {
		p.app.warn("%s", safe(note, messageWidth))
	}
	if report.GetDroppedTotal()+report.GetAlteredTotal() > 0 {
		return exitError(exitFailed)
	}
	return nil
}

// choose returns the target that was named, or the only one of the kind.
func (p *publication) choose(ctx context.Context, c *client.Client) (*elsewherev1.PublishTarget, error) {
	var names []string
	var found []*elsewherev1.PublishTarget
	for page, err := range c.Publications(ctx, "") {
		if err != nil {
			return nil, err
		}
		for _, t := range page.GetTargets() {
			if !slices.Contains(p.kinds, t.GetKind()) {
				continue
			}
			names = append(names, t.GetName())
			if p.target == "" || p.target == t.GetName() {
				found = append(found, t)
			}
		}
		break // the first page has the targets
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("the server has no such target; an operator sets it up with serve --publish-config")
	case len(found) == 0:
		return nil, usageError{fmt.Errorf("no target %q; there are %s", p.target, safe(strings.Join(names, ", "), messageWidth))}
	case len(found) > 1:
		return nil, usageError{fmt.Errorf("--target is needed: %s", safe(strings.Join(names, ", "), messageWidth))}
	}
	return found[0], nil
}

func outcomeName(o elsewherev1.PublishOutcome) string {
	return strings.ToLower(strings.TrimPrefix(o.String(), "PUBLISH_OUTCOME_"))
}

// reportText says what a publication did.
func reportText(r *elsewherev1.PublishReport, dry bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	would := ""
	if dry {
		would = "would be "
	}
	line("%s  %s%s  revision %d", safe(r.GetTarget().GetName(), valueWidth), would, outcomeName(r.GetOutcome()), r.GetRevision())
	line("  %s  %s  bundle %s", safe(r.GetTitle(), valueWidth), safe(r.GetTlp(), valueWidth), safe(r.GetBundleId(), valueWidth))
	if id := r.GetEventUuid(); id != "" && r.GetTarget().GetKind() == "misp" {
		state := "unpublished"
		if r.GetPublished() {
			state = "published"
		}
		line("  event %s  %s", safe(id, valueWidth), state)
	}
	if id := r.GetExtendsUuid(); id != "" {
		line("  extends %s", safe(id, valueWidth))
	}
	if r.GetCommit() != "" && !dry {
		line("  commit %s on %s", safe(r.GetCommit(), valueWidth), safe(r.GetBranch(), valueWidth))
	}
	if r.GetPullRequest() != "" {
		line("  pull request %s", safe(r.GetPullRequest(), messageWidth))
	}
	line("  %s added, %s changed, %s withdrawn", thousands(r.GetAdded()), thousands(r.GetChanged()), thousands(r.GetWithdrawn()))
	marks := map[string]string{"add": "+", "change": "~", "withdraw": "-"}
	list := func(changes []*elsewherev1.PublishChange, total uint32, mark func(string) string) {
		for _, c := range changes {
			detail := ""
			if c.GetDetail() != "" {
				detail = "  " + safe(c.GetDetail(), messageWidth)
			}
			line("  %s %s %s%s", mark(c.GetOperation()), safe(c.GetType(), valueWidth), safe(c.GetValue(), valueWidth), detail)
		}
		if more := int(total) - len(changes); more > 0 {
			line("  and %s more", thousands(uint32(more)))
		}
	}
	list(r.GetChanges(), r.GetAdded()+r.GetChanged()+r.GetWithdrawn(), func(op string) string { return marks[op] })
	for _, h := range r.GetHeaderChanges() {
		line("  ~ event: %s", safe(h, messageWidth))
	}
	for _, f := range r.GetFiles() {
		line("  %s %s", marks[f.GetOperation()], safe(f.GetPath(), messageWidth))
	}
	list(r.GetDropped(), r.GetDroppedTotal(), func(string) string { return "! not stored:" })
	list(r.GetAltered(), r.GetAlteredTotal(), func(string) string { return "! stored otherwise:" })
	for _, t := range r.GetDroppedTags() {
		line("  ! tag unknown to the server: %s", safe(t, messageWidth))
	}
	return b.String()
}

func (a *app) publishListCommand() *cobra.Command {
	var target string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the targets, and what each was sent",
		Example: `  elsewhere publish list
  elsewhere publish list --target cert --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				for page, err := range c.Publications(cmd.Context(), target) {
					if err != nil {
						return err
					}
					// What was sent to a target that is no longer set up is still listed.
					if target != "" && len(page.GetPublications()) == 0 && !slices.ContainsFunc(page.GetTargets(), func(t *elsewherev1.PublishTarget) bool { return t.GetName() == target }) {
						return fmt.Errorf("no target %q, and nothing was sent to one of that name", target)
					}
					if a.json {
						err = a.printJSON(page)
					} else {
						err = a.print(publicationsText(page))
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&target, "target", "", "only what this target was sent, by `name`")
	return cmd
}

func publicationsText(page *elsewherev1.ListPublicationsResponse) string {
	var b strings.Builder
	for _, t := range page.GetTargets() {
		fmt.Fprintf(&b, "target %s  %s  up to tlp:%s  for %s\n", safe(t.GetName(), valueWidth), safe(t.GetKind(), valueWidth),
			safe(t.GetTlp(), valueWidth), safe(t.GetReceiver(), valueWidth))
	}
	for _, p := range page.GetPublications() {
		state := fmt.Sprintf("revision %d, %s", p.GetRevision(), count(int(p.GetValues()), "value", "values"))
		switch {
		case p.GetEndTime().AsTime().Before(p.GetBeginTime().AsTime()):
			state = "begun and not ended: publish again"
		case p.GetWithdrawn():
			state += ", withdrawn"
		case p.GetPublished():
			state += ", published"
		}
		fmt.Fprintf(&b, "%s  %s  %s  %s  %s  by %s\n", safe(p.GetTarget(), valueWidth), safe(p.GetBundleId(), valueWidth),
			safe(p.GetTitle(), valueWidth), state, p.GetBeginTime().AsTime().Format("2006-01-02 15:04"), safe(p.GetPublishedBy(), valueWidth))
	}
	return b.String()
}
