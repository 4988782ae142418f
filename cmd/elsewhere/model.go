package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/learn"
)

func (a *app) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Show the constants of the score, and learn better ones",
		Long: `Show, learn and change the constants of the score. Every set of constants has a
number and never changes: below 1000 it is part of the program, from 1000 on it is this
deployment's own, made of one of the program's and of what was learned from pairs of
cases that people judged.

Nothing is learned by itself: propose stores a version and changes no link, apply takes
it into use and rollback takes that back. All links are then scored anew in the
background; each says by which version it was.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("model needs a command: show, list, propose, apply or rollback")}
			}
			return usageError{fmt.Errorf("no command model %q", args[0])}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
		// What is wrong is the command, not a flag that is another's.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	cmd.AddCommand(a.modelShowCommand(), a.modelListCommand(), a.modelProposeCommand(), a.modelApplyCommand(), a.modelRollbackCommand())
	return cmd
}

// parseVersion reads the number of a model.
func parseVersion(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, usageError{fmt.Errorf("model version %q: want a number", s)}
	}
	return uint32(n), nil
}

func (a *app) modelShowCommand() *cobra.Command {
	var changed bool
	var out string
	cmd := &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show every constant of a model with its unit and origin",
		Long: `Show every constant of the active model, or of another version: its value, its unit
and where it is from. elicited is a judgment of people, not a measurement.`,
		Example: `  elsewhere model show
  elsewhere model show 1000 --changed
  elsewhere model show 1000 -o model.json`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			version := uint32(0)
			if len(args) == 1 {
				var err error
				if version, err = parseVersion(args[0]); err != nil {
					return err
				}
			}
			return a.ask(func(c *client.Client) error { return a.modelShow(cmd.Context(), c, version, changed, out) })
		},
	}
	cmd.Flags().BoolVar(&changed, "changed", false, "only what differs from the program's own version")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write the model to a `file`, for eval --model")
	return cmd
}

func (a *app) modelShow(ctx context.Context, c *client.Client, version uint32, changed bool, out string) error {
	res, err := c.Model(ctx, version)
	if err != nil {
		return err
	}
	if out != "" {
		if err := os.WriteFile(out, []byte(res.GetDefinition()), 0o644); err != nil {
			return err
		}
		a.warn("model %d written to %s", res.GetModel().GetVersion(), safe(out, 0))
		return nil
	}
	if changed {
		var kept []*elsewherev1.ModelParameter
		for _, p := range res.GetParameters() {
			if p.GetValue() != p.GetBaseValue() {
				kept = append(kept, p)
			}
		}
		res.SetParameters(kept)
	}
	if a.json {
		return a.printJSON(res)
	}
	return a.print(modelText(res, a.style))
}

func (a *app) modelListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the versions of the model, and when which was active",
		Example: `  elsewhere model list`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				res, err := c.Models(cmd.Context())
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print(modelsText(res, a.style))
			})
		},
	}
}

func (a *app) modelProposeCommand() *cobra.Command {
	var file, note string
	var reviews, dryRun bool
	cmd := &cobra.Command{
		Use:   "propose {--labels FILE | --reviews}",
		Short: "Learn a model from judged pairs of cases",
		Long: `Learn from pairs of cases that people judged, and store what is learned as a new
version. No link changes before it is applied.

With --reviews that is what people said with elsewhere review, and labels, where both are
given, come first. The labels are JSON lines: {"a": "TENANT/CASE", "b": "TENANT/CASE", "same": true}, and
"weight" where a pair stands for so many others because pairs were not drawn with equal
chances. The order says nothing and repetitions count once. 200 labels are a good
beginning: half from what links --min-tier lead shows, half from pairs that share
something and have a likelihood below .05.

What is learned: how many unrelated users a class of values has (alpha), from pairs that
have nothing else in common; how often cases of one actor share a value of a class (m) and
how many cases an actor has (siblings), from clusters of confirmed pairs; and a scale and
shift of the whole. Each is kept only if it judges pairs better that were held out while
learning; siblings only beside a learned alpha, and at most twice or half of what they were.`,
		Example: `  elsewhere model propose --labels reviews.jsonl --note "first quarter"
  elsewhere model propose --labels - --dry-run
  elsewhere model propose --reviews`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" && !reviews {
				return usageError{errors.New("propose needs --labels FILE or --reviews")}
			}
			var judged labels
			if file != "" {
				var err error
				if judged, err = a.readLabels(cmd.Context(), file); err != nil {
					return err
				}
			}
			req := elsewherev1.ProposeModelRequest_builder{Judged: judged.pairs, Note: note, DryRun: dryRun, FromReviews: reviews}
			return a.ask(func(c *client.Client) error { return a.modelPropose(cmd.Context(), c, judged, req.Build()) })
		},
	}
	cmd.Flags().BoolVar(&reviews, "reviews", false, "learn from what people said with elsewhere review")
	cmd.Flags().StringVar(&file, "labels", "", "`file` of judged pairs, - for stdin")
	cmd.Flags().StringVar(&note, "note", "", "a `text` for people, one line")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would change")
	return cmd
}

func (a *app) modelPropose(ctx context.Context, c *client.Client, judged labels, req *elsewherev1.ProposeModelRequest) error {
	res, err := c.Propose(ctx, req)
	if invalid, ok := errors.AsType[*client.InvalidError](err); ok {
		if wrong, ok := judged.explain(invalid); ok {
			return a.complain(wrong)
		}
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(res)
	} else {
		err = a.print(proposalText(res, a.style))
	}
	if err != nil {
		return err
	}
	switch m := res.GetModel(); {
	case m == nil && res.GetReviews() < learn.MinReviews:
		a.warn("elsewhere: %s: %s; %d are needed to learn from", safe(judged.name, 0), count(int(res.GetReviews()), "judged pair", "judged pairs"), learn.MinReviews)
		return exitError(exitFailed)
	case a.json:
	case m == nil:
		a.warn("nothing to propose")
	case m.GetVersion() != 0:
		a.hint("elsewhere model apply %d", m.GetVersion())
	}
	return nil
}

func (a *app) modelApplyCommand() *cobra.Command {
	var even bool
	cmd := &cobra.Command{
		Use:   "apply VERSION",
		Short: "Take a version of the model into use",
		Long: `Take a version of the model into use, one of this deployment or of the program. All
links are scored anew in the background; until then some are still by the version before,
and each says by which.

A version that was learned while another one was active than now says how to change that
one, and is refused unless --even-if-outdated is given.`,
		Example: `  elsewhere model apply 1000
  elsewhere model apply 1`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := parseVersion(args[0])
			if err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				res, err := c.ApplyModel(cmd.Context(), version, even)
				if errors.Is(err, client.ErrRefused) && !even {
					err = fmt.Errorf("model %d is not applied: %w; --even-if-outdated applies it", version, err)
				}
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print(activeText(res.GetModel(), res.GetPreviousVersion()))
			})
		},
	}
	cmd.Flags().BoolVar(&even, "even-if-outdated", false, "apply it although another version is active than when it was learned")
	return cmd
}

func (a *app) modelRollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rollback",
		Short:   "Take the last applied model back",
		Example: `  elsewhere model rollback`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				res, err := c.RollbackModel(cmd.Context())
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print(activeText(res.GetModel(), res.GetPreviousVersion()))
			})
		},
	}
}
