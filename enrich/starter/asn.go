package starter

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// ASNs knows which network announces an address: sorted starts of ranges, each
// ending where the next begins. IPv6 is known to the /64.
type ASNs struct {
	info   netclass.Info
	start4 []uint32
	net4   []uint32 // index into asns and names; 0 is a gap
	// first4 is, for every upper half of an address, the first range that begins
	// at or above it, so that a search looks at few.
	first4 []uint32
	start6 []uint64 // upper halves
	net6   []uint32
	asns   []uint32
	ends   []uint32 // of the names in text
	text   string
}

// Info describes the data.
func (a *ASNs) Info() netclass.Info { return a.info }

// Version implements netclass.Router.
func (a *ASNs) Version() string { return a.info.Name + " " + a.info.Digest }

// Route implements netclass.Router. The prefix is the largest around the address
// that lies in its range.
func (a *ASNs) Route(addr netip.Addr) (netclass.Route, bool) {
	addr = addr.Unmap()
	if addr.Is4() {
		v4 := addr.As4()
		n := binary.BigEndian.Uint32(v4[:])
		from, to := a.first4[n>>16], a.first4[n>>16+1]
		i, found := slices.BinarySearch(a.start4[from:to], n)
		i += int(from)
		if !found {
			i--
		}
		if i < 0 || a.net4[i] == 0 {
			return netclass.Route{}, false
		}
		last := uint32(1<<32 - 1)
		if i+1 < len(a.start4) {
			last = a.start4[i+1] - 1
		}
		return a.route(a.net4[i], addr, widest(uint64(n), uint64(a.start4[i]), uint64(last), 32)), true
	}
	if !addr.IsValid() {
		return netclass.Route{}, false
	}
	v6 := addr.As16()
	n := binary.BigEndian.Uint64(v6[:8])
	i, found := slices.BinarySearch(a.start6, n)
	if !found {
		i--
	}
	if i < 0 || a.net6[i] == 0 {
		return netclass.Route{}, false
	}
	last := uint64(1<<64 - 1)
	if i+1 < len(a.start6) {
		last = a.start6[i+1] - 1
	}
	return a.route(a.net6[i], addr, widest(n, a.start6[i], last, 64)), true
}

func (a *ASNs) route(network uint32, addr netip.Addr, bits int) netclass.Route {
	return netclass.Route{
		ASN: a.asns[network], Org: a.text[a.ends[network-1]:a.ends[network]],
		Prefix: netip.PrefixFrom(addr, bits).Masked(), List: &a.info,
	}
}

// widest returns the length of the shortest prefix, of numbers that many bits
// wide, that holds n and nothing outside first to last.
func widest(n, first, last uint64, width int) int {
	// A wider prefix changes the bits below it: it stays inside while clearing
	// them does not pass first and setting them does not pass last.
	free := 0
	for free < width {
		low := uint64(1)<<(free+1) - 1
		if free+1 == 64 {
			low = 1<<64 - 1
		}
		if n&^low < first || n|low > last {
			break
		}
		free++
	}
	return width - free
}

// Rows are the publisher's ranges, in order and apart from each other.
type Rows struct {
	Info netclass.Info
	V4   []Row // numbers of addresses
	V6   []Row // numbers of /64s
	// Networks are what the rows point to.
	Networks []Network
}

// Row is one range, both ends included.
type Row struct {
	First, Last uint64
	Network     int
}

// Network is an AS number and the name that goes with it.
type Network struct {
	ASN uint32
	Org string
}

var errASNs = errors.New("the built-in table of networks is broken")

// EncodeASNs writes the file of the table. Equal rows make equal bytes.
func EncodeASNs(r Rows) ([]byte, error) {
	b, err := r.encode()
	if err != nil {
		return nil, err
	}
	return pack(b)
}

func (r Rows) encode() ([]byte, error) {
	info, err := json.Marshal(r.Info)
	if err != nil {
		return nil, err
	}
	var b []byte
	put := func(n uint64) { b = binary.AppendUvarint(b, n) }
	put(uint64(len(info)))
	b = append(b, info...)
	put(uint64(len(r.Networks)))
	for _, n := range r.Networks {
		put(uint64(n.ASN))
	}
	for _, n := range r.Networks {
		put(uint64(len(n.Org)))
	}
	for _, n := range r.Networks {
		b = append(b, n.Org...)
	}
	for _, rows := range [][]Row{r.V4, r.V6} {
		// By column, since like compresses with like.
		var gaps, lengths, owners []byte
		next, holes := uint64(0), uint64(0)
		for _, row := range rows {
			if row.First != next {
				holes++
			}
			gaps = binary.AppendUvarint(gaps, row.First-next)
			lengths = binary.AppendUvarint(lengths, row.Last-row.First)
			owners = binary.AppendUvarint(owners, uint64(row.Network))
			next = row.Last + 1
		}
		put(uint64(len(rows)))
		put(holes)
		for _, column := range [][]byte{gaps, lengths, owners} {
			put(uint64(len(column)))
			b = append(b, column...)
		}
	}
	return b, nil
}

func pack(b []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return w.EncodeAll(b, nil), nil
}

// maxUnpacked bounds what a file may become, in bytes.
const maxUnpacked = 64 << 20

func unpack(file []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(file, nil)
}

// reader takes numbers off a buffer; after the first bad one all are 0.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// count reads how many elements of at least one byte follow.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func decodeASNs(file []byte) (*ASNs, error) {
	b, err := unpack(file)
	if err != nil {
		return nil, errors.Join(errASNs, err)
	}
	return parseASNs(b)
}

func parseASNs(b []byte) (*ASNs, error) {
	r := &reader{b: b}
	a := &ASNs{}
	if err := json.Unmarshal(r.bytes(r.number()), &a.info); err != nil {
		return nil, errors.Join(errASNs, err)
	}
	n := r.count()
	a.asns, a.ends = make([]uint32, n+1), make([]uint32, n+1)
	for i := range n {
		a.asns[i+1] = uint32(r.number())
	}
	for i := range n {
		a.ends[i+1] = a.ends[i] + uint32(r.number())
	}
	a.text = string(r.bytes(uint64(a.ends[n])))
	a.start4, a.net4 = readRows[uint32](r, n, 1<<32)
	a.start6, a.net6 = readRows[uint64](r, n, 0)
	if r.bad || len(r.b) > 0 || len(a.text) != int(a.ends[n]) {
		return nil, errASNs
	}
	a.first4 = make([]uint32, 1<<16+1)
	i := 0
	for half := range a.first4 {
		for i < len(a.start4) && uint64(a.start4[i]) < uint64(half)<<16 {
			i++
		}
		a.first4[half] = uint32(i)
	}
	return a, nil
}

// readRows reads ranges of numbers below limit (0: 2^64) and returns where each
// range or gap begins, and whose it is.
func readRows[T uint32 | uint64](r *reader, networks int, limit uint64) (starts []T, nets []uint32) {
	rows, holes := r.count(), r.count()
	gaps, lengths, owners := &reader{b: r.bytes(r.number())}, &reader{b: r.bytes(r.number())}, &reader{b: r.bytes(r.number())}
	starts, nets = make([]T, 0, rows+holes+2), make([]uint32, 0, rows+holes+2)
	next, carry := uint64(0), uint64(0)
	for range rows {
		gap := gaps.number()
		if gap > 0 {
			starts, nets = append(starts, T(next)), append(nets, 0)
		}
		first, over := bits.Add64(next, gap, 0)
		last, over2 := bits.Add64(first, lengths.number(), 0)
		owner := owners.number()
		if carry+over+over2 > 0 || owner >= uint64(networks) || limit > 0 && last >= limit {
			r.bad = true
			return nil, nil
		}
		starts, nets = append(starts, T(first)), append(nets, uint32(owner)+1)
		next, carry = bits.Add64(last, 1, 0)
	}
	if carry == 0 && (limit == 0 || next < limit) {
		starts, nets = append(starts, T(next)), append(nets, 0)
	}
	for _, column := range []*reader{gaps, lengths, owners} {
		r.bad = r.bad || column.bad || len(column.b) > 0
	}
	return starts, nets
}
