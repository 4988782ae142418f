package badger

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	dgraph "github.com/dgraph-io/badger/v4"
)

// sealName is the file that says what a closed store consists of: its layout, so
// that an older version leaves it alone, and a line for each file with its length
// and, of what Badger does not check by itself, a checksum. It is gone while the
// store is open.
const sealName = "SEAL"

// tailBytes is how much of the end of a value log the seal covers. The newest
// value log is read whole when a store is opened, and every value of the others
// has a checksum that is checked when it is read.
const tailBytes = 4 << 10

// part is a file under seal.
type part struct {
	name string
	size int64
	sum  uint32 // of what sumOf reads
}

// covered reports whether the seal says something of a file. The other files of Badger are its
// lock and an estimate of what is garbage.
func covered(name string) bool {
	switch filepath.Ext(name) {
	case tableExtension, walExtension, valueExtension:
		return true
	}
	return name == dgraph.ManifestFilename || name == dgraph.KeyRegistryFileName
}

// sumOf returns the checksum over the first size bytes of a file: all of them for
// the short ones, the end for a value log, nothing for a table, whose index has a
// checksum that Badger checks when it opens it.
func sumOf(dir, name string, size int64) (uint32, error) {
	from := int64(0)
	switch filepath.Ext(name) {
	case tableExtension:
		return 0, nil
	case valueExtension:
		from = max(0, size-tailBytes)
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	_, err = io.Copy(sum, io.NewSectionReader(f, from, size-from))
	return sum.Sum32(), err
}

// parts returns the files of a folder that a seal covers.
func parts(dir string) ([]part, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []part
	for _, f := range files {
		if !covered(f.Name()) {
			continue
		}
		info, err := f.Info()
		if err != nil {
			return nil, err
		}
		sum, err := sumOf(dir, f.Name(), info.Size())
		if err != nil {
			return nil, err
		}
		all = append(all, part{f.Name(), info.Size(), sum})
	}
	return all, nil
}

// seal writes the seal of a closed store, so that after a crash it is there whole
// or not at all.
func seal(dir string, layout uint32) error {
	all, err := parts(dir)
	if err != nil {
		return fmt.Errorf("seal the store: %w", err)
	}
	path := filepath.Join(dir, sealName)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("seal the store: %w", err)
	}
	out := bufio.NewWriter(f)
	fmt.Fprintf(out, "layout %d\n", layout)
	for _, p := range all {
		fmt.Fprintf(out, "%s %d %08x\n", p.name, p.size, p.sum)
	}
	fmt.Fprintf(out, "end %d 0\n", len(all))
	if err := errors.Join(out.Flush(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("seal the store: %w", err)
	}
	if err := errors.Join(os.Rename(f.Name(), path), syncFolder(dir)); err != nil {
		return fmt.Errorf("seal the store: %w", err)
	}
	return nil
}

// breakSeal takes the seal away, if there is one: from now on files change.
func breakSeal(dir string) error {
	err := os.Remove(filepath.Join(dir, sealName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(dir)
}

// checkSeal holds a folder to its seal and reports whether it has one that still
// covers all of it. What has grown or come was written by a version of this
// program, or by a tool, that knows no seals.
func checkSeal(dir string) (sealed bool, err error) {
	stored, listed, err := readSeal(dir)
	switch {
	case err != nil:
		return false, err
	case stored > layout:
		return false, &LayoutError{Stored: stored, Known: layout}
	case listed == nil:
		return false, nil
	}
	var bad *DamageError
	for _, p := range listed {
		path := filepath.Join(dir, p.name)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			bad = &DamageError{File: path, What: "it is missing"}
			continue
		case err != nil:
			return false, err
		case info.Size() < p.size:
			bad = &DamageError{File: path, What: fmt.Sprintf("it has %d bytes and had %d when the store was closed", info.Size(), p.size)}
			continue
		}
		sum, err := sumOf(dir, p.name, p.size)
		if err != nil {
			return false, err
		}
		whole := sum == p.sum
		if p.name == dgraph.ManifestFilename && whole && info.Size() > p.size {
			return false, nil
		}
		if !whole || info.Size() > p.size {
			bad = &DamageError{File: path, What: "it is not what it was when the store was closed"}
		}
	}
	if bad != nil {
		return false, bad
	}
	there, err := parts(dir)
	return len(there) == len(listed), err
}

// readSeal returns the layout of a sealed store and what its seal covers, nil if
// there is none. A seal that cannot be read is none: nothing follows from it.
func readSeal(dir string) (layout uint32, all []part, err error) {
	f, err := os.Open(filepath.Join(dir, sealName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	if !in.Scan() {
		return 0, nil, in.Err()
	}
	if _, err := fmt.Sscanf(in.Text(), "layout %d", &layout); err != nil {
		return 0, nil, nil
	}
	for in.Scan() {
		var p part
		if _, err := fmt.Sscanf(in.Text(), "%s %d %x", &p.name, &p.size, &p.sum); err != nil {
			return layout, nil, nil
		}
		if p.name == "end" && p.size == int64(len(all)) {
			return layout, all, nil
		}
		// A seal names files of its folder only.
		if !covered(p.name) || filepath.Base(p.name) != p.name || p.size < 0 {
			return layout, nil, nil
		}
		all = append(all, p)
	}
	return 0, nil, in.Err()
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
