package badger

import (
	"bytes"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Network implements graph.Actors.
func (s *snapshot) Network() (*graph.Network, error) {
	n := network{tenants: make(map[string]span)}
	prefix := []byte{spaceRow}
	for it, err := range s.from(prefix, prefix) {
		if err != nil {
			return nil, err
		}
		here, there, ok := cutPair(it.Item().Key()[1:])
		if !ok {
			return nil, unreadable("link row")
		}
		if !bytes.Equal(here, n.here) {
			n.begin(here)
		}
		if bytes.Compare(here, there) > 0 {
			if !n.arrive(there) {
				return nil, unreadable("link row")
			}
			continue
		}
		err := s.value(it, func(val []byte) error {
			l, err := decodeLink(val)
			l.A, l.B = int32(len(n.Cases)-1), -1
			n.Links = append(n.Links, l)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range n.ends {
		if n.ends[i] != n.end(i) {
			return nil, unreadable("link row")
		}
	}
	n.Links = slices.Clip(n.Links)
	return &n.Network, nil
}

// network is a Network as it is read. Each row stands at both of its ends, which come
// in order: at the smaller one it is added, at the larger one its B is known.
type network struct {
	graph.Network
	here []byte // what names the last of Cases in keys
	// begins are, of each case, where its links begin as the smaller end, ends where
	// those begin of which B is not known yet.
	begins, ends []int
	tenants      map[string]span
}

// span are the cases of a tenant: from one place and before the other.
type span struct{ from, before int }

func (n *network) begin(here []byte) {
	n.here = append(n.here[:0], here...)
	tenant, id, _ := bytes.Cut(here, []byte{0})
	at := len(n.Cases)
	ref := evidence.Ref{Case: string(id)}
	if at > 0 && n.Cases[at-1].Tenant == string(tenant) {
		ref.Tenant = n.Cases[at-1].Tenant
	} else {
		ref.Tenant = string(tenant)
		n.tenants[ref.Tenant] = span{from: at}
	}
	n.tenants[ref.Tenant] = span{n.tenants[ref.Tenant].from, at + 1}
	n.Cases = append(n.Cases, ref)
	n.begins, n.ends = append(n.begins, len(n.Links)), append(n.ends, len(n.Links))
}

// end is where the links of a case end.
func (n *network) end(at int) int {
	if at+1 < len(n.begins) {
		return n.begins[at+1]
	}
	return len(n.Links)
}

// arrive notes that the last of Cases is the larger end of a row of another, and
// reports whether there is one.
func (n *network) arrive(smaller []byte) bool {
	tenant, id, _ := bytes.Cut(smaller, []byte{0})
	of, ok := n.tenants[string(tenant)]
	if !ok {
		return false
	}
	at, ok := slices.BinarySearchFunc(n.Cases[of.from:of.before], id, func(r evidence.Ref, id []byte) int {
		return strings.Compare(r.Case, string(id))
	})
	if at += of.from; !ok || n.ends[at] == n.end(at) {
		return false
	}
	n.Links[n.ends[at]].B = int32(len(n.Cases) - 1)
	n.ends[at]++
	return true
}

// cutPair divides what appendPair wrote into what it wrote of each end, without the
// terminators.
func cutPair(k []byte) (x, y []byte, ok bool) {
	at := -1
	for range 2 {
		next := bytes.IndexByte(k[at+1:], 0)
		if next < 0 {
			return nil, nil, false
		}
		at += 1 + next
	}
	x, y = k[:at], k[at+1:]
	if len(y) == 0 || y[len(y)-1] != 0 || bytes.Count(y, []byte{0}) != 2 {
		return nil, nil, false
	}
	return x, y[:len(y)-1], true
}
