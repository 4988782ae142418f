package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Read, export and verify the record of what was done",
		`Read, export and verify the record of what was done: every change, every answer that
told of somebody's cases, and how many calls were refused. It is for admins.`,
		a.listAuditCommand(), a.exportAuditCommand(), a.verifyAuditCommand(), a.auditKeyCommand())
}

func (a *app) listAuditCommand() *cobra.Command {
	var b elsewherev1.AuditTrailRequest_builder
	var from, to string
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List entries, the newest last",
		Example: `  elsewhere audit list
  elsewhere audit list --tenant alder --from 2026-01-01 --all
  elsewhere audit list --key els_ab2cd3ef4gh5 --method Seen
  elsewhere audit list --method refused`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, bound := range []struct {
				text string
				end  bool
				to   **timestamppb.Timestamp
			}{{from, false, &b.FromTime}, {to, true, &b.ToTime}} {
				t, err := readTime(bound.text, bound.end)
				if err != nil {
					return usageError{err}
				}
				if !t.IsZero() {
					*bound.to = timestamppb.New(t)
				}
			}
			if b.FromTime != nil && b.ToTime != nil && !b.FromTime.AsTime().Before(b.ToTime.AsTime()) {
				return usageError{errors.New("--to is before --from")}
			}
			// The host and open mode have names too.
			if err := refuseSecret(b.Key); err != nil {
				return err
			}
			if all {
				b.Newest = 0
			} else if b.Newest == 0 {
				return usageError{errors.New("-n 0: want 1 entry at least, or --all")}
			}
			return a.ask(func(c *client.Client) error { return a.listAudit(cmd.Context(), c, b.Build()) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "from this `day` or time on")
	flags.StringVar(&to, "to", "", "up to this `day` or time")
	flags.StringVar(&b.Key, "key", "", "what this `key` did, named by what it begins with; open, host and system are names too")
	flags.StringVar(&b.Method, "method", "", "calls of this `method`, as Seen or CaseService.SubmitCase; refused is the counts of refused calls")
	flags.StringVar(&b.Tenant, "tenant", "", "what was told of, or changed for, this `tenant`")
	flags.Uint32VarP(&b.Newest, "newest", "n", 100, "at most so many `entries`, the newest, up to 10,000")
	flags.BoolVar(&all, "all", false, "all of them")
	return cmd
}

func (a *app) listAudit(ctx context.Context, c *client.Client, req *elsewherev1.AuditTrailRequest) error {
	found := false
	for part, err := range c.AuditTrail(ctx, req) {
		switch {
		case err != nil:
			return err
		case a.json:
			err = a.printJSON(part)
		default:
			err = a.print(auditTable(part.GetEntries()))
		}
		if err != nil {
			return err
		}
		found = found || len(part.GetEntries()) > 0
	}
	if !found {
		a.hint("no entry is of that time, key, method and tenant")
	}
	return nil
}

// auditTable writes entries, a line each.
func auditTable(entries []*elsewherev1.AuditEntry) string {
	var rows [][]string
	for _, e := range entries {
		who := safe(e.GetKey(), valueWidth)
		if e.GetRole() != "" {
			who += " " + safe(e.GetRole(), valueWidth)
		}
		rows = append(rows, []string{
			auditNumber(e.GetNumber()), e.GetTime().AsTime().UTC().Format("2006-01-02 15:04:05"), who,
			safe(e.GetMethod(), valueWidth), strings.Join(auditDetails(e), "; "),
		})
		for _, r := range e.GetRefused() {
			from := r.GetKey() + r.GetAddress()
			rows = append(rows, []string{
				"", "", "  " + safe(from, valueWidth), safe(r.GetMethod(), valueWidth),
				safe(r.GetReason(), valueWidth) + " " + auditNumber(r.GetCalls()) + "×",
			})
		}
	}
	return table([]string{"", "", "", "", ""}, rows)
}

func auditNumber(n uint64) string { return fmt.Sprint(n) }

// auditDetails says what an entry is about.
func auditDetails(e *elsewherev1.AuditEntry) []string {
	var out []string
	if e.GetChange() {
		out = append(out, "changed")
	}
	if e.GetStripped() {
		out = append(out, "content removed")
	}
	tenants := strings.Join(safeAll(e.GetTenants(), valueWidth), ", ")
	if more := e.GetMoreTenants(); more > 0 {
		tenants += " and " + auditNumber(more) + " more"
	}
	var values []string
	for _, v := range e.GetValues() {
		values = append(values, v.GetValue())
	}
	var counts []string
	for name, n := range e.GetCounts() {
		counts = append(counts, strings.ReplaceAll(name, "_", " ")+" "+auditNumber(n))
	}
	slices.Sort(counts)
	for _, part := range []string{
		tenants, strings.Join(safeAll(e.GetSubjects(), valueWidth), ", "), strings.Join(safeAll(counts, valueWidth), ", "),
		strings.Join(safeAll(values, valueWidth), " "),
	} {
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (a *app) exportAuditCommand() *cobra.Command {
	var from, output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the trail as it is signed, for audit verify",
		Long: `Write the trail as it is signed, a line an entry, to stdout or a file. With --from it
begins with the signed group in which that time lies.`,
		Example: `  elsewhere audit export -o audit.ndjson
  elsewhere audit export --from 2026-01-01 | gzip > audit.ndjson.gz`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			start, err := readTime(from, false)
			if err != nil {
				return usageError{err}
			}
			req := elsewherev1.AuditTrailRequest_builder{Lines: true}
			if !start.IsZero() {
				req.FromTime = timestamppb.New(start)
			}
			return a.ask(func(c *client.Client) error {
				write := func(w io.Writer) error { return exportAudit(cmd.Context(), c, req.Build(), w) }
				if output == "" || output == "-" {
					return write(a.stdout)
				}
				return writeWhole(output, write)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "from this `day` or time on")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `file` in place of stdout")
	return cmd
}

func exportAudit(ctx context.Context, c *client.Client, req *elsewherev1.AuditTrailRequest, w io.Writer) error {
	for part, err := range c.AuditTrail(ctx, req) {
		if err != nil {
			return err
		}
		if _, err := w.Write(part.GetLines()); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) verifyAuditCommand() *cobra.Command {
	var key string
	var c server.Config
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify an exported trail, or that of a stopped service",
		Long: `Verify an exported trail (- is stdin), or with --data the one in a data folder whose
service is not running. No server is asked. What was changed, removed, added or put
in another order is named by its line and entry.

Without --public-key the file is held to the key that it names itself: then it is
whole, but anybody may have written it. The key of a service is printed by audit key.`,
		Example: `  elsewhere audit verify audit.ndjson --public-key 6fe1…
  elsewhere audit verify --data /srv/elsewhere`,
		Args: args(func(cmd *cobra.Command, names []string) error {
			if folder := cmd.Flags().Changed("data"); folder == (len(names) == 1) || len(names) > 1 {
				return errors.New("want one file, or a folder with --data")
			}
			return nil
		}),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				if key != "" {
					return usageError{errors.New("--public-key goes with a file: the folder has its own")}
				}
				c.Logger = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
				report, err := server.VerifyAudit(cmd.Context(), c)
				return a.printVerified(c.DataDir, report, err)
			}
			var public audit.PublicKey
			if key != "" {
				var err error
				if public, err = audit.ParsePublicKey(key); err != nil {
					return usageError{fmt.Errorf("--public-key: %w", err)}
				}
			}
			in := a.stdin
			if names[0] != "-" {
				f, err := os.Open(names[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			report, err := audit.Verify(in, public)
			if err == nil && key == "" {
				a.hint("it is held to the key that it names itself, %s; say --public-key to know who signed it", report.Key)
			}
			return a.printVerified(names[0], report, err)
		},
	}
	cmd.Flags().StringVar(&key, "public-key", "", "the `key` of the service, 64 hexadecimal digits")
	cmd.Flags().StringVar(&c.DataDir, "data", "", "`folder` of a stopped service, in place of a file")
	return cmd
}

// printVerified says what was verified, or which place is at fault.
func (a *app) printVerified(name string, r audit.Report, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if r.Entries == 0 {
		return a.print("verified: no entries\n")
	}
	text := fmt.Sprintf("verified: entries %d to %d, %s, %s .. %s\n", r.FirstEntry, r.LastEntry,
		count(int(r.Checkpoints), "checkpoint", "checkpoints"), r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	if r.Stripped > 0 {
		text += fmt.Sprintf("of %s the content was removed by the service\n", count(int(r.Stripped), "entry", "entries"))
	}
	return a.print(text + "last hash " + r.Hash + "\n")
}

func (a *app) auditKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "key",
		Short:       "Print what the trail of the service is verified with",
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				req := elsewherev1.AuditTrailRequest_builder{Newest: 1}.Build()
				for part, err := range c.AuditTrail(cmd.Context(), req) {
					if err != nil {
						return err
					}
					return a.print(safe(part.GetPublicKey(), 0) + "\n")
				}
				return nil
			})
		},
	}
}
