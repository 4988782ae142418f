package erase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Keeper keeps intentions and receipts, as durably as cases are.
type Keeper interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte, expire time.Time) error
	Scan(ctx context.Context, prefix string) iter.Seq2[graph.Kept, error]
}

// intentionPrefix is where intentions are kept: the tenant follows. One that was
// carried out stays with its receipt until the tenant is erased another time.
const intentionPrefix = "erase/"

// intentionVersion is that of stored intentions.
const intentionVersion = 1

// intention is that a tenant is to be erased, and how far that is.
type intention struct {
	Version int       `json:"v"`
	Tenant  string    `json:"tenant"`
	By      string    `json:"by,omitempty"`
	Asked   time.Time `json:"asked"`
	Purge   bool      `json:"purge,omitempty"`
	// Counted says that Removed and Models are complete. That is before anything is
	// removed, so that a crash makes no difference to them.
	Counted bool      `json:"counted,omitempty"`
	Removed []Tally   `json:"removed,omitempty"`
	Models  []uint32  `json:"models,omitempty"`
	Erased  time.Time `json:"erased,omitzero"`
	Purged  time.Time `json:"purged,omitzero"`
	// Document is the signed receipt of what was done so far.
	Document []byte `json:"document,omitempty"`
}

// done reports whether all that was asked for was carried out.
func (i *intention) done() bool {
	return !i.Erased.IsZero() && (!i.Purge || !i.Purged.IsZero())
}

func readIntention(data []byte) (intention, error) {
	var i intention
	if err := json.Unmarshal(data, &i); err != nil {
		return i, fmt.Errorf("a stored erasure is damaged: %w", err)
	}
	if i.Version > intentionVersion {
		return i, fmt.Errorf("an erasure is stored in version %d; this program reads up to %d", i.Version, intentionVersion)
	}
	if i.Tenant == "" {
		return i, errors.New("a stored erasure names no tenant")
	}
	return i, nil
}

// keep stores an intention.
func (e *Eraser) keep(ctx context.Context, i *intention) error {
	i.Version = intentionVersion
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return e.c.Keeper.Put(ctx, intentionPrefix+i.Tenant, data, time.Time{})
}

// find returns the intention of a tenant, nil if there is none.
func (e *Eraser) find(ctx context.Context, tenant string) (*intention, error) {
	data, err := e.c.Keeper.Get(ctx, intentionPrefix+tenant)
	if err != nil || data == nil {
		return nil, err
	}
	i, err := readIntention(data)
	return &i, err
}

// intentions returns those that are not carried out, in the order in which they were
// asked for.
func (e *Eraser) intentions(ctx context.Context) ([]intention, error) {
	var open []intention
	for entry, err := range e.c.Keeper.Scan(ctx, intentionPrefix) {
		if err != nil {
			return nil, err
		}
		i, err := readIntention(entry.Data)
		if err != nil {
			return nil, err
		}
		if !i.done() {
			open = append(open, i)
		}
	}
	return open, nil
}
