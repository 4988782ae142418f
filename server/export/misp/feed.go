package misp

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Names of the files of a feed besides the events, UUID.json.
const (
	ManifestFile = "manifest.json"
	HashesFile   = "hashes.csv"
)

// Directory is where a feed is kept: a folder, an archive, the tree of a commit.
// A file is closed before the next one is made. What it had before is read from
// Open, which returns fs.ErrNotExist for what is not there.
type Directory interface {
	Open(name string) (io.ReadCloser, error)
	Create(name string) (io.WriteCloser, error)
}

// ManifestEntry describes one event of a feed.
type ManifestEntry struct {
	Orgc          Org    `json:"Orgc"`
	Tag           []Tag  `json:"Tag"`
	Info          string `json:"info"`
	Date          string `json:"date"`
	Analysis      string `json:"analysis"`
	ThreatLevelID string `json:"threat_level_id"`
	Timestamp     string `json:"timestamp"`
}

// maxManifest bounds a manifest that is read, in bytes.
const maxManifest = 64 << 20

// ErrManifest is returned where a directory has a manifest that is not one.
var ErrManifest = errors.New(ManifestFile + " is not the manifest of a feed")

// WriteFeed writes the event of a bundle into a feed, beside those that are there.
func WriteFeed(ctx context.Context, dir Directory, b *export.Bundle, o Options) error {
	c := NewContent(b, o)
	if err := create(dir, c.Event.UUID+".json", func(w io.Writer) error {
		return c.write(ctx, w, c.Attributes(), c.Objects())
	}); err != nil {
		return err
	}
	manifest, err := ReadManifest(dir)
	if err != nil {
		return err
	}
	manifest[c.Event.UUID] = ManifestEntry{
		*c.Event.Orgc, c.Event.Tag, c.Event.Info, c.Event.Date, c.Event.Analysis, c.Event.ThreatLevelID, c.Event.Timestamp,
	}
	if err := create(dir, ManifestFile, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		return encoder.Encode(manifest)
	}); err != nil {
		return err
	}
	before, err := dir.Open(HashesFile)
	if errors.Is(err, fs.ErrNotExist) {
		before = io.NopCloser(bytes.NewReader(nil))
	} else if err != nil {
		return err
	}
	return errors.Join(create(dir, HashesFile, func(w io.Writer) error { return c.writeHashes(ctx, before, w) }), before.Close())
}

// ReadManifest returns the manifest of a feed by event, empty if there is none.
func ReadManifest(dir Directory) (map[string]ManifestEntry, error) {
	manifest := make(map[string]ManifestEntry)
	f, err := dir.Open(ManifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxManifest || json.Unmarshal(b, &manifest) != nil || manifest == nil {
		return nil, ErrManifest
	}
	return manifest, nil
}

// create writes a file and closes it.
func create(dir Directory, name string, write func(io.Writer) error) error {
	f, err := dir.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// writeHashes writes the lines of other events as they were and those of this one
// in their place: the file is in order of event.
func (c *Content) writeHashes(ctx context.Context, before io.Reader, w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	own := func() error {
		line := make([]byte, 0, md5.Size*2+1+len(c.Event.UUID)+1)
		for a, err := range c.Attributes() {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if a.Deleted {
				continue
			}
			for _, part := range strings.Split(a.Value, "|") {
				sum := md5.Sum([]byte(part))
				line = hex.AppendEncode(line[:0], sum[:])
				line = append(append(append(line, ','), c.Event.UUID...), '\n')
				out.Write(line)
			}
		}
		return nil
	}
	written := false
	lines := bufio.NewScanner(before)
	for lines.Scan() {
		_, event, ok := bytes.Cut(lines.Bytes(), []byte{','})
		uuid := string(bytes.TrimSpace(event))
		if !ok || uuid == c.Event.UUID {
			continue
		}
		if !written && uuid > c.Event.UUID {
			written = true
			if err := own(); err != nil {
				return err
			}
		}
		out.Write(lines.Bytes())
		out.WriteByte('\n')
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !written {
		if err := own(); err != nil {
			return err
		}
	}
	return out.Flush()
}

// WriteFeedArchive writes a feed of one event as a ZIP archive.
func WriteFeedArchive(ctx context.Context, w io.Writer, b *export.Bundle, o Options) error {
	archive := archive{zip.NewWriter(w), b.Modified}
	if err := WriteFeed(ctx, archive, b, o); err != nil {
		return err
	}
	return archive.zip.Close()
}

// archive is an empty Directory that becomes a ZIP archive.
type archive struct {
	zip      *zip.Writer
	modified time.Time
}

// Open implements Directory.
func (archive) Open(string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }

// Create implements Directory.
func (a archive) Create(name string) (io.WriteCloser, error) {
	f, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.modified})
	return entry{f}, err
}

// entry is a file of an archive; the next one ends it.
type entry struct{ io.Writer }

// Close implements io.Closer.
func (entry) Close() error { return nil }
