package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Access is what an operator may set about who comes in and what is told across
// tenants.
type Access struct {
	// TLS is what connections are secured with; the zero value is not at all.
	TLS TLS
	// Init makes an admin key if there is no key yet; FirstKey returns it.
	Init bool
	// ExistsBelowK tells tenants that a value was seen elsewhere at all, though by
	// fewer than access.K owners.
	ExistsBelowK bool
	// DiscloseAtOnce counts sightings for tenants when they are stored and not
	// from the UTC day after. For tests and demonstrations.
	DiscloseAtOnce bool
}

// accessSide is who may come in, and what is done in the background for it.
type accessSide struct {
	tenants *access.Tenants
	rules   *access.Rules
	keys    *access.Keys
	first   access.Secret
	store   graph.Store
	log     *slog.Logger
	// due receives when some tenant's values are to be marked.
	due chan struct{}
}

// openAccess reads keys. With Init it makes the first.
func openAccess(ctx context.Context, c Config, store graph.Store, tenants *access.Tenants) (*accessSide, error) {
	if err := missingTenants(ctx, store, tenants); err != nil {
		return nil, err
	}
	rules := access.NewRules(tenants, c.ExistsBelowK, c.DiscloseAtOnce, c.Clock)
	keys, err := access.OpenKeys(ctx, store.Kept(), rules, c.logger(), c.Clock)
	if err != nil {
		return nil, err
	}
	s := &accessSide{tenants: tenants, rules: rules, keys: keys, store: store, log: c.logger(), due: make(chan struct{}, 1)}
	if c.Init && !keys.Any() {
		if _, s.first, err = keys.Create(audit.ByHost(ctx, "serve --init"), access.Key{Name: "first key", Role: access.RoleAdmin}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// missingTenants makes the records of tenants that have cases and none: those of
// an older version, and those that a crash came before.
func missingTenants(ctx context.Context, store graph.Store, tenants *access.Tenants) error {
	return store.View(ctx, func(snap graph.Snapshot) error {
		for at := (evidence.Ref{}); ; {
			next := ""
			for c, err := range snap.Cases("", at) {
				if err != nil {
					return err
				}
				next = c.Tenant
				break
			}
			if next == "" {
				return nil
			}
			tenants.Known(next)
			// Behind all cases of the tenant: no id has a character so large.
			at = evidence.Ref{Tenant: next, Case: "\xff"}
		}
	})
}

// FirstKey returns the key that Config.Init made, which is not told again; ok is
// false if there were keys already.
func (s *Server) FirstKey() (key access.Secret, ok bool) {
	return s.access.first, s.access.first.Reveal() != ""
}

// HasKeys reports whether calls need a key.
func (s *Server) HasKeys() bool { return s.access.keys.Any() }

// RecoverKey makes an admin key for a data folder on whose service nobody has one.
// The service must not be running.
func RecoverKey(ctx context.Context, c Config) (key access.Secret, err error) {
	if _, err := os.Stat(c.storeDir()); err != nil {
		return key, fmt.Errorf("no store: %w", err)
	}
	store, tenants, err := openStore(ctx, c)
	if err != nil {
		return key, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	side, err := openAccess(ctx, c, store, tenants)
	if err != nil {
		return key, err
	}
	defer side.keys.Close()
	_, key, err = side.keys.Create(audit.ByHost(ctx, "keys recover"), access.Key{Name: "recovered on the host", Role: access.RoleAdmin})
	return key, err
}

// run stores what may wait, and follows changes of trust, until ctx ends.
func (s *accessSide) run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { keep(ctx, s.log, s.keys.Run) })
	parts.Go(func() { keep(ctx, s.log, s.tenants.Run) })
	keep(ctx, s.log, s.follow)
}

// follow follows changes of trust until ctx ends.
func (s *accessSide) follow(ctx context.Context) {
	s.retrust()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.due:
		}
		if err := s.settle(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "links do not follow the trust of a tenant yet", "error", err)
			time.AfterFunc(retryTrust, s.retrust)
		}
	}
}

// retryTrust is how long values wait to be marked after an error.
const retryTrust = 5 * time.Second

// retrust says that the trust of a tenant changed. The record says of which.
func (s *accessSide) retrust() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// Values that are marked in one change, and cases that are read for them.
const (
	touchedTogether = 1_000
	readTogether    = 100
)

// settle marks all values of the tenants whose trust changed, so that their links
// are scored anew.
func (s *accessSide) settle(ctx context.Context) error {
	for _, t := range s.tenants.Unsettled() {
		for at := (evidence.Ref{Tenant: t.ID}); ; {
			values, last, err := s.valuesAfter(ctx, t.ID, at)
			if err != nil {
				return err
			}
			for part := range slices.Chunk(values, touchedTogether) {
				if err := s.store.Touch(ctx, part); err != nil {
					return err
				}
			}
			if last == (evidence.Ref{}) {
				break
			}
			at = last
		}
		if err := s.tenants.Settled(ctx, t.ID, t.Revision); err != nil {
			return err
		}
	}
	return nil
}

// valuesAfter returns the values of some live cases of a tenant after one, and the
// last of those cases; the zero Ref if there are no more.
func (s *accessSide) valuesAfter(ctx context.Context, tenant string, at evidence.Ref) (values []evidence.Value, last evidence.Ref, err error) {
	err = s.store.View(ctx, func(snap graph.Snapshot) error {
		n := 0
		for c, err := range snap.Cases(tenant, at) {
			if err != nil {
				return err
			}
			p, err := snap.Profile(c.Ref)
			if err != nil {
				return err
			}
			for i := range p.Sightings {
				if p.Live {
					values = append(values, p.Sightings[i].Value)
				}
			}
			if n++; n == readTogether {
				last = c.Ref
				break
			}
		}
		return nil
	})
	slices.SortFunc(values, evidence.Value.Compare)
	return slices.Compact(values), last, err
}

// mayListen returns why the service does not listen on an address: beyond this
// machine only with TLS and keys.
func (a Access) mayListen(addr string, keys bool) error {
	err := loopback(addr)
	switch {
	case err == nil || errors.As(err, new(*net.AddrError)):
		return err
	case a.TLS.CertFile == "":
		return fmt.Errorf("%w: beyond this machine the service needs a certificate and keys", err)
	case !keys && !a.Init:
		return fmt.Errorf("%w: beyond this machine the service needs keys, and there is none yet", err)
	}
	return nil
}

// loopback returns why an address is not one that only this machine reaches.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address to listen on: %w", err)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("address to listen on: %q is not loopback", addr)
	}
	return nil
}
