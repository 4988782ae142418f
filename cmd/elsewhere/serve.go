package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/server"
)

func (a *app) serveCommand() *cobra.Command {
	var c server.Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Run the service until it is interrupted. It then refuses new calls, finishes
those under way and closes the store.

Without keys everybody who reaches the service may read every tenant's cases, so
it listens on loopback only.`,
		Example: `  elsewhere serve
  elsewhere serve --data /srv/elsewhere --grpc 127.0.0.1:7431
  elsewhere serve --memory --grpc 127.0.0.1:0`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Memory && c.DataDir != "" {
				return usageError{errors.New("--data and --memory exclude each other")}
			}
			return a.serve(cmd.Context(), c)
		},
	}
	cmd.Flags().StringVar(&c.DataDir, "data", "", "`folder` of the store; default $XDG_DATA_HOME/elsewhere or ~/.local/share/elsewhere")
	cmd.Flags().BoolVar(&c.Memory, "memory", false, "keep everything in memory and forget it at the end")
	cmd.Flags().StringVar(&c.GRPCAddr, "grpc", server.DefaultGRPCAddr, "`address` to listen on for gRPC; port 0 takes a free one")
	return cmd
}

func (a *app) serve(ctx context.Context, c server.Config) error {
	if !c.Memory {
		var err error
		if c.DataDir, err = dataDir(c.DataDir); err != nil {
			return err
		}
	}
	c.Logger = slog.New(slog.NewTextHandler(a.stderr, nil))
	s, err := server.Open(ctx, c)
	if err != nil {
		return err
	}
	info, _ := debug.ReadBuildInfo()
	a.warn("%s", version(info))
	a.warn("listening on %s for gRPC, without keys: who reaches it reads everything", s.Addr())
	if c.Memory {
		a.warn("data in memory only")
	} else {
		a.warn("data in %s", safe(c.DataDir, 0))
	}
	if err := s.Serve(ctx); err != nil {
		return err
	}
	a.warn("stopped")
	return nil
}

// dataDir returns the given folder, or the one for data of the user.
func dataDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	// The specification ignores relative folders in the variable.
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "elsewhere"), nil
}
