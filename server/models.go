package server

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// models keeps the versions of a deployment's model and which one is active, in
// the space of the store that no case depends on. Versions below
// link.FirstOwnVersion are part of the program. Nothing is ever changed there, only
// added, so that whatever a link was scored by can be looked up.
//
// Until somebody applies a version the newest of the program is active.
type models struct {
	keeper graph.Keeper
	known  *enrichment
	now    func() time.Time
	// changing is held while the active version changes.
	changing sync.Mutex
	// learning holds one token while somebody learns: it takes a processor.
	learning chan struct{}
}

func newModels(keeper graph.Keeper, known *enrichment) *models {
	return &models{keeper: keeper, known: known, now: time.Now, learning: make(chan struct{}, 1)}
}

// Where models are kept: the version and the number of the activation follow.
const (
	versionPrefix    = "model/version/"
	activationPrefix = "model/active/"
)

// keptModel is a version as it is kept.
type keptModel struct {
	Model       json.RawMessage `json:"model"` // a link.Definition
	LearnedFrom uint32          `json:"learned_from"`
	By          string          `json:"by"`
	Reviews     int             `json:"reviews"`
	// Nil where nothing was held out.
	Before *float64 `json:"log_loss_before"`
	After  *float64 `json:"log_loss_after"`
}

// keptActivation is a change of the active version as it is kept.
type keptActivation struct {
	Version  uint32    `json:"version"`
	Previous uint32    `json:"previous"`
	Rollback bool      `json:"rollback"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
}

// numbered returns a key whose order is that of the numbers.
func numbered(prefix string, n uint32) string { return fmt.Sprintf("%s%010d", prefix, n) }

// activeModel returns the model that a store was left with. A version that needs a
// newer program is an error that says so: links scored by another model would
// silently take its place.
func activeModel(ctx context.Context, keeper graph.Keeper) (*link.Model, error) {
	m := models{keeper: keeper}
	version, _, err := m.active(ctx)
	if err != nil {
		return nil, err
	}
	model, err := m.load(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("the active model of this store: %w", err)
	}
	return model.Model, nil
}

// active returns the active version and all activations, oldest first.
func (m *models) active(ctx context.Context) (uint32, []rpc.Activation, error) {
	var all []rpc.Activation
	for entry, err := range m.keeper.Scan(ctx, activationPrefix) {
		if err != nil {
			return 0, nil, err
		}
		var a keptActivation
		if err := json.Unmarshal(entry.Data, &a); err != nil {
			return 0, nil, fmt.Errorf("kept entry %s: %w", entry.Key, err)
		}
		all = append(all, rpc.Activation(a))
	}
	if len(all) == 0 {
		return link.Newest().Version(), nil, nil
	}
	return all[len(all)-1].Version, all, nil
}

// load returns one version; graph.ErrNotFound if there is none.
func (m *models) load(ctx context.Context, version uint32) (rpc.Model, error) {
	if version < link.FirstOwnVersion {
		return builtInModel(version)
	}
	data, err := m.keeper.Get(ctx, numbered(versionPrefix, version))
	if err != nil {
		return rpc.Model{}, err
	}
	if data == nil {
		return rpc.Model{}, graph.ErrNotFound
	}
	return readModel(data)
}

func builtInModel(version uint32) (rpc.Model, error) {
	model, ok := link.BuiltIn(version)
	switch {
	case ok:
		return rpc.Model{Model: model, Definition: model.Define(time.Time{}, ""), Before: math.NaN(), After: math.NaN()}, nil
	case version > link.Newest().Version():
		return rpc.Model{}, &link.UnknownBaseError{Version: version, Base: version}
	}
	return rpc.Model{}, graph.ErrNotFound
}

func readModel(data []byte) (rpc.Model, error) {
	var kept keptModel
	if err := json.Unmarshal(data, &kept); err != nil {
		return rpc.Model{}, fmt.Errorf("a kept model: %w", err)
	}
	definition, err := link.ParseDefinition(kept.Model)
	if err != nil {
		return rpc.Model{}, err
	}
	model, err := definition.Model()
	if err != nil {
		return rpc.Model{}, err
	}
	out := rpc.Model{
		Model: model, Definition: definition, LearnedFrom: kept.LearnedFrom, By: kept.By, Reviews: kept.Reviews,
		Before: math.NaN(), After: math.NaN(),
	}
	if kept.Before != nil && kept.After != nil {
		out.Before, out.After = *kept.Before, *kept.After
	}
	return out, nil
}

// Models implements rpc.Models. A version that needs a newer program is left out.
func (m *models) Models(ctx context.Context) ([]rpc.Model, []rpc.Activation, error) {
	active, activations, err := m.active(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []rpc.Model
	for _, version := range link.BuiltInVersions() {
		model, err := builtInModel(version)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, model)
	}
	for entry, err := range m.keeper.Scan(ctx, versionPrefix) {
		if err != nil {
			return nil, nil, err
		}
		model, err := readModel(entry.Data)
		if unknownBase(err) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, model)
	}
	for i := range out {
		out[i].Active = out[i].Version() == active
	}
	newest := make([]rpc.Activation, 0, len(activations))
	for i := range activations {
		newest = append(newest, activations[len(activations)-1-i])
	}
	return out, newest, nil
}

// Model implements rpc.Models.
func (m *models) Model(ctx context.Context, version uint32) (rpc.Model, error) {
	active, _, err := m.active(ctx)
	if err != nil {
		return rpc.Model{}, err
	}
	if version == 0 {
		version = active
	}
	out, err := m.load(ctx, version)
	if unknownBase(err) {
		err = graph.ErrNotFound
	}
	out.Active = version == active
	return out, err
}

// Apply implements rpc.Models.
func (m *models) Apply(ctx context.Context, by string, version uint32, evenIfOutdated bool) (rpc.Model, uint32, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	active, activations, err := m.active(ctx)
	if err != nil {
		return rpc.Model{}, 0, err
	}
	model, err := m.load(ctx, version)
	if unknownBase(err) {
		err = graph.ErrNotFound
	}
	if err != nil {
		return rpc.Model{}, 0, err
	}
	model.Active = true
	if version == active {
		return model, active, nil
	}
	if model.LearnedFrom != 0 && model.LearnedFrom != active && !evenIfOutdated {
		return rpc.Model{}, 0, rpc.ErrModelOutdated
	}
	return model, active, m.activate(ctx, model.Model, len(activations), keptActivation{Version: version, Previous: active, By: by})
}

// Rollback implements rpc.Models.
func (m *models) Rollback(ctx context.Context, by string) (rpc.Model, uint32, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	active, activations, err := m.active(ctx)
	if err != nil {
		return rpc.Model{}, 0, err
	}
	// What was applied and not taken back yet: the last of them goes.
	var before []uint32
	for _, a := range activations {
		if a.Rollback && len(before) > 0 {
			before = before[:len(before)-1]
		} else if !a.Rollback {
			before = append(before, a.Previous)
		}
	}
	if len(before) == 0 {
		return rpc.Model{}, 0, rpc.ErrNoRollback
	}
	model, err := m.load(ctx, before[len(before)-1])
	if err != nil {
		return rpc.Model{}, 0, err
	}
	model.Active = true
	return model, active, m.activate(ctx, model.Model, len(activations),
		keptActivation{Version: model.Version(), Previous: active, Rollback: true, By: by})
}

// activate keeps an activation, as the next of so many, and takes the model into
// use.
func (m *models) activate(ctx context.Context, model *link.Model, nth int, a keptActivation) error {
	a.At = m.now().UTC().Truncate(time.Second)
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	audit.Mention(ctx, modelSubject(a.Version))
	if err := m.add(ctx, numbered(activationPrefix, uint32(nth)), data); err != nil {
		return err
	}
	// Kept is done: whoever asked may go.
	m.known.use(context.WithoutCancel(ctx), model)
	return nil
}

// modelSubject names a version on the audit trail.
func modelSubject(version uint32) string { return fmt.Sprintf("model %d", version) }

// add keeps an entry where none is yet.
func (m *models) add(ctx context.Context, key string, data []byte) error {
	stored, err := m.keeper.Swap(ctx, key, nil, data)
	if err == nil && !stored {
		err = fmt.Errorf("kept entry %s is there already", key)
	}
	return err
}

// nextVersion returns the first version that no model has.
func (m *models) nextVersion(ctx context.Context) (uint32, error) {
	next := uint32(link.FirstOwnVersion)
	for entry, err := range m.keeper.Scan(ctx, versionPrefix) {
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseUint(entry.Key[len(versionPrefix):], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("kept entry %s: %w", entry.Key, err)
		}
		next = max(next, uint32(n)+1)
	}
	return next, nil
}
