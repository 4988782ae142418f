package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) huntCommand() *cobra.Command {
	h := huntRun{app: a}
	var from, to string
	var ips []string
	cmd := &cobra.Command{
		Use:   "hunt FILE|DIR...",
		Short: "Make a case of Microsoft 365 audit logs",
		Long: `Read exported audit logs where they lie, hunt in them for what intruders do, and
make a case of the findings. What a file is, is found from its content: exports of
the portal and of PowerShell, the Management Activity API, Graph sign-ins,
directory audits and alerts, and what SIEMs make of them; also compressed, in any
number of overlapping files. - is standard input.

Without --user and --ip the users and addresses that look compromised are
proposed, with reasons, and the case is theirs.

Nothing leaves this machine without --submit. --preview lists what would leave and
what stays. What names the tenant stays, in any encoding; telephone numbers leave
with --submit only, over the loopback interface, and a server keeps a keyed hash
of them; --private puts them into the file of -o.`,
		Example: `  elsewhere hunt export/
  elsewhere hunt export/ --user jane@example.com --from 2023-01-10 --preview
  elsewhere hunt export/ --tenant alder --case 2023-0117 -o case.json
  elsewhere hunt export/ --tenant alder --case 2023-0117 --ip 198.51.100.7 --submit`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			var err error
			if h.from, err = readTime(from, false); err != nil {
				return usageError{fmt.Errorf("--from: %w", err)}
			}
			if h.to, err = readTime(to, true); err != nil {
				return usageError{fmt.Errorf("--to: %w", err)}
			}
			for _, text := range ips {
				p, err := readPrefix(text)
				if err != nil {
					return usageError{fmt.Errorf("--ip: %w", err)}
				}
				h.filter.Prefixes = append(h.filter.Prefixes, p)
			}
			if err := h.check(cmd); err != nil {
				return err
			}
			return h.run(cmd.Context(), files)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&h.header.Tenant, "tenant", "", "`id` of the tenant of the case")
	flags.StringVar(&h.header.Case, "case", "", "`id` of the case")
	flags.StringVar(&h.header.Title, "title", "", "`title` of the case; it leaves with it")
	flags.StringArrayVar(&h.filter.Users, "user", nil, "only what this `user` did; may be repeated")
	flags.StringArrayVar(&ips, "ip", nil, "only what came from this `address` or network; may be repeated")
	flags.StringVar(&from, "from", "", "only from this `day` or time on (2023-01-10, 2023-01-10T08:00:00Z)")
	flags.StringVar(&to, "to", "", "only until this `day`, included, or time")
	flags.StringVarP(&h.output, "output", "o", "", "write the case to `FILE`")
	flags.BoolVar(&h.private, "private", false, "put values of private kinds into the file of -o")
	flags.BoolVar(&h.preview, "preview", false, "list what would leave the tenant and what stays")
	flags.BoolVar(&h.timeline, "timeline", false, "list what happened in order of time")
	flags.BoolVar(&h.submit, "submit", false, "submit the case")
	return cmd
}

// huntMemory is what the Go runtime is held to: twice what the limits of a dossier
// let it grow to.
const huntMemory byteSize = 384 << 20

// huntRun is one run of hunt.
type huntRun struct {
	app      *app
	header   draft.Header
	filter   dossier.Filter
	from, to time.Time
	output   string
	private  bool
	preview  bool
	timeline bool
	submit   bool
	natures  *natures
	open     func(paths []string) ([]m365.Source, error) // nil for files
}

// readTime reads a day or a time. A day is its beginning, or its end.
func readTime(text string, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a day (2023-01-10) nor a time (2023-01-10T08:00:00Z)", text)
	}
	return t.UTC(), nil
}

func readPrefix(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a network", text)
	}
	return p.Masked(), nil
}

// check refuses command lines that cannot mean anything.
func (h *huntRun) check(cmd *cobra.Command) error {
	if (h.output != "" || h.submit) && (h.header.Tenant == "" || h.header.Case == "") {
		return usageError{errors.New("a case needs --tenant and --case")}
	}
	switch {
	case h.output == "-":
		return usageError{errors.New("-o needs a file: standard output is for what was found")}
	case h.private && h.output == "":
		return usageError{errors.New("--private means nothing without -o")}
	case !h.to.IsZero() && !h.from.Before(h.to):
		return usageError{errors.New("--to is before --from")}
	case cmd.Flags().Changed("server") && !h.submit:
		return usageError{errors.New("--server means nothing without --submit")}
	}
	return nil
}

// run reads the evidence, says what is in it and does what was asked with the
// case.
func (h *huntRun) run(ctx context.Context, paths []string) error {
	_, restore := limitMemory(huntMemory)
	defer restore()
	report, account, err := h.read(ctx, paths)
	if err != nil {
		return err
	}
	if account.Records == 0 {
		h.complain(account)
		return errors.New("there is no audit record in the evidence")
	}
	secret := h.submit && (loopback(h.app.server) || h.app.secret())
	sent, err := draft.New(h.header, report, draft.Options{Secret: secret, FirstParty: h.natures.firstParty})
	if err != nil {
		return usageError{err}
	}
	kept := sent
	if secret != h.private {
		if kept, err = draft.New(h.header, report, draft.Options{Secret: h.private, FirstParty: h.natures.firstParty}); err != nil {
			return usageError{err}
		}
	}
	if h.output != "" && len(report.Findings) > 0 {
		if err := writeCase(h.output, kept.Case); err != nil {
			return err
		}
	}
	if err := h.show(report, account, sent); err != nil {
		return err
	}
	h.complain(account)
	if len(report.Findings) == 0 {
		if h.output != "" || h.submit {
			return errors.New("there is no finding, and so no case")
		}
		return h.unread(account)
	}
	if h.output != "" {
		h.app.hint("elsewhere submit %s", safe(h.output, refWidth))
	}
	if h.submit {
		if !secret && slices.ContainsFunc(sent.Stays, func(i draft.Item) bool { return i.What == "phone" }) {
			h.app.warn("private kinds stay: %s is not on the loopback interface, and there is no --tls", safe(h.app.server, valueWidth))
		}
		var tokens []string
		if secret {
			tokens = report.Guard.Tokens()
		}
		if err := h.app.ask(func(c *client.Client) error {
			// Before the case, so that nobody exports it in between.
			h.hint(ctx, c, tokens)
			return h.send(ctx, c, sent.Case)
		}); err != nil {
			return err
		}
	}
	return h.unread(account)
}

// unread fails where a file could not be opened: the answer is not of all that
// was asked for.
func (h *huntRun) unread(account *m365.Account) error {
	if account.Reasons[m365.ReasonOpen] > 0 {
		return exitError(exitFailed)
	}
	return nil
}

// read gathers the evidence.
func (h *huntRun) read(ctx context.Context, paths []string) (*dossier.Report, *m365.Account, error) {
	natures, err := loadNatures(h.filter.Prefixes)
	if err != nil {
		return nil, nil, err
	}
	h.natures = natures
	sources, err := h.sources(ctx, paths)
	if err != nil {
		return nil, nil, err
	}
	line := h.app.newProgress()
	reader := m365.NewReader(sources, m365.Options{Progress: func(p m365.Progress) {
		read := bytesText(p.Bytes)
		if p.Total > 0 {
			read += " of " + bytesText(p.Total)
		}
		line.show("%s, %s", read, count(p.Records, "record", "records"))
	}})
	d := dossier.New(dossier.Options{Classify: natures.of, Public: natures.public, From: h.from, To: h.to})
	for record, err := range reader.Records(ctx) {
		if err != nil {
			line.clear()
			return nil, nil, err
		}
		d.Add(record)
	}
	line.clear()
	return d.Report(h.filter), reader.Account(), nil
}

func (h *huntRun) sources(ctx context.Context, paths []string) ([]m365.Source, error) {
	if h.open != nil {
		return h.open(paths)
	}
	var sources []m365.Source
	for _, p := range paths {
		if p == "-" {
			sources = append(sources, m365.Stream("stdin", interruptible(ctx, h.app.stdin)))
			continue
		}
		found, err := m365.Paths(p)
		if err != nil {
			return nil, err
		}
		sources = append(sources, found...)
	}
	return sources, nil
}

// hint tells the server what names the tenant, so that exports can look for it: the
// server keeps keyed hashes. Without it the case is as good, and exports miss more.
func (h *huntRun) hint(ctx context.Context, c *client.Client, tokens []string) {
	if len(tokens) == 0 {
		return
	}
	if _, err := c.TenantHints(ctx, h.header.Tenant, tokens); err != nil {
		h.app.warn("elsewhere: exports of this tenant are not looked through for all of its names: %s", safe(err.Error(), messageWidth))
	}
}

// send submits the case and shows what it links to.
func (h *huntRun) send(ctx context.Context, c *client.Client, sent *elsewherev1.Case) error {
	resp, err := c.Submit(ctx, elsewherev1.SubmitCaseRequest_builder{Case: sent, AllowPartial: true}.Build())
	if err != nil {
		return err
	}
	for _, v := range resp.GetRejected() {
		h.app.warn("elsewhere: left out: %s: %s", safe(v.GetPath(), valueWidth), safe(v.GetMessage(), messageWidth))
	}
	if h.app.json {
		return h.app.printJSON(resp)
	}
	s := submission{app: h.app, template: &elsewherev1.SubmitCaseRequest{}}
	return h.app.print("\n" + s.result(resp))
}

// loopback reports whether a server is on this machine, so that nobody on the
// way can read along.
func loopback(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && a.IsLoopback()
}

// writeCase writes a case as submit reads it. The file is whole or not there.
func writeCase(name string, c *elsewherev1.Case) error {
	text, err := caseText(c)
	if err != nil {
		return err
	}
	return writeWhole(name, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// bytesText writes a number of bytes as people read it.
func bytesText(n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	f, u := float64(n), 0
	for f >= 1000 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return cmp.Or(strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0"), "0") + " " + units[u]
}
