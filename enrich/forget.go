package enrich

import (
	"context"
	"time"
)

// Forget drops what the book has about values, without telling that their classes
// changed: it is for values that nothing is scored by.
func (b *Book) Forget(ctx context.Context, values []Value) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	for _, v := range values {
		v = v.Normal()
		b.mu.RLock()
		_, known := b.lines[v]
		b.mu.RUnlock()
		if !known && !b.untold[v] {
			continue
		}
		if err := b.put(ctx, bookLine{Value: v}); err != nil {
			return err
		}
		delete(b.untold, v)
		b.mu.Lock()
		delete(b.lines, v)
		b.mu.Unlock()
	}
	return nil
}

// ForgetAnswers drops what is kept of the answers of a source about values.
func ForgetAnswers(ctx context.Context, store Store, source string, values []Value) error {
	for _, v := range values {
		key := storeKey(answerSpace, source, v.Normal())
		data, err := store.Get(ctx, key)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if err := store.Put(ctx, key, nil, time.Unix(1, 0)); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw takes values back that were offered and not asked about yet.
func (b *Backlog) Withdraw(values []Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range values {
		if w, ok := b.places[v.Normal()]; ok {
			b.drop(w)
		}
	}
}

// KeepsAnswers reports whether a store has answers of third parties.
func KeepsAnswers(ctx context.Context, store Store) (bool, error) {
	for _, err := range store.Scan(ctx, answerSpace+"/") {
		return err == nil, err
	}
	return false, nil
}
