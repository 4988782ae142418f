package badger

import (
	"iter"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func (s *snapshot) Rows(tenant string, after graph.RowKey) iter.Seq2[graph.Row, error] {
	return func(yield func(graph.Row, error) bool) {
		prefix := tenantPrefix(spaceRow, tenant)
		start := prefix
		switch {
		case after == (graph.RowKey{}):
		case after.A.Tenant == tenant:
			start = append(rowKey(after.A, after.B), 0)
		default:
			start = latest(prefix, append(rowKey(after.B, after.A), 0))
		}
		for it, err := range s.from(prefix, start) {
			var row graph.Row
			if err == nil {
				if here, there, _ := parsePair(it.Item().Key()[1:]); here.Compare(there) > 0 && there.Tenant == tenant {
					continue // stands at its smaller end
				}
				row, err = s.rowAt(it)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func (s *snapshot) RowsAfter(a evidence.Ref) iter.Seq2[graph.Row, error] {
	return func(yield func(graph.Row, error) bool) {
		prefix := []byte{spaceRow}
		start := prefix
		if a != (evidence.Ref{}) {
			// Behind the terminator of its ref.
			start = append(refKey(spaceRow, a), 1)
		}
		for it, err := range s.from(prefix, start) {
			var row graph.Row
			if err == nil {
				if here, there, _ := parsePair(it.Item().Key()[1:]); here.Compare(there) > 0 {
					continue
				}
				row, err = s.rowAt(it)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// rowAt reads the row that an iterator stands on, at either end.
func (s *snapshot) rowAt(it *dgraph.Iterator) (row graph.Row, err error) {
	here, there, ok := parsePair(it.Item().Key()[1:])
	switch {
	case !ok:
		err = unreadable("link row")
	case here.Compare(there) > 0:
		row, err = s.row(graph.RowKey{A: there, B: here})
	default:
		err = s.value(it, func(val []byte) (err error) {
			row, err = decodeRow(graph.RowKey{A: here, B: there}, val)
			return err
		})
	}
	return row, err
}

// row reads a row that another key says is there.
func (s *snapshot) row(key graph.RowKey) (row graph.Row, err error) {
	ok, err := s.get(rowKey(key.A, key.B), func(val []byte) error {
		row, err = decodeRow(key, val)
		return err
	})
	if err == nil && !ok {
		err = unreadable("link row")
	}
	return row, err
}

func (s *snapshot) RowsOf(v evidence.Value) iter.Seq2[graph.Row, error] {
	return func(yield func(graph.Row, error) bool) {
		prefix := append([]byte{spaceShared}, newNode(v).key...)
		for it, err := range s.from(prefix, prefix) {
			var row graph.Row
			if err == nil {
				a, b, ok := parsePair(it.Item().Key()[len(prefix):])
				if ok {
					row, err = s.row(graph.RowKey{A: a, B: b})
				} else {
					err = unreadable("link row")
				}
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}
