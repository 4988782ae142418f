package badger

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
)

// Encryption is how the files of a store are encrypted: with data keys, of which a
// new one is made now and then, and which stand in the folder encrypted with Key.
type Encryption struct {
	// Key is the master key: 16, 24 or 32 bytes for AES-128, -192 or -256. Nil:
	// nothing is encrypted.
	Key []byte
	// Rotation is how long files are written with one data key; 0:
	// DefaultKeyRotation. Files that are there keep theirs until they are merged.
	Rotation time.Duration
}

// DefaultKeyRotation is how long files are written with one data key unless
// Encryption says otherwise.
const DefaultKeyRotation = 10 * 24 * time.Hour

// Blocks and indices of encrypted tables are kept decrypted, in bytes.
const (
	encryptedBlockCache = 32 << 20
	encryptedIndexCache = 64 << 20
)

// Errors of Open for a store that is encrypted otherwise than it was said to be.
var (
	ErrEncrypted    = errors.New("the store is encrypted and no key was given (if it never was, its KEYREGISTRY is damaged)")
	ErrNotEncrypted = errors.New("the store is not encrypted and a key was given; elsewhere rekey encrypts it")
	ErrWrongKey     = errors.New("the store is encrypted with another key")
)

func (e Encryption) on() bool { return len(e.Key) > 0 }

func (e Encryption) check() error {
	switch len(e.Key) {
	case 0, 16, 24, 32:
	default:
		return fmt.Errorf("an encryption key of %d bytes: want 16, 24 or 32", len(e.Key))
	}
	if e.Rotation < 0 {
		return errors.New("data keys cannot be changed more often than always")
	}
	return nil
}

func (e Encryption) apply(opt dgraph.Options) dgraph.Options {
	if !e.on() {
		return opt
	}
	rotation := e.Rotation
	if rotation == 0 {
		rotation = DefaultKeyRotation
	}
	return opt.WithEncryptionKey(e.Key).WithEncryptionKeyRotationDuration(rotation).
		WithBlockCacheSize(encryptedBlockCache).WithIndexCacheSize(encryptedIndexCache)
}

// registryText stands at the beginning of a registry of data keys, after a nonce of
// aes.BlockSize bytes, encrypted if the store is.
const registryText = "Hello Badger"

// dataKeys are the keys of the files of a folder. The nil ones are none.
type dataKeys struct{ registry *dgraph.KeyRegistry }

// openDataKeys reads the data keys of a folder and refuses a master key that is not
// its own. A folder without a registry, which Badger makes, is any key's.
func openDataKeys(dir string, key []byte) (*dataKeys, error) {
	f, err := os.Open(filepath.Join(dir, dgraph.KeyRegistryFileName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, aes.BlockSize+len(registryText))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, &DamageError{File: f.Name(), What: "it is too short"}
	}
	plain := bytes.Equal(head[aes.BlockSize:], []byte(registryText))
	switch {
	case plain && len(key) == 0:
		return nil, nil
	case plain:
		return nil, fmt.Errorf("%s: %w", dir, ErrNotEncrypted)
	case len(key) == 0:
		return nil, fmt.Errorf("%s: %w", dir, ErrEncrypted)
	}
	registry, err := dgraph.OpenKeyRegistry(dgraph.KeyRegistryOptions{Dir: dir, ReadOnly: true, EncryptionKey: key})
	switch {
	case errors.Is(err, dgraph.ErrEncryptionKeyMismatch):
		return nil, fmt.Errorf("%s: %w", dir, ErrWrongKey)
	case err != nil:
		return nil, &DamageError{File: f.Name(), What: err.Error()}
	}
	return &dataKeys{registry}, nil
}

// logCipher decrypts the records of a log; the zero one finds them plain.
type logCipher struct {
	block cipher.Block
	nonce [12]byte
}

// cipherOf reads the head of a log: the number of its key and a nonce.
func (k *dataKeys) cipherOf(f io.ReaderAt, end int64) (logCipher, error) {
	if k == nil || end < logHeader {
		return logCipher{}, nil
	}
	head := make([]byte, logHeader)
	if _, err := f.ReadAt(head, 0); err != nil {
		return logCipher{}, err
	}
	data, err := k.registry.DataKey(binary.BigEndian.Uint64(head))
	if err != nil || data == nil {
		return logCipher{}, err
	}
	c := logCipher{nonce: [12]byte(head[8:])}
	c.block, err = aes.NewCipher(data.Data)
	return c, err
}

// plain decrypts the beginning of what is encrypted of the record at a byte of the
// log: key and value in one.
func (c logCipher) plain(b []byte, at int64) []byte {
	if c.block == nil {
		return b
	}
	iv := binary.BigEndian.AppendUint32(c.nonce[:], uint32(at))
	out := make([]byte, len(b))
	cipher.NewCTR(c.block, iv).XORKeyStream(out, b)
	return out
}

// Rekey gives a store that is not open another master key, done as a whole or not at
// all. Between two keys only the data keys are encrypted anew, and what they have
// encrypted stays as it is; from no key and to none everything is written anew, which
// takes the room that the store takes.
func Rekey(ctx context.Context, o Options, key []byte) error {
	if err := rekey(ctx, o, Encryption{Key: key, Rotation: o.Encryption.Rotation}); err != nil {
		return fmt.Errorf("change the key of a store: %w", err)
	}
	return nil
}

func rekey(ctx context.Context, o Options, to Encryption) error {
	if err := to.check(); err != nil {
		return err
	}
	// Opening finds damage and finishes what a crash has interrupted.
	s, err := Open(ctx, o)
	if err != nil {
		return err
	}
	dir := s.db().dir
	if o.Encryption.on() != to.on() {
		err = s.rewrite(ctx, to, func(uint64, uint64) {})
		return errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil || !to.on() {
		return err
	}
	registry, err := dgraph.OpenKeyRegistry(dgraph.KeyRegistryOptions{Dir: dir, ReadOnly: true, EncryptionKey: o.Encryption.Key})
	if err != nil {
		return err
	}
	// The seal knows the registry as it was.
	if err := breakSeal(dir); err != nil {
		return err
	}
	if err := dgraph.WriteKeyRegistry(registry, dgraph.KeyRegistryOptions{Dir: dir, EncryptionKey: to.Key}); err != nil {
		return err
	}
	return seal(dir, layout)
}
