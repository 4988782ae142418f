package m365

import (
	"bufio"
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/text/encoding/unicode"
)

// maxLayers is how often a file may be compressed.
const maxLayers = 3

// counter counts what was read, for progress.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// decode finds compression and encoding from the content and returns UTF-8
// without byte order mark.
func decode(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	for range maxLayers {
		head, _ := b.Peek(3)
		if !bytes.Equal(head, []byte{0x1f, 0x8b, 8}) {
			break
		}
		z, err := gzip.NewReader(b)
		if err != nil {
			// A header that ends early is no end of the evidence.
			return nil, gzip.ErrHeader
		}
		b = bufio.NewReaderSize(z, 64<<10)
	}
	head, _ := b.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		_, err := b.Discard(3)
		return b, err
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}),
		len(head) == 4 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(b), nil
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}),
		len(head) == 4 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(b), nil
	}
	return b, nil
}
