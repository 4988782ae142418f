package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Audit is what an operator may set about the record of what was done.
type Audit struct {
	// SyncReads has every answer wait until it is durable what it tells.
	SyncReads bool
	// Retention is how long entries are kept at least; 0: for ever.
	Retention time.Duration
}

// openTrail opens the audit trail of a store.
func openTrail(ctx context.Context, c Config, store graph.Store) (*audit.Trail, *audit.Signer, error) {
	signer, err := auditSigner(ctx, c, store)
	if err != nil {
		return nil, nil, err
	}
	trail, err := audit.Open(ctx, store.Trail(), signer, audit.Options{
		Sync: c.SyncReads, Retention: c.Audit.Retention, Log: c.logger(),
	})
	return trail, signer, err
}

// auditSigner returns who signs the trail. The key lies outside the store, so that a
// stolen or changed copy of the store alone cannot be given another past.
func auditSigner(ctx context.Context, c Config, store graph.Store) (*audit.Signer, error) {
	if c.Memory {
		return audit.NewSigner(newSecret())
	}
	path := filepath.Join(c.DataDir, "keys", "audit.key")
	secret, err := readSecret(auditKey, path)
	if errors.Is(err, fs.ErrNotExist) {
		begun, err := audit.Begun(ctx, store.Trail())
		if err != nil {
			return nil, err
		}
		if begun {
			return nil, fmt.Errorf("the audit trail of %s was signed with a key that is gone: put it back as %s", c.storeDir(), path)
		}
		secret = newSecret()
		if err := writeSecret(auditKey, path, secret); err != nil {
			return nil, err
		}
		return audit.NewSigner(secret)
	}
	if err != nil {
		return nil, err
	}
	return audit.NewSigner(secret)
}

// VerifyAudit verifies the audit trail of a data folder with the key that lies there.
// The service must not be running.
func VerifyAudit(ctx context.Context, c Config) (report audit.Report, err error) {
	// Opening would make what is not there.
	if _, err := os.Stat(c.storeDir()); err != nil {
		return report, fmt.Errorf("no store: %w", err)
	}
	store, _, err := openStore(ctx, c)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	trail, _, err := openTrail(ctx, c, store)
	if err != nil {
		return report, err
	}
	lines, out := io.Pipe()
	go func() {
		for part, err := range trail.Export(ctx, time.Time{}) {
			if err == nil {
				_, err = out.Write(part)
			}
			if err != nil {
				out.CloseWithError(err)
				return
			}
		}
		out.Close()
	}()
	report, err = audit.Verify(lines, trail.Public())
	// The writer ends where the reader has.
	return report, errors.Join(err, lines.Close())
}
