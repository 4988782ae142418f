package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// What keys are called in errors.
const (
	correlationKey = "correlation key"
	auditKey       = "audit key"
)

// correlationSecret returns the secret from which private values are hashed and
// page tokens sealed. It lies outside the store, so that a stolen copy of the
// store alone cannot be searched for a telephone number.
func correlationSecret(c Config) ([]byte, error) {
	path := c.CorrelationKeyFile
	switch {
	case c.Memory && path == "":
		return newSecret(), nil
	case !c.Memory && c.DataDir == "":
		return nil, errors.New("a data folder is needed")
	case path != "":
		return readSecret(correlationKey, path)
	}
	path = filepath.Join(c.DataDir, "keys", "correlation.key")
	secret, err := readSecret(correlationKey, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	// Under a new key nothing private would match what is stored.
	if _, err := os.Stat(c.storeDir()); err == nil {
		return nil, fmt.Errorf("the store %s was made with a correlation key that is gone: put it back as %s", c.storeDir(), path)
	}
	secret = newSecret()
	return secret, writeSecret(correlationKey, path, secret)
}

// pinKey holds a data folder to the key it was made with: its id, which tells
// nothing of the key, stands beside the store. Under another key nothing private
// would match what is stored, and nobody would notice.
func pinKey(c Config, id string) error {
	if c.Memory {
		return nil
	}
	path := filepath.Join(c.DataDir, "correlation.id")
	pinned, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		return writeWhole(correlationKey, path, id)
	case err != nil:
		return fmt.Errorf("correlation key: %w", err)
	case strings.TrimSpace(string(pinned)) != id:
		return fmt.Errorf("the store %s was made with the correlation key %s, and this one is %s", c.storeDir(), strings.TrimSpace(string(pinned)), id)
	}
	return nil
}

func newSecret() []byte {
	secret := make([]byte, rpc.CorrelationKeyBytes)
	rand.Read(secret)
	return secret
}

// readSecret reads a key written as hexadecimal digits. No error names what the
// file holds.
func readSecret(what, path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(secret) != rpc.CorrelationKeyBytes {
		return nil, fmt.Errorf("%s: %s does not hold %d hexadecimal digits", what, path, 2*rpc.CorrelationKeyBytes)
	}
	return secret, nil
}

// writeSecret writes a key.
func writeSecret(what, path string, secret []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return writeWhole(what, path, hex.EncodeToString(secret))
}

// writeWhole writes a line to a file so that after a crash or a power loss it is
// there whole or not at all.
func writeWhole(what, path, line string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new.*")
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	_, err = fmt.Fprintln(f, line)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", what, err), os.Remove(f.Name()))
	}
	return syncDir(what, dir)
}

// syncDir makes names in a folder durable.
func syncDir(what, dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
