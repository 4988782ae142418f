package badger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	dgraph "github.com/dgraph-io/badger/v4"
)

// Badger cuts a log at the first record that it cannot read, whatever stands
// behind it, and removes tables that its manifest does not name. For what a crash
// leaves that is right: the last commit was not acknowledged. For a file that was
// damaged or cut later it would lose acknowledged cases without a word. So the
// files are looked at first:
//
//   - a store that was closed has a seal, and anything missing, cut or changed in
//     what the seal covers is found;
//   - in the logs of one that was killed, damage is found if a later commit
//     stands behind it.
//
// What cannot be told from a crash, because nothing outside the file says that it
// was longer: damage within the last commit of the write-ahead log or of the
// value log, and a manifest that was cut, of a store that was not closed.

// DamageError is returned by Open for a store whose files are not what it wrote.
// Nothing has been changed.
type DamageError struct {
	File string
	What string
	// Offset is where the readable part of a log ends, 0 if that is no remedy.
	Offset int64
}

func (e *DamageError) Error() string {
	text := fmt.Sprintf("%s is damaged: %s; put a backup of the folder back", e.File, e.What)
	if e.Offset > 0 {
		text += fmt.Sprintf(", or give up what was stored after the damage: truncate -s %d %s, then elsewhere check", e.Offset, e.File)
	}
	return text
}

// checkFiles looks at the files of a folder before Badger changes them, and
// breaks the seal of one that is whole.
func checkFiles(dir string, key []byte) error {
	if err := checkManifest(dir); err != nil {
		return err
	}
	sealed, err := checkSeal(dir)
	if err != nil {
		return err
	}
	// After the seal, which tells damage from another key.
	data, err := openDataKeys(dir, key)
	if err != nil {
		return err
	}
	if err := dropEmpty(dir); err != nil {
		return err
	}
	logs, err := logsOf(dir)
	if err != nil {
		return err
	}
	for _, path := range logs {
		if err := checkLog(path, sealed, data); err != nil {
			return err
		}
	}
	return breakSeal(dir)
}

// checkManifest reads the manifest, which Badger refuses without its name.
func checkManifest(dir string) error {
	path := filepath.Join(dir, dgraph.ManifestFilename)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return noManifest(dir)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// It tells its logger about tables that were removed twice.
	quiet := dgraph.DefaultOptions(dir).WithLogger(nil)
	if _, _, err := dgraph.ReplayManifestFile(f, quiet.ExternalMagicVersion, quiet); err != nil {
		return &DamageError{File: path, What: err.Error()}
	}
	return nil
}

// noManifest refuses a folder that has files of a database but no manifest:
// Badger would begin a new one over them.
func noManifest(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		switch filepath.Ext(f.Name()) {
		case tableExtension, walExtension, valueExtension:
			return &DamageError{File: filepath.Join(dir, dgraph.ManifestFilename), What: "it is missing, and there are tables and logs"}
		}
	}
	return nil
}

// dropEmpty removes the logs that have no byte, which Badger does not open.
// Somebody died, or the disk was full, between making the newest and giving it its
// length, or died while Badger removed one that it no longer needed: it cuts a file
// to nothing first. It removes value logs in any order, but a write-ahead log only
// before all later ones.
func dropEmpty(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	// A number with one more digit is a later one.
	slices.SortStableFunc(files, func(x, y os.DirEntry) int { return cmp.Compare(len(x.Name()), len(y.Name())) })
	var empty []string
	earlier, between := false, "" // a write-ahead log with bytes; an empty one after it
	for _, f := range files {
		kind, path := filepath.Ext(f.Name()), filepath.Join(dir, f.Name())
		if kind != walExtension && kind != valueExtension {
			continue
		}
		if kind == walExtension && between != "" {
			return &DamageError{File: between, What: "it is empty"}
		}
		info, err := f.Info()
		if err != nil {
			return err
		}
		switch {
		case info.Size() == 0:
			empty = append(empty, path)
			if kind == walExtension && earlier {
				between = path
			}
		case kind == walExtension:
			earlier = true
		}
	}
	for _, path := range empty {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// logsOf returns the logs that Badger reads when it opens a folder: all
// write-ahead logs and the newest value log.
func logsOf(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var logs []string
	newest := ""
	for _, f := range files { // in order of name, so of number
		switch filepath.Ext(f.Name()) {
		case walExtension:
			logs = append(logs, filepath.Join(dir, f.Name()))
		case valueExtension:
			newest = filepath.Join(dir, f.Name())
		}
	}
	if newest != "" {
		logs = append(logs, newest)
	}
	return logs, nil
}

// The log records of Badger 4: a header of two bytes and three varints (lengths
// of key and value, expiry), key, value, and the CRC-32C of all of it. Both kinds
// of log begin with the id of an encryption key and a nonce.
const (
	logHeader = 20
	maxKey    = 1 << 16
	inTxn     = 1 << 6
	endsTxn   = 1 << 7
	// logWindow is how much of a log is read at a time, more than any record.
	logWindow = 8 << 20
)

// Extensions of Badger's files.
const (
	tableExtension = ".sst"
	walExtension   = ".mem"
	valueExtension = ".vlog"
)

// logRecord is what the checks need of a record.
type logRecord struct {
	length  int
	meta    byte
	version uint64 // of its commit
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readRecord reads the record at the start of b, which stands at that byte of a log.
func readRecord(b []byte, at int64, c logCipher) (r logRecord, ok bool) {
	if len(b) < 2 {
		return logRecord{}, false
	}
	r.meta = b[0]
	n := 2
	var lengths [3]uint64
	for i := range lengths {
		v, size := binary.Uvarint(b[n:])
		if size <= 0 {
			return logRecord{}, false
		}
		lengths[i] = v
		n += size
	}
	key, val := lengths[0], lengths[1]
	if key < 8 || key > maxKey || val > math.MaxUint32 || uint64(len(b)-n) < key+val+crc32.Size {
		return logRecord{}, false
	}
	end := n + int(key+val)
	if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return logRecord{}, false
	}
	// A key ends with its version, counted downwards.
	r.version = math.MaxUint64 - binary.BigEndian.Uint64(c.plain(b[n:n+int(key)], at)[key-8:])
	r.length = end + crc32.Size
	return r, true
}

// checkLog returns a *DamageError if a log has something unreadable that no crash
// explains. A sealed log has nothing unreadable at all.
func checkLog(path string, sealed bool, keys *dataKeys) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end, err := endOfData(f, info.Size())
	if err != nil {
		return err
	}
	c, err := keys.cipherOf(f, end)
	if err != nil {
		return &DamageError{File: path, What: err.Error()}
	}
	at, open, err := readable(f, end, c)
	if err != nil || at >= end {
		return err
	}
	bad := &DamageError{File: path, What: fmt.Sprintf("the record at byte %d cannot be read", at), Offset: at}
	if sealed {
		return bad
	}
	// The last checksum may end in zeroes.
	rest := make([]byte, min(end+crc32.Size, info.Size())-at)
	if _, err := f.ReadAt(rest, at); err != nil {
		return err
	}
	// Commits are written one after the other, each when the one before is safe:
	// records of two of them do not lie behind a crash.
	var versions []uint64
	if open != 0 {
		versions = append(versions, open)
	}
	wal := strings.HasSuffix(path, walExtension)
	for i := 1; i < len(rest); i++ {
		r, ok := readRecord(rest[i:], at+int64(i), c)
		if !ok {
			continue
		}
		i += r.length - 1
		// What the collector moves keeps the versions of old commits. In the value
		// log nothing tells it apart; a needless error is better there than a loss.
		if wal && r.meta&(inTxn|endsTxn) == 0 || slices.Contains(versions, r.version) {
			continue
		}
		if versions = append(versions, r.version); len(versions) > 1 {
			bad.What += ", and later cases follow it"
			return bad
		}
	}
	return nil
}

// readable returns where the readable records of a log end, and the version of
// the commit that is not finished there, 0 for none.
func readable(f io.ReaderAt, end int64, c logCipher) (at int64, open uint64, err error) {
	window := make([]byte, logWindow)
	for at = logHeader; at < end; {
		n, err := f.ReadAt(window, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		begun := at
		for b := window[:n]; ; {
			r, ok := readRecord(b, at, c)
			if !ok {
				break
			}
			b = b[r.length:]
			at += int64(r.length)
			switch {
			case r.meta&endsTxn != 0:
				open = 0
			case r.meta&inTxn != 0:
				open = r.version
			}
		}
		if at == begun {
			break
		}
	}
	return at, open, nil
}

// endOfData returns where the empty part of a log begins: files are made longer
// than what is in them.
func endOfData(f io.ReaderAt, size int64) (int64, error) {
	chunk, empty := make([]byte, 256<<10), make([]byte, 256<<10)
	for size > 0 {
		from := max(0, size-int64(len(chunk)))
		b := chunk[:size-from]
		if _, err := f.ReadAt(b, from); err != nil {
			return 0, err
		}
		// A comparison of blocks is many times as fast as one of bytes.
		if !bytes.Equal(b, empty[:len(b)]) {
			return from + int64(len(bytes.TrimRight(b, "\x00"))), nil
		}
		size = from
	}
	return 0, nil
}
