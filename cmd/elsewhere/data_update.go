package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/enrich/starter"
)

// fetchTimeout bounds the fetching of one list.
const fetchTimeout = 5 * time.Minute

func (d *dataCommand) updateCommand() *cobra.Command {
	var r feeds.Request
	timeout := fetchTimeout
	cmd := &cobra.Command{
		Use:   "update [NAME...]",
		Short: "Fetch newer lists and databases",
		Long: `Fetch lists from their publishers, or take them from a URL, a file or a folder of files.
Without names: all lists that have a lasting address, or all that are found in the
folder given. This is the only command that asks publishers; no value of a case is
sent.

A file is let in only when it is whole and of its format, and neither older nor more
than 30 % shorter than the one in use; otherwise that one stays. Files have a cap each,
from 1 MB to 64 MB, databases 2 GB. A publisher who says that nothing changed is
believed while the file here is undamaged.

A file is known by the name under which its publisher offers it, a MISP warninglist by
its folder (NAME/list.json is misp-NAME), a database by .mmdb (X.mmdb is mmdb-X); for
any other name say which list it is. Microsoft offers Azure's ranges under an address
that changes every week: download ServiceTags_Public_DATE.json and give it with --from.

Lists of your own: egress (CSV of tenant and prefix: never evidence, never sent to a
third party), hosting-asn (an AS number a line), freemail, mail-provider, disposable,
url-shortener, dynamic-dns, parking (a domain a line), as NAME.csv or NAME.txt.`,
		Example: `  elsewhere data update
  elsewhere data update tor misp-vpn-ipv4
  elsewhere data update --from ~/Downloads/ServiceTags_Public_20260810.json
  elsewhere data update --from /srv/mirror
  elsewhere data update tor --from https://mirror.example/exits.txt`,
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, names []string) error {
			if timeout <= 0 {
				return usageError{fmt.Errorf("timeout %v: want more than nothing", timeout)}
			}
			r.Names = names
			return d.update(cmd.Context(), r, timeout)
		},
	}
	cmd.Flags().StringVar(&r.From, "from", "", "`URL`, file or folder to take files from")
	cmd.Flags().BoolVar(&r.Force, "force", false, "let in a list that is older or shorter than the one in use; one that is broken stays out")
	cmd.Flags().DurationVar(&timeout, "timeout", fetchTimeout, "at most so long for one list")
	return cmd
}

func (d *dataCommand) update(ctx context.Context, r feeds.Request, timeout time.Duration) error {
	dir, err := d.folderPath()
	if err != nil {
		return err
	}
	// The folder of the store is made with this mode too.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	folder, err := feeds.Open(dir, feeds.Options{Timeout: timeout})
	if err != nil {
		return err
	}
	results, err := d.withProgress(ctx, folder, r)
	if reportErr := d.report(results); reportErr != nil && err == nil {
		err = reportErr
	}
	return err
}

// report writes what came of each list. The error is the exit code.
func (d *dataCommand) report(results []feeds.Result) error {
	if len(results) == 0 {
		return nil
	}
	counts := make(map[feeds.Outcome]int)
	rows := make([][]string, 0, len(results))
	var refused []feeds.Result
	for _, r := range results {
		counts[r.Outcome]++
		entries, date := count(r.Info.Entries, "entry", "entries"), cmp.Or(r.Info.Date, "no date")
		if r.Outcome == feeds.Refused {
			refused = append(refused, r)
			entries, date = "", ""
		}
		if r.Info.Skipped > 0 && entries != "" {
			date += fmt.Sprintf(", %d not readable", r.Info.Skipped)
		}
		rows = append(rows, []string{safe(r.Name, valueWidth), r.Outcome.String(), entries, date})
	}
	if err := d.app.print(table([]string{"", "", ">", ""}, rows)); err != nil {
		return err
	}
	if len(refused) > 0 {
		embedded, err := starter.Load()
		if err != nil {
			return err
		}
		lists := embedded.Lists()
		for _, r := range refused {
			d.app.warn("elsewhere: %s: %s; %s", safe(r.Name, valueWidth), safe(why(r), messageWidth), stays(r, lists))
		}
	}
	d.app.warn("%s: %d updated, %d unchanged, %d refused", count(len(results), "list", "lists"),
		counts[feeds.Updated], counts[feeds.Unchanged], counts[feeds.Refused])
	if len(refused) > 0 {
		return exitError(exitFailed)
	}
	return nil
}

// stays says what is in use in place of a file that was refused.
func stays(r feeds.Result, builtIn []netclass.Info) string {
	if r.Info.Digest != "" {
		return "the one in the folder stays: " + count(r.Info.Entries, "entry", "entries") + ", " + cmp.Or(r.Info.Date, "no date")
	}
	// The ranges of Microsoft 365 are not among the starter data.
	if r.Name == netclass.M365Endpoints || slices.ContainsFunc(builtIn, func(i netclass.Info) bool { return i.Name == r.Name }) {
		return "the built-in one stays"
	}
	return "there is none in the folder"
}

// why says why a file was refused.
func why(r feeds.Result) string {
	if errors.Is(r.Err, context.DeadlineExceeded) {
		return "not there in time (--timeout)"
	}
	return reason(r.Name, r.Err)
}
