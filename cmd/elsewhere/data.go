package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/enrich/starter"
)

// feedsFolder is where lists and databases lie below the folder of the store.
const feedsFolder = "feeds"

// dataCommand is one run of a command about the folder of feeds.
type dataCommand struct {
	app *app
	// data is the folder of the store, dir that of the feeds; "" is the default.
	data, dir string
}

func (a *app) dataCommand() *cobra.Command {
	d := &dataCommand{app: a}
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Keep the lists and databases that say what a value is",
		Long: `Keep the lists and databases that say what an address or a name is. Some are part of
the program; one in the folder of feeds takes the place of the built-in one of the same
name.

A running service takes up a change of the folder by itself. Databases that it was
given with serve --mmdb are not in the folder and not shown here.`,
		Args: func(_ *cobra.Command, given []string) error {
			if len(given) == 0 {
				return usageError{errors.New("data what? update, list, verify or rollback")}
			}
			return usageError{fmt.Errorf("no command %q of data: there are update, list, verify and rollback", given[0])}
		},
		RunE:        func(*cobra.Command, []string) error { return nil },
		Annotations: map[string]string{noServer: "", noJSON: ""},
		// What is wrong is the command, not a flag that is another's.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&d.data, "data", "", "`folder` of the store, the feeds lie in feeds below it; default $XDG_DATA_HOME/elsewhere or ~/.local/share/elsewhere")
	flags.StringVar(&d.dir, "feeds", "", "`folder` of the feeds, if it is another (serve --feeds)")
	cmd.AddCommand(d.updateCommand(), d.listCommand(), d.verifyCommand(), d.rollbackCommand())
	return cmd
}

func (d *dataCommand) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the lists and databases, with licence, date and age",
		Long: `List what is in the folder and what is part of the program: name, entries, the date of
the data, their age, where they are, licence and attribution. An age in brackets is
counted from the day of the download, because the data have no date.`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE:        func(*cobra.Command, []string) error { return d.list() },
	}
}

func (d *dataCommand) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read every list and database again and say which are damaged",
		Long: `Read every file of the folder and the data that are part of the program: each has to be
the one that was let in and has to be whole. With a damaged one the exit code is 1; the
service then uses the version before, or the built-in list.`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE:        func(*cobra.Command, []string) error { return d.verify() },
	}
}

func (d *dataCommand) rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback NAME",
		Short: "Go back to the version of a list before the current one",
		Long: `Make the version before the current one of a list or database the current one. A second
rollback takes it back.`,
		Args:        args(cobra.ExactArgs(1)),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE:        func(_ *cobra.Command, given []string) error { return d.rollback(given[0]) },
	}
}

// folderPath returns the folder of the feeds.
func (d *dataCommand) folderPath() (string, error) {
	if d.dir != "" {
		if d.data != "" {
			return "", usageError{errors.New("--data and --feeds exclude each other")}
		}
		return d.dir, nil
	}
	dir, err := dataDir(d.data)
	return filepath.Join(dir, feedsFolder), err
}

// existing returns the folder if there is one, else nil: only an update makes it.
func (d *dataCommand) existing() (*feeds.Folder, string, error) {
	dir, err := d.folderPath()
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, dir, nil
	}
	folder, err := feeds.Open(dir, feeds.Options{})
	return folder, dir, err
}

func (d *dataCommand) list() error {
	folder, dir, err := d.existing()
	if err != nil {
		return err
	}
	var held []feeds.Status
	if folder != nil {
		if held, err = folder.List(); err != nil {
			return err
		}
	}
	embedded, err := starter.Load()
	if err != nil {
		return err
	}
	rows := make([][]string, 0, len(held))
	for _, s := range held {
		days := age(s.Age)
		if s.Date == "" {
			days = "(" + days + ")"
		}
		rows = append(rows, infoRow(s.Info, days, "folder"))
	}
	for _, i := range embedded.Lists() {
		where := "built in"
		if slices.ContainsFunc(held, func(s feeds.Status) bool { return s.Name == i.Name && s.Err == nil }) {
			where = "replaced"
		}
		rows = append(rows, infoRow(i, age(time.Since(i.Time())), where))
	}
	text := table([]string{"name", ">entries", "date", "age", "where", "licence", "attribution"}, rows)
	if err := d.app.print(text); err != nil {
		return err
	}
	if len(held) == 0 {
		d.app.hint("nothing in %s; elsewhere data update fetches newer lists into it", safe(dir, 0))
	}
	return d.damaged(held)
}

// infoRow is one line of the list.
func infoRow(i netclass.Info, days, where string) []string {
	return []string{
		safe(i.Name, valueWidth), thousands(uint32(i.Entries)), cmp.Or(i.Date, "?"), days, where,
		safe(i.Licence, valueWidth), safe(i.Attribution, messageWidth),
	}
}

// age writes how old data are, in days or months.
func age(d time.Duration) string {
	switch days := int(d / (24 * time.Hour)); {
	case days < 1:
		return "today"
	case days <= 60:
		return count(days, "day", "days")
	default:
		return count(days/30, "month", "months")
	}
}

// damaged writes why feeds cannot be used. The error is the exit code.
func (d *dataCommand) damaged(all []feeds.Status) error {
	var err error
	for _, s := range all {
		if s.Err != nil {
			d.app.warn("elsewhere: %s: %s", safe(s.Name, valueWidth), safe(reason(s.Name, s.Err), messageWidth))
			err = exitError(exitFailed)
		}
	}
	return err
}

// reason is an error about a feed without the name in front.
func reason(name string, err error) string { return strings.TrimPrefix(err.Error(), name+": ") }

func (d *dataCommand) verify() error {
	folder, _, err := d.existing()
	if err != nil {
		return err
	}
	var held []feeds.Status
	if folder != nil {
		if held, err = folder.Verify(); err != nil {
			return err
		}
	}
	embedded, err := starter.Load()
	if err != nil {
		return err
	}
	rows := make([][]string, 0, len(held))
	for _, s := range held {
		state := "ok"
		if s.Err != nil {
			state = "damaged"
		}
		rows = append(rows, stateRow(s.Info, state, "folder"))
	}
	// What is part of the program was read just now.
	for _, i := range embedded.Lists() {
		rows = append(rows, stateRow(i, "ok", "built in"))
	}
	if err := d.app.print(table([]string{"name", "state", ">entries", "date", "where"}, rows)); err != nil {
		return err
	}
	return d.damaged(held)
}

func stateRow(i netclass.Info, state, where string) []string {
	return []string{safe(i.Name, valueWidth), state, thousands(uint32(i.Entries)), cmp.Or(i.Date, "?"), where}
}

func (d *dataCommand) rollback(name string) error {
	folder, dir, err := d.existing()
	if err != nil {
		return err
	}
	if folder == nil {
		return fmt.Errorf("%s: %w", dir, feeds.ErrUnknown)
	}
	s, err := folder.Rollback(name)
	if err != nil {
		return err
	}
	return d.app.print(table([]string{"", "", "", ""}, [][]string{{
		safe(s.Name, valueWidth), "rolled back", count(s.Entries, "entry", "entries"), cmp.Or(s.Date, "no date"),
	}}))
}

// withProgress runs an update with a line that says how far it is.
func (d *dataCommand) withProgress(ctx context.Context, folder *feeds.Folder, r feeds.Request) ([]feeds.Result, error) {
	p := d.app.newProgress()
	r.Progress = func(now feeds.Progress) {
		if now.Total > 0 {
			p.show("%s: %.1f of %.1f MB", safe(now.Name, valueWidth), megabytes(now.Done), megabytes(now.Total))
		} else {
			p.show("%s: %.1f MB", safe(now.Name, valueWidth), megabytes(now.Done))
		}
	}
	results, err := folder.Update(ctx, r)
	p.clear()
	return results, err
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
