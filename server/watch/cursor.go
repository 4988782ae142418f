package watch

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Kept is how long events are kept, and how old a cursor may be.
const Kept = 30 * 24 * time.Hour

// Cursor is where a watcher stands in the log.
type Cursor struct {
	Position graph.EventPosition
	// AsOf is a time from which on nothing was missed at Position.
	AsOf time.Time
	// Made is when the cursor was made. It moves with every cursor, so that two of
	// them do not tell by being the same that nothing happened in between.
	Made time.Time
}

// cursorVersion is that of the bytes of a cursor.
const cursorVersion = 1

// errCursor is returned for bytes that are no cursor.
var errCursor = errors.New("not a cursor")

// Bytes writes a cursor. They are to be sealed: a position tells how much happens.
// All cursors of a store are of one length.
func (c Cursor) Bytes() []byte {
	b := []byte{cursorVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(c.AsOf.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Made.UnixMicro()))
	return append(b, c.Position...)
}

// ParseCursor reads what Bytes wrote.
func ParseCursor(b []byte) (Cursor, error) {
	if len(b) < 17 || b[0] != cursorVersion {
		return Cursor{}, errCursor
	}
	at := func(b []byte) time.Time { return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC() }
	return Cursor{AsOf: at(b[1:]), Made: at(b[9:]), Position: graph.EventPosition(b[17:])}, nil
}
