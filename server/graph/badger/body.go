package badger

import (
	"encoding/binary"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

const (
	// compressFrom is the length from which a body is compressed. Shorter ones
	// become a third smaller for as much work as all else that storing them
	// takes.
	compressFrom = 4 << 10
	// maxUnpacked bounds what a damaged body may make the decoder allocate:
	// many times the largest case.
	maxUnpacked = 1 << 28
	// packWindow is how far back compression looks, and about what each of the
	// encoders and decoders keeps.
	packWindow = 512 << 10
)

// The first byte of a body says how the rest is stored.
const (
	bodyPlain = iota
	bodyCompressed
)

// packer turns encoded bodies into stored ones and back. It is safe for
// concurrent use.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newPacker() (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(packWindow))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return nil, err
	}
	return &packer{enc, dec}, nil
}

func (p *packer) close() { p.dec.Close() }

// pack takes over a body that begins with bodyPlain.
func (p *packer) pack(body []byte) []byte {
	if len(body) < compressFrom {
		return body
	}
	return p.enc.EncodeAll(body[1:], append(make([]byte, 0, len(body)/2), bodyCompressed))
}

func (p *packer) unpack(what string, stored []byte) (decoder, error) {
	switch {
	case len(stored) > 0 && stored[0] == bodyPlain:
		return decoder{s: string(stored[1:])}, nil
	case len(stored) > 0 && stored[0] == bodyCompressed:
		if plain, err := p.dec.DecodeAll(stored[1:], nil); err == nil {
			return decoder{s: string(plain)}, nil
		}
	}
	return decoder{}, unreadable(what)
}

func (p *packer) findings(stored []byte) ([]evidence.Finding, error) {
	d, err := p.unpack("findings", stored)
	if err != nil {
		return nil, err
	}
	return decodeFindings(d)
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

// decodeHeader reads a header that is valid as long as val is.
func decodeHeader(val []byte) (header, error) {
	d := decoder{s: string(val[:min(len(val), maxMeta)])}
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
	h.head = val[min(len(val), maxMeta)-len(d.s):]
	return h, nil
}

// maxMeta is the length of the longest Meta of a header.
const maxMeta = binary.MaxVarintLen32 + 32 + 2*binary.MaxVarintLen64

// packedCase is a case made ready, outside the writer, to be stored.
type packedCase struct {
	ref            evidence.Ref
	hash           [32]byte
	head, findings []byte
	profile        *evidence.Profile
	encoded        []byte // the profile
}

func (p *packer) packCase(c *evidence.Case, hash [32]byte) *packedCase {
	out := &packedCase{ref: c.Ref, hash: hash, profile: c.Profile()}
	out.encoded = encodeProfile(out.profile)
	out.head = p.pack(encodeHead(c))
	out.findings = p.pack(encodeFindings(c.Findings))
	return out
}

// stored returns a case without its findings.
func (p *packer) stored(ref evidence.Ref, h header) (*graph.StoredCase, error) {
	d, err := p.unpack("case", h.head)
	if err != nil {
		return nil, err
	}
	c := &graph.StoredCase{Meta: h.Meta}
	c.Case, err = decodeHead(ref, d)
	return c, err
}
