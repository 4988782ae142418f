package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/elsewhere-project/elsewhere/server"
)

// encryptionFlags say how the files of a store are encrypted, for every command that
// opens one.
type encryptionFlags struct {
	server.Encryption
	days uint32
}

func (f *encryptionFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.KeyFile, "encryption-key-file", "", "`file` with the key that the store is encrypted with: 16, 24 or 32 bytes")
	flags.StringVar(&f.KeyCommand, "encryption-key-command", "", "`command` for /bin/sh that prints that key")
}

func (f *encryptionFlags) registerRotation(flags *pflag.FlagSet) {
	f.register(flags)
	flags.Uint32Var(&f.days, "encryption-key-rotation", uint32(server.DefaultKeyRotation/(24*time.Hour)), "write files for so many `days` with one data key")
}

// maxRotation is the longest time for which files are written with one data key.
const maxRotation = 3_650

func (f *encryptionFlags) encryption() (server.Encryption, error) {
	switch {
	case f.KeyFile != "" && f.KeyCommand != "":
		return f.Encryption, usageError{errors.New("--encryption-key-file and --encryption-key-command exclude each other")}
	case f.days > maxRotation:
		return f.Encryption, usageError{fmt.Errorf("data keys of %d days: at most %d", f.days, maxRotation)}
	}
	f.Rotation = time.Duration(f.days) * 24 * time.Hour
	return f.Encryption, nil
}

func (a *app) rekeyCommand() *cobra.Command {
	var c server.Config
	var now encryptionFlags
	var next server.Encryption
	var decrypt bool
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Encrypt a store, or change its key",
		Long: `Give the store of a data folder another master key. The service must not be running.
The data keys, with which files are written, are encrypted anew; the files stay as they
are. A store that is not encrypted yet is written anew, as is one that --decrypt makes
plain, which takes as much room on the disk as it has.

It is done as a whole or not at all, whenever it is interrupted. Keep the old key for
copies of the folder.`,
		Example: `  elsewhere rekey --new-key-file store.key
  elsewhere rekey --encryption-key-file store.key --new-key-file next.key
  elsewhere rekey --encryption-key-file store.key --decrypt`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Encryption, err = now.encryption(); err != nil {
				return err
			}
			given := 0
			for _, is := range []bool{next.KeyFile != "", next.KeyCommand != "", decrypt} {
				if is {
					given++
				}
			}
			if given != 1 {
				return usageError{errors.New("one of --new-key-file, --new-key-command and --decrypt is needed")}
			}
			if decrypt && now.KeyFile == "" && now.KeyCommand == "" {
				return usageError{errors.New("--decrypt needs the key that the store is encrypted with")}
			}
			if c.DataDir, err = dataDir(c.DataDir); err != nil {
				return err
			}
			c.Logger = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if err := server.Rekey(cmd.Context(), c, next); err != nil {
				return err
			}
			if decrypt {
				return a.print("the store is not encrypted any more\n")
			}
			return a.print("the store has its new key\n")
		},
	}
	cmd.Flags().StringVar(&c.DataDir, "data", "", "`folder` of the store; default $XDG_DATA_HOME/elsewhere or ~/.local/share/elsewhere")
	now.register(cmd.Flags())
	cmd.Flags().StringVar(&next.KeyFile, "new-key-file", "", "`file` with the new key: 16, 24 or 32 bytes")
	cmd.Flags().StringVar(&next.KeyCommand, "new-key-command", "", "`command` for /bin/sh that prints the new key")
	cmd.Flags().BoolVar(&decrypt, "decrypt", false, "write the store without encryption")
	return cmd
}
