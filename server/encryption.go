package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

// Encryption is how the files of a store are encrypted. At most one of KeyFile and
// KeyCommand is set; without either nothing is.
type Encryption struct {
	// KeyFile holds the master key: 16, 24 or 32 bytes, with or without a line feed
	// at the end.
	KeyFile string
	// KeyCommand is run by the shell and prints the same.
	KeyCommand string
	// Rotation is how long files are written with one data key; 0:
	// DefaultKeyRotation.
	Rotation time.Duration
}

// DefaultKeyRotation is how long files are written with one data key.
const DefaultKeyRotation = badger.DefaultKeyRotation

const (
	// longestKey is the longest master key, in bytes.
	longestKey = 32
	// keyWithin bounds how long a command may take for the key.
	keyWithin = 30 * time.Second
)

var errTwoKeys = errors.New("the encryption key comes from a file or from a command, not from both")

func (e Encryption) options(ctx context.Context) (badger.Encryption, error) {
	key, err := e.key(ctx)
	return badger.Encryption{Key: key, Rotation: e.Rotation}, err
}

// key returns the master key, nil for none. No error names what was read.
func (e Encryption) key(ctx context.Context) (key []byte, err error) {
	switch {
	case e.KeyFile != "" && e.KeyCommand != "":
		return nil, errTwoKeys
	case e.KeyFile != "":
		key, err = readKeyFile(e.KeyFile)
	case e.KeyCommand != "":
		key, err = runKeyCommand(ctx, e.KeyCommand)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	if bare, ok := bytes.CutSuffix(key, []byte("\n")); ok && isKeyLength(len(bare)) {
		key = bare
	}
	if !isKeyLength(len(key)) {
		return nil, errors.New("encryption key: want 16, 24 or 32 bytes, and nothing else but a line feed at the end")
	}
	return key, nil
}

func isKeyLength(n int) bool { return n == 16 || n == 24 || n == longestKey }

func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others (mode %04o); chmod 600 it", path, info.Mode().Perm())
	}
	return io.ReadAll(io.LimitReader(f, longestKey+2))
}

func runKeyCommand(ctx context.Context, command string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, keyWithin, fmt.Errorf("the command took longer than %v", keyWithin))
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	out := &bounded{most: longestKey + 2}
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("the command failed: %w", err)
	}
	return out.Bytes(), nil
}

// bounded is a buffer that keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	most int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), b.most-b.Len())])
	return len(p), nil
}

// Rekey gives the store of a data folder another master key, or encrypts a plain one,
// or writes an encrypted one plain. The service must not be running.
func Rekey(ctx context.Context, c Config, to Encryption) error {
	if _, err := os.Stat(c.storeDir()); err != nil {
		return fmt.Errorf("no store: %w", err)
	}
	now, err := c.Encryption.options(ctx)
	if err != nil {
		return err
	}
	next, err := to.key(ctx)
	if err != nil {
		return err
	}
	return badger.Rekey(ctx, badger.Options{
		Dir: c.storeDir(), Encryption: now, Reserve: c.DiskReserve, Logger: c.logger(),
	}, next)
}
