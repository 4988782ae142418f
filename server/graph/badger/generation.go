package badger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	dgraph "github.com/dgraph-io/badger/v4"
)

// A store begins in its folder itself. A purge writes it anew into a folder inside,
// which the file CURRENT then names: writing that file is the one step by which the
// new database takes the place of the old. What CURRENT does not name is what a
// crash has left, and goes when the store is opened.

// currentName is the file that names the folder of the database, in the store's
// folder. Without it the database lies in the store's folder itself.
const currentName = "CURRENT"

// generationName is what folders of databases are called.
var generationName = regexp.MustCompile(`^g[0-9]{6}$`)

// maxGeneration is the largest number in a generationName.
const maxGeneration = 999_999

// currentFolder returns the folder of the database of a store, relative to that of
// the store: "" for the same.
func currentFolder(dir string) (string, error) {
	path := filepath.Join(dir, currentName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name := strings.TrimSuffix(string(data), "\n")
	if !generationName.MatchString(name) {
		return "", &DamageError{File: path, What: "it names no folder of a database"}
	}
	if _, err := os.Stat(filepath.Join(dir, name, dgraph.ManifestFilename)); err != nil {
		return "", &DamageError{File: filepath.Join(dir, name), What: "it is named by " + currentName + " and is no database"}
	}
	return name, nil
}

// setCurrent names the folder of the database, durably. After an error either may be
// named if reached is set; without it nothing has changed.
func setCurrent(dir, name string) (reached bool, err error) {
	path := filepath.Join(dir, currentName)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(name + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return false, err
	}
	return true, syncFolder(dir)
}

// openCurrent opens the database of a store and takes away what interrupted purges
// have left.
func openCurrent(o Options, room *space, log *slog.Logger) (*engine, error) {
	if o.Memory {
		db, err := dgraph.Open(engineOptions("", o, log))
		return &engine{DB: db}, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	name, err := currentFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, name)
	db, err := openEngine(engineOptions(dir, o, log), room)
	if err != nil {
		return nil, err
	}
	// Another process may have purged the store and ended since CURRENT was read.
	if now, err := currentFolder(o.Dir); err != nil || now != name {
		return nil, errors.Join(err, db.Close(), fmt.Errorf("%s: %w", o.Dir, ErrInUse))
	}
	if err := sweepOut(o.Dir, name); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &engine{DB: db, dir: dir}, nil
}

// sweepOut removes all databases of a store but the one in the folder of that name.
func sweepOut(dir, name string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		is := f.Name()
		var err error
		switch {
		case f.IsDir() && generationName.MatchString(is) && is != name:
			err = os.RemoveAll(filepath.Join(dir, is))
		case !f.IsDir() && name != "" && beginning(is):
			err = os.Remove(filepath.Join(dir, is))
		}
		if err != nil {
			return fmt.Errorf("remove what a purge has left: %w", err)
		}
	}
	if name == "" {
		return nil
	}
	return leaveWord(dir)
}

// beginning reports whether a file is one of a database.
func beginning(name string) bool {
	switch name {
	case "LOCK", "DISCARD", dgraph.KeyRegistryRewriteFileName, "MANIFEST-REWRITE", sealName + ".new", currentName + ".new":
		return true
	}
	return covered(name)
}

// leaveWord leaves a seal in a folder whose database has gone to one inside. It is
// for versions of this program that know of no such folder and would begin a new
// database: they refuse a later layout.
func leaveWord(dir string) error {
	path := filepath.Join(dir, sealName)
	word := fmt.Appendf(nil, "layout %d\nend 0 0\n", layout+1)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, word) {
		return nil
	}
	if err := os.WriteFile(path, word, 0o600); err != nil {
		return err
	}
	return syncFolder(dir)
}

// nextFolder makes the folder for the next database of a store.
func nextFolder(dir, now string) (string, error) {
	n := 0
	if now != "" {
		if _, err := fmt.Sscanf(now, "g%06d", &n); err != nil {
			return "", err
		}
	}
	if n == maxGeneration {
		return "", errors.New("the store was purged too often")
	}
	name := fmt.Sprintf("g%06d", n+1)
	path := filepath.Join(dir, name)
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return name, os.Mkdir(path, 0o700)
}
