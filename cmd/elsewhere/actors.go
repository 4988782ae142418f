package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) actorsCommand() *cobra.Command {
	return group("actors", "Show and name the actors that cases seem to be the work of",
		`Show and name the actors that cases seem to be the work of: clusters of strong links
and of what people confirmed. You are shown the cases that you may read.`,
		a.listActorsCommand(), a.showActorCommand(), a.nameActorCommand(), a.actorHistoryCommand())
}

func (a *app) listActorsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all actors",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error { return a.listActors(cmd.Context(), c) })
		},
	}
}

func (a *app) listActors(ctx context.Context, c *client.Client) error {
	found := 0
	for page, err := range c.ActorPages(ctx) {
		if err != nil {
			return err
		}
		if found += len(page.GetActors()); a.json {
			err = a.printJSON(page)
		} else if len(page.GetActors()) > 0 {
			err = a.print(actorTable(page.GetActors()))
		}
		if err != nil {
			return err
		}
	}
	if found == 0 && !a.json {
		return a.print("no actors\n")
	}
	return nil
}

func actorTable(actors []*elsewherev1.Actor) string {
	rows := make([][]string, len(actors))
	for i, x := range actors {
		rows[i] = []string{
			x.GetId(), safe(x.GetName(), refWidth), thousands(x.GetCases()), thousands(uint32(len(x.GetTenants()))),
			otherTenants(x), day(x.GetFirstSeen()), day(x.GetLastSeen()),
		}
	}
	return table([]string{"actor", "name", ">cases", ">tenants", ">others", "first seen", "last seen"}, rows)
}

// otherTenants writes in how many tenants of others an actor was seen.
func otherTenants(x *elsewherev1.Actor) string {
	r := x.GetOtherTenants()
	switch {
	case !r.HasMax():
		return fmt.Sprintf("%d+", r.GetMin())
	case r.GetMax() == 0:
		return ""
	}
	return fmt.Sprintf("%d-%d", r.GetMin(), r.GetMax())
}

func (a *app) showActorCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ACTOR",
		Short:   "Show an actor: its cases, what they have in common, and what may belong to it",
		Example: "  elsewhere actors show act-k3q7m2xw4c",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.ask(func(c *client.Client) error {
				res, err := c.Actor(cmd.Context(), ids[0])
				if err != nil {
					return unknownActor(ids[0], err)
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print(a.actor(res.GetActor()))
			})
		},
	}
}

func unknownActor(id string, err error) error {
	if errors.Is(err, client.ErrNotFound) {
		return fmt.Errorf("%s: %w", safe(id, refWidth), err)
	}
	return err
}

// actor writes all that is known of an actor.
func (a *app) actor(x *elsewherev1.Actor) string {
	var b strings.Builder
	b.WriteString(a.style.bold(x.GetId()))
	if x.GetName() != "" {
		b.WriteString("  " + a.style.bold(safe(x.GetName(), refWidth)))
	}
	b.WriteString("\n")
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-12s%s\n", label, text)
		}
	}
	line("aliases", strings.Join(safeAll(x.GetAliases(), refWidth), ", "))
	if x.GetAnchor() != "" {
		line("named", fmt.Sprintf("%s by %s, on %s", day(x.GetNamedAt()), safe(x.GetNamedBy(), refWidth), safe(x.GetAnchor(), refWidth)))
	}
	for _, text := range strings.Split(x.GetNote(), "\n") {
		line("note", safe(text, 400))
	}
	line("seen", span(x.GetFirstSeen(), x.GetLastSeen()))
	line("tenants", nameCounts(x.GetTenants()))
	line("others", otherTenants(x))
	line("techniques", nameCounts(x.GetTechniques()))
	members := strings.Join(safeAll(x.GetMembers(), refWidth), " ")
	if int(x.GetCases()) > len(x.GetMembers()) {
		members += fmt.Sprintf(" and %d more", int(x.GetCases())-len(x.GetMembers()))
	}
	line("cases", members)
	if len(x.GetEvidence()) > 0 {
		rows := make([][]string, len(x.GetEvidence()))
		for i, v := range x.GetEvidence() {
			rows[i] = []string{"", safe(v.GetKind(), refWidth), safe(v.GetValue(), refWidth), v.GetClass(), count(int(v.GetCases()), "case", "cases")}
		}
		b.WriteString("in common\n" + table(make([]string, 5), rows))
	}
	if len(x.GetCandidates()) > 0 {
		b.WriteString("may belong to it\n" + linkTable(x.GetCandidates(), ""))
	}
	for _, c := range x.GetConflicts() {
		fmt.Fprintf(&b, "conflict: %s is set aside, against %s\n", said(c.GetSetAside()), said(c.GetAgainst()))
	}
	return b.String()
}

func nameCounts(counts []*elsewherev1.NameCount) string {
	parts := make([]string, len(counts))
	for i, n := range counts {
		parts[i] = fmt.Sprintf("%s (%d)", safe(n.GetName(), refWidth), n.GetCases())
	}
	return strings.Join(parts, ", ")
}

func (a *app) nameActorCommand() *cobra.Command {
	b := elsewherev1.Actor_builder{}
	cmd := &cobra.Command{
		Use:   "name ACTOR [NAME]",
		Short: "Name an actor",
		Long: `Name an actor. The name hangs on a case of it, the first unless --anchor says another,
and goes where that case goes: if an actor falls apart, the part with the case keeps
the name. An empty name takes it away.`,
		Example: `  elsewhere actors name act-k3q7m2xw4c "Quiet Otter" --alias UNC-17
  elsewhere actors name act-k3q7m2xw4c --note "sells access" --anchor alder/2023-0117`,
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, words []string) error {
			mask := &fieldmaskpb.FieldMask{}
			b.Id = words[0]
			if len(words) == 2 {
				b.Name = words[1]
				mask.Paths = append(mask.Paths, "name")
			}
			for flag, field := range map[string]string{"alias": "aliases", "note": "note", "anchor": "anchor"} {
				if cmd.Flags().Changed(flag) {
					mask.Paths = append(mask.Paths, field)
				}
			}
			if len(mask.Paths) == 0 {
				return usageError{errors.New("nothing to change: give a name or a flag")}
			}
			return a.ask(func(c *client.Client) error {
				res, err := c.UpdateActor(cmd.Context(), elsewherev1.UpdateActorRequest_builder{Actor: b.Build(), UpdateMask: mask}.Build())
				if err != nil {
					return unknownActor(words[0], err)
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print(a.actor(res.GetActor()))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&b.Aliases, "alias", nil, "a `name` that others use, in the place of all before; may be repeated")
	flags.StringVar(&b.Note, "note", "", "a `text` of at most 4,000 characters")
	flags.StringVar(&b.Anchor, "anchor", "", "the `case` that all of it hangs on")
	return cmd
}

func (a *app) actorHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history ACTOR",
		Short: "Show what became of an actor, newest first",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.ask(func(c *client.Client) error {
				for page, err := range c.ActorHistoryPages(cmd.Context(), ids[0]) {
					if err != nil {
						return unknownActor(ids[0], err)
					}
					if a.json {
						err = a.printJSON(page)
					} else {
						err = a.print(eventTable(page.GetEvents()))
					}
					if err != nil {
						return err
					}
					if page.GetOlderDropped() {
						a.warn("older events are not kept")
					}
				}
				return nil
			})
		},
	}
}

func eventTable(events []*elsewherev1.ActorEvent) string {
	rows := make([][]string, len(events))
	for i, e := range events {
		change, _ := strings.CutPrefix(e.GetChange().String(), "ACTOR_CHANGE_")
		about := safeAll(e.GetMembers(), refWidth)
		if e.GetMoreMembers() {
			about = append(about, "...")
		}
		if e.GetAuthor() != "" {
			about = append(about, fmt.Sprintf("%q by %s", safe(e.GetText(), refWidth), safe(e.GetAuthor(), refWidth)))
		}
		rows[i] = []string{
			e.GetTime().AsTime().Format("2006-01-02 15:04:05"), strings.ToLower(change), e.GetFrom(), e.GetTo(), strings.Join(about, " "),
		}
	}
	return table([]string{"when (UTC)", "change", "from", "to", "cases"}, rows)
}
