package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) importCommand() *cobra.Command {
	var header elsewherev1.ImportHeader_builder
	cmd := &cobra.Command{
		Use:   "import FILE --publisher NAME",
		Short: "Make a case of what somebody published",
		Long: `Make a case of tenant reports-NAME of a file that somebody published: a table of
indicators with a header of type, data and note, a MISP event or a STIX bundle; - is
standard input. The form is told by the content. The same file is the same case.

Reports link as any case does, and count as no tenant. What was published at a target
is not taken back, nor is any event or bundle of ours; a table that export wrote does
not say whose it is. What cannot be read is named by its place, and nothing is stored.`,
		Example: `  elsewhere import iocs.csv --publisher sophos --tlp clear --reference https://example.org/report
  elsewhere import event.json --publisher cert --validate-only
  curl -s https://example.org/bundle.json | elsewhere import - --publisher example`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			if header.Publisher == "" {
				return usageError{errors.New("--publisher is needed: whose report it is")}
			}
			return a.ask(func(c *client.Client) error { return a.importFile(cmd.Context(), c, files[0], header.Build()) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&header.Publisher, "publisher", "", "`name` of who published it, as in sophos")
	flags.StringVar(&header.CaseId, "id", "", "`id` of the case; default is one made of the file")
	flags.StringVar(&header.Tlp, "tlp", "", "`label` of the case; default is the file's, else amber+strict")
	flags.StringVar(&header.Title, "title", "", "`title` of the case; default is the file's")
	flags.StringArrayVar(&header.References, "reference", nil, "`address` of the report; may be repeated")
	flags.BoolVar(&header.ValidateOnly, "validate-only", false, "check the file and store nothing")
	flags.BoolVar(&header.AllowPartial, "allow-partial", false, "leave out what cannot be read, and list it")
	return cmd
}

func (a *app) importFile(ctx context.Context, c *client.Client, name string, header *elsewherev1.ImportHeader) error {
	in, shown := io.NopCloser(interruptible(ctx, a.stdin)), "stdin"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		in, shown = f, name
	}
	defer in.Close()
	res, err := c.Import(ctx, header, in)
	if invalid, ok := errors.AsType[*client.InvalidError](err); ok {
		for _, v := range invalid.Violations {
			a.warn("%s", safe(placed(shown, v.Path, v.Message, v.Reason), messageWidth))
		}
		if more := invalid.Total - len(invalid.Violations); more > 0 {
			a.warn("and %d more", more)
		}
		return exitError(exitFailed)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(res)
	}
	outcome := strings.ToLower(strings.TrimPrefix(res.GetOutcome().String(), "SUBMIT_OUTCOME_"))
	if header.GetValidateOnly() {
		outcome = "valid"
	}
	text := fmt.Sprintf("%s  %s", safe(res.GetCaseRef(), valueWidth), outcome)
	if res.GetRevision() > 0 {
		text += fmt.Sprintf("  revision %d", res.GetRevision())
	}
	text += fmt.Sprintf("  %s of %s", count(int(res.GetValues()), "value", "values"), safe(res.GetFormat(), valueWidth))
	if n := res.GetOwn(); n > 0 {
		text += fmt.Sprintf("; %s of our own left out", thousands(n))
	}
	if n := res.GetSkipped(); n > 0 {
		text += fmt.Sprintf("; %s no observables here", thousands(n))
	}
	if err := a.print(text + "\n"); err != nil {
		return err
	}
	for _, v := range res.GetRejected() {
		a.warn("%s", safe(placed(shown, v.GetPath(), v.GetMessage(), v.GetReason()), messageWidth))
	}
	if more := int(res.GetRejectedTotal()) - len(res.GetRejected()); more > 0 {
		a.warn("and %d more", more)
	}
	if !header.GetValidateOnly() {
		a.hint("elsewhere links %s", res.GetCaseRef())
	}
	return nil
}

// placed writes a place in a file as editors and people know it: FILE:3 for a line.
func placed(file, path, message, reason string) string {
	if line, ok := strings.CutPrefix(path, "line "); ok {
		return fmt.Sprintf("%s:%s: %s (%s)", file, line, message, reason)
	}
	return fmt.Sprintf("%s: %s: %s (%s)", file, path, message, reason)
}
