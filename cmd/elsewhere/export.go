package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// exportFormats are the formats by name, in the order of help.
var exportFormats = []struct {
	name   string
	format elsewherev1.ExportFormat
}{
	{"misp", elsewherev1.ExportFormat_EXPORT_FORMAT_MISP},
	{"misp-feed", elsewherev1.ExportFormat_EXPORT_FORMAT_MISP_FEED},
	{"stix", elsewherev1.ExportFormat_EXPORT_FORMAT_STIX},
	{"csv", elsewherev1.ExportFormat_EXPORT_FORMAT_CSV},
	{"list", elsewherev1.ExportFormat_EXPORT_FORMAT_LIST},
	{"navigator", elsewherev1.ExportFormat_EXPORT_FORMAT_NAVIGATOR},
	{"notice", elsewherev1.ExportFormat_EXPORT_FORMAT_NOTICE},
	{"kql", elsewherev1.ExportFormat_EXPORT_FORMAT_KQL_SENTINEL},
	{"kql-defender", elsewherev1.ExportFormat_EXPORT_FORMAT_KQL_DEFENDER},
	{"sql", elsewherev1.ExportFormat_EXPORT_FORMAT_SQL},
}

func exportFormatNames() []string {
	var names []string
	for _, f := range exportFormats {
		names = append(names, f.name)
	}
	return names
}

// exportRun is one run of export.
type exportRun struct {
	app       *app
	selection choice
	format    string
	output    string
	approve   bool
	request   elsewherev1.ExportRequest_builder
}

func (a *app) exportCommand() *cobra.Command {
	e := exportRun{app: a, selection: choice{values: input{app: a}}}
	cmd := &cobra.Command{
		Use:   "export TENANT/CASE",
		Short: "Hand on what was learned, without a victim's name in it",
		Long: `Write a case, two linked cases, an actor or single values in a format that other
tools load. Every value is an indicator or context, decided once, with the reason.

Nothing of a victim leaves: private kinds and spoofed senders stay, and everything
else is looked through for the names, domains, networks and hints of the tenants,
in every encoding. What is found is an error that names the field; --without keeps
a value back.

--tlp is the label of what is written: the most open one under which all of it may
be given on. Cases with a stricter label, or of tenants with a stricter ceiling,
stay. A clear export needs a second lead: who runs the same command with --approve
gets what --approval takes.`,
		Example: `  elsewhere export alder/2023-0117 --format csv --tlp green -o iocs.csv
  elsewhere export alder/2023-0117 --min-tier strong --format stix --tlp amber -o bundle.json
  elsewhere export --link alder/2023-0117~birch/2023-0142 --format navigator --tlp green
  elsewhere export --values 104.161.20.102 -f more.txt --format list --tlp green`,
		Args:        args(cobra.ArbitraryArgs),
		Annotations: map[string]string{noJSON: ""},
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := e.prepare(cmd.Context(), given); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error { return e.run(cmd.Context(), c) })
		},
	}
	flags := cmd.Flags()
	e.selection.register(cmd)
	flags.StringVar(&e.format, "format", "", "`format`: "+strings.Join(exportFormatNames(), ", "))
	flags.StringVarP(&e.output, "output", "o", "-", "write to `FILE`, whole or not at all; - is standard output")
	flags.BoolVar(&e.request.Defang, "defang", false, "csv, list and notice: write values so that nothing makes links of them")
	flags.BoolVar(&e.request.ShortHeader, "short-header", false, "csv: begin the header with Indicator in place of Indicator_type")
	flags.StringSliceVar(&e.request.Kinds, "only", nil, "list: only these `types`, as in ip,domain")
	flags.BoolVar(&e.approve, "approve", false, "write nothing: approve of this clear export by another lead")
	// The names are right, so registering cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(exportFormatNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// choice is what the flags of a selection say.
type choice struct {
	values   input
	isValues bool
	actor    string
	link     string
	tier     string
	from, to string
	without  []string
	message  elsewherev1.Selection_builder
}

func (s *choice) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	s.values.register(flags)
	flags.BoolVar(&s.isValues, "values", false, "the arguments are values, not a case")
	flags.StringVar(&s.actor, "actor", "", "the cases of an actor, by `id`")
	flags.StringVar(&s.link, "link", "", "two linked cases, `A~B`")
	flags.StringVar(&s.message.Tlp, "tlp", "", "`label`: red, amber+strict, amber, green, clear")
	flags.StringVar(&s.tier, "min-tier", "", "also the cases linked to it by this `tier` or better: "+strings.Join(tierNames(), ", "))
	flags.StringVar(&s.from, "from", "", "only what was seen from this `day` or time on")
	flags.StringVar(&s.to, "to", "", "only what was seen until this `day`, included, or time")
	flags.StringArrayVar(&s.without, "without", nil, "a `value` that stays; may be repeated")
	flags.StringVar(&s.message.Receiver, "receiver", "", "`name` of who it is for: names of cases differ between receivers")
	flags.BoolVar(&s.message.AcceptEmptyDictionary, "accept-empty-dictionary", false, "green and clear: also of tenants of which nobody said what names them")
	flags.StringVar(&s.message.Approval, "approval", "", "`token` that a second lead was given for this clear export")
}

// read makes a selection of the flags and what stands beside them.
func (s *choice) read(ctx context.Context, given []string) (*elsewherev1.Selection, error) {
	if s.message.Tlp == "" {
		return nil, usageError{errors.New("--tlp is needed: the label of what is written")}
	}
	if s.tier != "" {
		tier, err := parseTier(s.tier)
		if err != nil {
			return nil, err
		}
		s.message.MinTier = tier
	}
	for _, at := range []struct {
		flag, text string
		end        bool
		to         **timestamppb.Timestamp
	}{{"from", s.from, false, &s.message.From}, {"to", s.to, true, &s.message.To}} {
		t, err := readTime(at.text, at.end)
		if err != nil {
			return nil, usageError{fmt.Errorf("--%s: %w", at.flag, err)}
		}
		if !t.IsZero() {
			if at.end && len(at.text) == len(time.DateOnly) {
				t = t.Add(-time.Second)
			}
			*at.to = timestamppb.New(t)
		}
	}
	for _, v := range s.without {
		s.message.Without = append(s.message.Without, elsewherev1.Observable_builder{Value: v}.Build())
	}
	if err := s.of(ctx, given); err != nil {
		return nil, err
	}
	return s.message.Build(), nil
}

// of reads what the selection is of.
func (s *choice) of(ctx context.Context, given []string) error {
	isValues := s.isValues || len(s.values.files) > 0
	ways := 0
	for _, is := range []bool{isValues, s.actor != "", s.link != "", !isValues && len(given) > 0} {
		if is {
			ways++
		}
	}
	switch {
	case ways != 1 || !isValues && len(given) > 1:
		return usageError{errors.New("one case, --actor, --link or --values is needed")}
	case s.actor != "":
		s.message.Actor = proto.String(s.actor)
	case s.link != "":
		a, b, ok := strings.Cut(s.link, "~")
		if !ok {
			return usageError{fmt.Errorf("--link %q: want TENANT/CASE~TENANT/CASE", s.link)}
		}
		if err := errors.Join(checkRef(a), checkRef(b)); err != nil {
			return err
		}
		s.message.Link = elsewherev1.LinkedCases_builder{A: a, B: b}.Build()
	case isValues:
		if err := s.values.check(given); err != nil {
			return err
		}
		var list elsewherev1.Observables_builder
		for v, err := range s.values.values(ctx, given) {
			if err != nil {
				return err
			}
			list.Values = append(list.Values, elsewherev1.Observable_builder{Kind: s.values.kind, Value: v}.Build())
		}
		s.message.Observables = list.Build()
	default:
		if err := checkRef(given[0]); err != nil {
			return err
		}
		s.message.CaseRef = proto.String(given[0])
	}
	return nil
}

// prepare makes the request of the command line.
func (e *exportRun) prepare(ctx context.Context, given []string) error {
	for _, f := range exportFormats {
		if f.name == e.format {
			e.request.Format = f.format
		}
	}
	if e.request.Format == elsewherev1.ExportFormat_EXPORT_FORMAT_UNSPECIFIED && !e.approve {
		return usageError{fmt.Errorf("no format %q; there are %s", e.format, strings.Join(exportFormatNames(), ", "))}
	}
	if e.approve && e.output != "-" {
		return usageError{errors.New("--approve writes nothing, so -o means nothing")}
	}
	selection, err := e.selection.read(ctx, given)
	e.request.Selection = selection
	return err
}

func (e *exportRun) run(ctx context.Context, c *client.Client) error {
	if e.approve {
		return e.approval(ctx, c)
	}
	var summary *elsewherev1.ExportSummary
	line := e.app.newProgress()
	write := func(w io.Writer) (err error) {
		summary, err = c.Export(ctx, e.request.Build(), w, func(done, of uint32) {
			line.show("%s of %s values", thousands(done), thousands(of))
		})
		line.clear()
		return err
	}
	var err error
	if e.output == "-" {
		err = write(e.app.stdout)
	} else {
		err = writeWhole(e.output, write)
	}
	if err != nil {
		return err
	}
	e.app.warn("%s; %s", safe(summary.GetTitle(), messageWidth), exportCounts(summary.GetCounts()))
	return nil
}

// exportHint tells people what they could do about a refused export.
func (a *app) exportHint(err error) {
	switch client.Reason(err) {
	case "EMPTY_DICTIONARY":
		a.hint("elsewhere tenants set TENANT --org-name NAME --domain DOMAIN, or --accept-empty-dictionary")
	case "APPROVAL_NEEDED":
		a.hint("another lead runs the same with --approve in place of --format and -o, and --approval takes what is printed")
	}
	invalid, ok := errors.AsType[*client.InvalidError](err)
	if ok && slices.ContainsFunc(invalid.Violations, func(v client.Violation) bool { return v.Reason == "NAMES_VICTIM" }) {
		a.hint("--without VALUE keeps a value back")
	}
}

// approval approves of what another lead wants to export.
func (e *exportRun) approval(ctx context.Context, c *client.Client) error {
	a, err := c.ApproveExport(ctx, e.request.Selection)
	if err != nil {
		return err
	}
	e.app.warn("%s; %s", safe(a.GetTitle(), messageWidth), exportCounts(a.GetCounts()))
	e.app.warn("approved: bundle %s, until %s", safe(a.GetDigest(), valueWidth), a.GetExpireTime().AsTime().Format("2006-01-02 15:04 MST"))
	return e.app.print(a.GetApproval() + "\n")
}

// exportCounts says what is in an export and what is not.
func exportCounts(n *elsewherev1.ExportCounts) string {
	parts := []string{fmt.Sprintf("%s of %s", count(int(n.GetIndicators()), "indicator", "indicators"), count(int(n.GetItems()), "value", "values"))}
	denied := n.GetDenied()
	for _, why := range slices.Sorted(maps.Keys(denied)) {
		parts = append(parts, fmt.Sprintf("%s stay: %s", thousands(denied[why]), safe(why, valueWidth)))
	}
	if k := n.GetTooStrict(); k > 0 {
		parts = append(parts, count(int(k), "case stays", "cases stay")+" by label or ceiling")
	}
	if k := n.GetUnseen(); k > 0 {
		parts = append(parts, count(int(k), "value", "values")+" in no case that may be told of")
	}
	return strings.Join(parts, "; ")
}
