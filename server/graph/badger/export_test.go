package badger

import (
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// RecordKey is the key of the record of a value.
func RecordKey(v evidence.Value) []byte { return recordKey(newNode(v).key) }

// RawGet reads a key as Badger has it, without a look at the value.
func RawGet(sn graph.Snapshot, key []byte) error {
	item, err := sn.(*snapshot).txn.Get(key)
	if err != nil {
		return err
	}
	return item.Value(func([]byte) error { return nil })
}

// Uncached is the same state, read without the caches.
func Uncached(sn graph.Snapshot) graph.Snapshot {
	s := sn.(*snapshot)
	return &snapshot{reader: reader{txn: s.txn}, ctx: s.ctx, limits: s.limits, pack: s.pack}
}
