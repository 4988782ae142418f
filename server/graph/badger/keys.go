package badger

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// The first byte of a key names its keyspace. Layout 4:
//
//	m name                                     singletons
//	h tenant 0 case                            header: revision, hash, times, head
//	b tenant 0 case                            findings
//	f tenant 0 case                            profile
//	v value                                    counts and mark of a value, and the only live sighting
//	p value tenant 0 last case                 sighting in a live case, unless the record has it
//	w value tenant 0 last case                 sighting in a withheld case
//	q sequence part                            values marked by one change
//	r tenant 0 case 0 tenant 0 case 0          link row; from the larger end: empty
//	x value tenant 0 case 0 tenant 0 case 0    link row that shares the value
//	l key part                                 part of the long value of a key
//	j part                                     change that is being applied
//	k name                                     entry of a graph.Keeper
//	u part number                              head, note or page of a graph.Trail
//	y tenant 0 case 0 tenant 0 case 0          review; from the larger end: empty
//	z tenant 0 case                            number of pairs with a history of reviews
//	z tenant 0 case 0 tenant 0 case 0          what was said of the pair; from the larger end: empty
//	a tenant 0 case                            actor of that founder
//	a 0 id                                     case that an id of an actor stands for
//	c tenant 0 case                            founder of the actor of the case
//	c 0 sequence part                          what one change has touched
//	c 1 tenant 0 case                          fan-out of a case
//	c 2 tenant 0 day case                      what the case has made of it
//	t tenant 0 case 0 sequence part            event in the history of the actor of that founder
//	n tenant 0 case                            name that hangs on a case
//	o microsecond number                       event of a link row
const (
	spaceMeta     = 'm'
	spaceHeader   = 'h'
	spaceBody     = 'b'
	spaceProfile  = 'f'
	spaceValue    = 'v'
	spacePosting  = 'p'
	spaceWithheld = 'w'
	spaceQueue    = 'q'
	spaceRow      = 'r'
	spaceShared   = 'x'
	spacePart     = 'l'
	spaceJournal  = 'j'
	spaceKept     = 'k'
	spaceTrail    = 'u'
	spaceReview   = 'y'
	spaceSaid     = 'z'
	spaceActor    = 'a'
	spaceMember   = 'c'
	spaceEvent    = 't'
	spaceAnchor   = 'n'
	spaceLog      = 'o'
)

// Names of the singletons.
const (
	keyLayout   = "mlayout"
	keySize     = "msize"
	keySequence = "msequence"
	keySweep    = "msweep"
	keyDay      = "mday"
	keyRegroup  = "mregroup"
	keyEvents   = "mevents"
	keySweepWhy = "msweepwhy"
)

// present is the value of keys that say all by being there.
var present = []byte{1}

func refKey(space byte, ref evidence.Ref) []byte {
	k := make([]byte, 0, 2+len(ref.Tenant)+len(ref.Case))
	return appendRef(append(k, space), ref)
}

func appendRef(k []byte, ref evidence.Ref) []byte {
	k = append(k, ref.Tenant...)
	k = append(k, 0)
	return append(k, ref.Case...)
}

// parseRef reads what appendRef wrote at the end of a key.
func parseRef(k []byte) (evidence.Ref, bool) {
	tenant, id, ok := bytes.Cut(k, []byte{0})
	return evidence.Ref{Tenant: string(tenant), Case: string(id)}, ok
}

func tenantPrefix(space byte, tenant string) []byte {
	k := append(make([]byte, 0, 2+len(tenant)), space)
	k = append(k, tenant...)
	return append(k, 0)
}

func recordKey(value []byte) []byte {
	return append(append(make([]byte, 0, 1+len(value)), spaceValue), value...)
}

// sightingPrefix ends where the place of the case begins: every sighting of the
// value in the tenant starts with it.
func sightingPrefix(space byte, value []byte, tenant string) []byte {
	k := make([]byte, 0, 1+len(value)+len(tenant)+1+lastBytes+32)
	k = append(k, space)
	k = append(k, value...)
	k = append(k, tenant...)
	return append(k, 0)
}

func sightingKey(space byte, value []byte, ref evidence.Ref, last time.Time) []byte {
	k := sightingPrefix(space, value, ref.Tenant)
	k = appendLast(k, last)
	return append(k, ref.Case...)
}

// lastBytes is the length of a last sighting in a key.
const lastBytes = 5

// appendLast writes t so that later times come first and unknown comes last.
func appendLast(k []byte, t time.Time) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], maxSeconds-seconds(t))
	return append(k, b[8-lastBytes:]...)
}

// parsePlace reads the part of a sighting key after the value.
func parsePlace(k []byte) (graph.Position, bool) {
	tenant, rest, ok := bytes.Cut(k, []byte{0})
	if !ok || len(rest) < lastBytes {
		return graph.Position{}, false
	}
	var b [8]byte
	copy(b[8-lastBytes:], rest)
	return graph.Position{
		Ref:  evidence.Ref{Tenant: string(tenant), Case: string(rest[lastBytes:])},
		Last: fromSeconds(maxSeconds - binary.BigEndian.Uint64(b[:])),
	}, true
}

func queueKey(sequence uint64, part uint32) []byte {
	return appendPlace([]byte{spaceQueue}, sequence, part)
}

func parseQueueKey(k []byte) (sequence uint64, part uint32, ok bool) {
	if len(k) != 13 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(k[1:]), binary.BigEndian.Uint32(k[9:]), true
}

// rowKey is where a row stands in the order of its end from.
func rowKey(from, to evidence.Ref) []byte { return pairKey(spaceRow, from, to) }

func pairKey(space byte, from, to evidence.Ref) []byte {
	return appendPair([]byte{space}, from, to)
}

// pairsOf ends where the other end begins: every pair of the case, in a space of
// pairs, starts with it.
func pairsOf(space byte, ref evidence.Ref) []byte { return append(refKey(space, ref), 0) }

// Second bytes of keys that are in a space beside those that go on with a tenant.
const (
	besideID      = 0 // of spaceActor
	besideTouched = 0 // of spaceMember
	besideFanout  = 1
	besideTally   = 2
	besideHistory = 3
)

func idKey(id string) []byte { return append([]byte{spaceActor, besideID}, id...) }

func touchedKey(m graph.TouchMark) []byte {
	return appendPlace([]byte{spaceMember, besideTouched}, m.Sequence, m.Part)
}

func appendPlace(k []byte, sequence uint64, part uint32) []byte {
	k = binary.BigEndian.AppendUint64(k, sequence)
	return binary.BigEndian.AppendUint32(k, part)
}

func parseTouchedKey(k []byte) (graph.TouchMark, bool) {
	if len(k) != 14 {
		return graph.TouchMark{}, false
	}
	return graph.TouchMark{Sequence: binary.BigEndian.Uint64(k[2:]), Part: binary.BigEndian.Uint32(k[10:])}, true
}

func fanoutKey(ref evidence.Ref) []byte {
	return appendRef([]byte{spaceMember, besideFanout}, ref)
}

// tallyPrefix ends where the case begins. Days before 1970 are told apart from
// others as far as it goes, which is all that the order of days has to do here.
func tallyPrefix(tenant string, day int32) []byte {
	k := append([]byte{spaceMember, besideTally}, tenant...)
	return binary.BigEndian.AppendUint32(append(k, 0), uint32(day))
}

// historyKey is that of the size of a history.
func historyKey(founder evidence.Ref) []byte {
	return appendRef([]byte{spaceMember, besideHistory}, founder)
}

func historyPrefix(tenant string) []byte {
	return append(append([]byte{spaceMember, besideHistory}, tenant...), 0)
}

func eventPrefix(founder evidence.Ref) []byte { return append(refKey(spaceEvent, founder), 0) }

func sharedKey(value []byte, row graph.RowKey) []byte {
	k := append([]byte{spaceShared}, value...)
	return appendPair(k, row.A, row.B)
}

func appendPair(k []byte, x, y evidence.Ref) []byte {
	k = append(appendRef(k, x), 0)
	return append(appendRef(k, y), 0)
}

func parsePair(k []byte) (x, y evidence.Ref, ok bool) {
	parts := bytes.Split(k, []byte{0})
	if len(parts) != 5 {
		return x, y, false
	}
	x = evidence.Ref{Tenant: string(parts[0]), Case: string(parts[1])}
	y = evidence.Ref{Tenant: string(parts[2]), Case: string(parts[3])}
	return x, y, true
}

// behind returns the first key after all that start with k, which ends with a
// terminator.
func behind(k []byte) []byte {
	k = bytes.Clone(k)
	k[len(k)-1]++
	return k
}
