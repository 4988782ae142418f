package badger

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// maxUnpacked bounds what a damaged body may make the decoder allocate: several
// times the JSON of the largest case.
const maxUnpacked = 1 << 28

// packer turns cases into stored bodies and back: JSON, compressed. It is safe
// for concurrent use.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newPacker() (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return nil, err
	}
	return &packer{enc, dec}, nil
}

func (p *packer) close() { p.dec.Close() }

func (p *packer) pack(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return p.enc.EncodeAll(plain, nil), nil
}

func (p *packer) unpack(what string, packed []byte, v any) error {
	plain, err := p.dec.DecodeAll(packed, nil)
	if err != nil {
		return unreadable(what)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return unreadable(what)
	}
	return nil
}

// header is the small record of a case: what a submit compares and a list shows.
type header struct {
	graph.Meta
	head []byte // the case without its findings, packed
}

func (h header) encode() []byte {
	b := make([]byte, 0, 64+len(h.head))
	b = binary.AppendUvarint(b, uint64(h.Revision))
	b = append(b, h.ContentHash[:]...)
	b = binary.AppendVarint(b, h.CreateTime.UnixMicro())
	b = binary.AppendVarint(b, h.UpdateTime.UnixMicro())
	return append(b, h.head...)
}

func decodeHeader(val []byte) (header, error) {
	d := decoder{s: string(val)}
	var h header
	h.Revision = d.uint32()
	if len(d.s) < len(h.ContentHash) {
		return header{}, unreadable("case header")
	}
	d.s = d.s[copy(h.ContentHash[:], d.s):]
	h.CreateTime = time.UnixMicro(d.varint()).UTC()
	h.UpdateTime = time.UnixMicro(d.varint()).UTC()
	if d.bad {
		return header{}, unreadable("case header")
	}
	h.head = []byte(d.s)
	return h, nil
}

// packedCase is a case made ready, outside the writer, to be stored.
type packedCase struct {
	ref            evidence.Ref
	hash           [32]byte
	head, findings []byte
	profile        *evidence.Profile
	encoded        []byte // the profile
}

func (p *packer) packCase(c *evidence.Case, hash [32]byte) (*packedCase, error) {
	out := &packedCase{ref: c.Ref, hash: hash, profile: c.Profile()}
	out.encoded = encodeProfile(out.profile)
	head := *c
	head.Findings = nil
	var err error
	if out.head, err = p.pack(&head); err != nil {
		return nil, err
	}
	out.findings, err = p.pack(c.Findings)
	return out, err
}

// stored returns a case without its findings.
func (p *packer) stored(h header) (*graph.StoredCase, error) {
	c := &graph.StoredCase{Meta: h.Meta}
	return c, p.unpack("case", h.head, &c.Case)
}
