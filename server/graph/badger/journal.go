package badger

import (
	"encoding/binary"
)

// A change that is larger than a Badger transaction may be is written into the
// journal first: its parts are long values, which count for a few bytes each,
// so that all of it is one transaction. From then on the change has happened.
// It is applied in as many transactions as it takes; applying it again, after a
// crash, ends in the same state. Readers keep the state before until the last
// one is done.

// journalPart is the length of a journal record.
const journalPart = 512 << 10

// The writes in a journal.
const (
	journalRemove = iota
	journalSet
	journalSetLong
)

func journalKey(part int) string {
	return string(binary.BigEndian.AppendUint32([]byte{spaceJournal}, uint32(part)))
}

func (w *writer) storeLarge(sets writes) error {
	if w.db().Opts().InMemory {
		return w.storeParts(sets, nil)
	}
	journal := journalOf(sets)
	if err := w.store(journal); err != nil {
		return err
	}
	return w.storeParts(sets, journal)
}

func journalOf(sets writes) writes {
	journal := writes{}
	var part []byte
	flush := func() {
		journal[journalKey(len(journal))] = write{val: part}
		part = nil
	}
	for k, v := range sets {
		part = appendString(part, k)
		switch {
		case v.val == nil:
			part = append(part, journalRemove)
		case v.long:
			part = appendString(append(part, journalSetLong), string(v.val))
		default:
			part = appendString(append(part, journalSet), string(v.val))
		}
		if len(part) >= journalPart {
			flush()
		}
	}
	if len(part) > 0 {
		flush()
	}
	return journal
}

// storeParts applies a change in several transactions and removes its journal
// with the last one.
func (w *writer) storeParts(sets, journal writes) error {
	part, size := writes{}, int64(0)
	flush := func() error {
		err := w.store(part)
		clear(part)
		size = 0
		return err
	}
	for k, v := range sets {
		n := cost(k, v, w.inline)
		if size+n >= w.maxBytes || int64(len(part)+1) >= w.maxEntries {
			if err := flush(); err != nil {
				return err
			}
		}
		part[k] = v
		size += n
	}
	// The journal goes as a whole, or a crash would leave half of it.
	if err := flush(); err != nil {
		return err
	}
	for k := range journal {
		part[k] = write{}
	}
	return flush()
}

// replay finishes the change that a crash has interrupted, if there is one.
func (w *writer) replay() error {
	sets, journal, err := w.readJournal()
	if err != nil || len(journal) == 0 {
		return err
	}
	return w.storeParts(sets, journal)
}

func (w *writer) readJournal() (sets, journal writes, err error) {
	txn := w.db().NewTransaction(false)
	defer txn.Discard()
	it := reader{txn: txn}.iterate([]byte{spaceJournal})
	defer it.Close()
	sets, journal = writes{}, writes{}
	for it.Rewind(); it.Valid(); it.Next() {
		journal[string(it.Item().Key())] = write{}
		err := it.Item().Value(func(val []byte) error {
			d := decoder{s: string(val)}
			for d.s != "" {
				k := d.str()
				switch d.byte() {
				case journalRemove:
					sets[k] = write{}
				case journalSet:
					sets[k] = write{val: []byte(d.str())}
				case journalSetLong:
					sets[k] = write{val: []byte(d.str()), long: true}
				default:
					d.fail()
				}
			}
			return d.done("journal")
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return sets, journal, nil
}
