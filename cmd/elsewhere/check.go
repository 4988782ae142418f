package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/server"
)

func (a *app) checkCommand() *cobra.Command {
	var c server.Config
	var rebuild bool
	var known enrichmentFlags
	limit := rebuildMemoryLimit
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a data folder, and rebuild its links",
		Long: `Compare everything that the store derived with the cases that it comes from, and
print each difference. The service must not be running on the folder.

With --rebuild all links are then computed anew, on all cores; the old ones are there
until they are replaced. What was interrupted goes on where it was. Give the --feeds
and --mmdb that serve has: scores depend on them. A rebuild holds all cases in compact
form, about 1 GiB for a million of 20 values; near --memory-limit it takes longer.`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkMemoryLimit(limit); err != nil {
				return err
			}
			if c.Enrichment, err = known.data(); err != nil {
				return err
			}
			_, restore := limitMemory(limit)
			defer restore()
			return a.check(cmd.Context(), c, rebuild)
		},
	}
	cmd.Flags().StringVar(&c.DataDir, "data", "", "`folder` of the store; default $XDG_DATA_HOME/elsewhere or ~/.local/share/elsewhere")
	known.registerData(cmd)
	cmd.Flags().Var(&limit, "memory-limit", "soft limit for the memory of the process, a `size` as 2GiB, 0 for none; GOMEMLIMIT goes before it")
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "make all links anew")
	return cmd
}

func (a *app) check(ctx context.Context, c server.Config, rebuild bool) error {
	var err error
	if c.DataDir, err = dataDir(c.DataDir); err != nil {
		return err
	}
	c.Logger = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	differences := 0
	var printErr error
	progress := a.newProgress()
	err = server.Check(ctx, c, rebuild,
		func(done, of int) { progress.show("%d of %d cases linked anew", done, of) },
		func(line string) {
			differences++
			if printErr == nil {
				printErr = a.print(safe(line, 0) + "\n")
			}
		})
	progress.clear()
	switch {
	case err != nil:
		return err
	case printErr != nil:
		return printErr
	case differences > 0:
		a.warn("%s", count(differences, "difference", "differences"))
		return exitError(exitFailed)
	case rebuild:
		return a.print("no differences; links rebuilt\n")
	default:
		return a.print("no differences\n")
	}
}
