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

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why A B",
		Short: "Explain how likely two cases are the same actor's, and why or why not",
		Long: `Explain the score of two cases, written TENANT/CASE, as the sum of its parts: the
prior, then family by family what they have in common, with the weight of each
value in bits, what of it counts, and what discounts it. Also for cases that are
not linked: then it says why not.

  m    chance that two cases of one actor share such a value
  α    unrelated actors expected on such a value whom nobody has seen
  d    tenants on the value that nothing else connects with the two
  f    share of unrelated cases that have the value
  gap  days between the nearest sightings; the longer, the less it says`,
		Example: `  elsewhere why alder/2023-0117 birch/2023-0142`,
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, refs []string) error {
			for _, ref := range refs {
				if err := checkRef(ref); err != nil {
					return err
				}
			}
			return a.ask(func(c *client.Client) error { return a.why(cmd.Context(), c, refs[0], refs[1]) })
		},
	}
}

func (a *app) why(ctx context.Context, c *client.Client, x, y string) error {
	e, err := c.Explain(ctx, x, y)
	if errors.Is(err, client.ErrNotFound) {
		return fmt.Errorf("%s or %s: %w", x, y, err)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(elsewherev1.ExplainLinkResponse_builder{Explanation: e}.Build())
	}
	ports, err := statedPorts(ctx, c, e)
	if err != nil {
		return err
	}
	if err := a.print(waterfall(e, ports, a.style)); err != nil {
		return err
	}
	a.hint("m, α, d, f and gap are explained by: elsewhere why --help")
	return nil
}

// statedPorts returns what the two cases state of the ports of the addresses
// that they have in common, by kind and value. A case that is gone or may not be
// read states nothing.
func statedPorts(ctx context.Context, c *client.Client, e *elsewherev1.Explanation) (map[string][]string, error) {
	if len(e.GetFamilies()) == 0 {
		return nil, nil
	}
	cases := make([]*elsewherev1.Case, 2)
	for i, ref := range []string{e.GetA(), e.GetB()} {
		var err error
		if cases[i], err = c.GetCase(ctx, ref); err != nil && !errors.Is(err, client.ErrNotFound) {
			return nil, err
		}
	}
	return openPorts([]string{"A", "B"}, cases), nil
}

// linked reports whether an explanation is one of a link.
func linked(e *elsewherev1.Explanation) bool { return e.GetTier() >= elsewherev1.Tier_TIER_LEAD }

// leadLikelihood is where links begin; below it a note says what else stands
// against one.
const leadLikelihood = .05

// whyNot says in one sentence why there is no link.
func whyNot(e *elsewherev1.Explanation) string {
	evidence := e.GetTotalMillibits() - e.GetPriorMillibits()
	values, generic := 0, e.GetSharedGeneric()
	for _, f := range e.GetFamilies() {
		if f.GetName() == behaviour {
			continue
		}
		for _, g := range f.GetGroups() {
			values += len(g.GetValues())
		}
	}
	against := fmt.Sprintf("%s bits of evidence do not outweigh a prior of %s", bits(evidence), bits(e.GetPriorMillibits()))
	switch {
	case e.GetLikelihood() >= leadLikelihood:
		return "no link, whatever the evidence"
	case values > 0:
		return "no link: " + against
	case len(generic) > 0:
		names := make([]string, 0, 3)
		for _, g := range generic[:min(len(generic), 3)] {
			names = append(names, safe(g.GetValue(), 40))
		}
		if more := len(generic) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		return "no link: in common is only what adds nothing: " + strings.Join(names, ", ")
	case evidence > 0:
		return "no link: no value in common, and " + against
	default:
		return "no link: nothing in common that says anything"
	}
}

// behaviour is the family of what is common without being a value.
const behaviour = "behaviour"

// reasons says in short phrases where the weight of a value comes from and what
// discounts it.
func reasons(v *elsewherev1.SharedValue, g *elsewherev1.Group, first bool, family string) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if family == behaviour {
		return append(techniques(v), safeAll(v.GetReasons(), messageWidth)...)
	}
	out = append(out, roles(v)...)
	if c := v.GetClass(); c != "" {
		class := "class " + safe(c, valueWidth)
		if r := because(c, v.GetClassReasons()); len(r) > 0 {
			class += " (" + strings.Join(r, "; ") + ")"
		}
		out = append(out, class)
	}
	add("m %s", number(v.GetM()))
	if v.GetAlpha() > 0 {
		add("α %s", number(v.GetAlpha()))
		add("d %s", thousands(v.GetUnexplainedTenants()))
	}
	if f := v.GetBackground(); f > 0 {
		add("f %s", number(f))
	}
	if t := v.GetTrust(); t < 1 {
		add("trust %s", number(t))
	}
	add("gap %s", count(int(v.GetGapDays()), "day", "days"))
	out = append(out, safeAll(v.GetReasons(), messageWidth)...)
	switch {
	case v.GetUsedMillibits() >= v.GetWeightMillibits():
	case !first:
		add("counts less: one of several in %s", safe(g.GetId(), valueWidth))
	case g.GetRank() > 1 && g.GetRank() < 16:
		add("counts 1/%d: rank %d in %s", 1<<(g.GetRank()-1), g.GetRank(), safe(family, valueWidth))
	case g.GetRank() > 1:
		add("counts nothing: rank %d in %s", g.GetRank(), safe(family, valueWidth))
	case len(v.GetReasons()) == 0:
		add("counts less: %s is capped", safe(g.GetId(), valueWidth))
	}
	return out
}

// roles says in which roles the cases saw a value.
func roles(v *elsewherev1.SharedValue) []string {
	a, b := strings.Join(safeAll(v.GetRolesA(), valueWidth), ", "), strings.Join(safeAll(v.GetRolesB(), valueWidth), ", ")
	switch {
	case a == b && a == "referenced", a == "" && b == "":
		return nil
	case a == b:
		return []string{a}
	default:
		return []string{"A " + a, "B " + b}
	}
}

// techniques says what both cases did and what only one did.
func techniques(v *elsewherev1.SharedValue) []string {
	var both, onlyA, onlyB []string
	for _, t := range v.GetTechniquesA() {
		if slices.Contains(v.GetTechniquesB(), t) {
			both = append(both, t)
		} else {
			onlyA = append(onlyA, t)
		}
	}
	for _, t := range v.GetTechniquesB() {
		if !slices.Contains(v.GetTechniquesA(), t) {
			onlyB = append(onlyB, t)
		}
	}
	var out []string
	for _, part := range []struct {
		who  string
		list []string
	}{{"both", both}, {"only A", onlyA}, {"only B", onlyB}} {
		if len(part.list) > 0 {
			out = append(out, safe(part.who+" "+strings.Join(part.list, " "), lineWidth-8))
		}
	}
	return out
}
