package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// formatVersion is that of the lines, told in the first one of a file.
const formatVersion = 1

// The lines of a trail. Each is JSON of exactly the bytes that these types make, so
// that there is one way to write what was signed.
type (
	// heading is the first line of a file.
	heading struct {
		Version    int       `json:"audit"`
		Key        PublicKey `json:"public_key"`
		Checkpoint uint64    `json:"first_checkpoint"`
		Entry      uint64    `json:"first_entry"`
		// Previous is the hash that the first entry follows.
		Previous string `json:"previous"`
	}
	// head is what is hashed of an entry.
	head struct {
		Number uint64 `json:"entry"`
		Time   string `json:"time"`
		Entry
		Commitment string `json:"commitment"`
	}
	// entryLine is an entry. Salt and content are hashed in the commitment alone.
	entryLine struct {
		head
		Hash     string    `json:"hash"`
		Salt     string    `json:"salt,omitempty"`
		Content  *Content  `json:"content,omitempty"`
		Stripped *stripped `json:"stripped,omitempty"`
	}
	// stripped says that the service itself took the content away.
	stripped struct {
		Time      string `json:"time"`
		Signature string `json:"signature"`
	}
	// checkpoint ends a group of entries.
	checkpoint struct {
		Number    uint64 `json:"checkpoint"`
		Time      string `json:"time"`
		First     uint64 `json:"first"`
		Last      uint64 `json:"last"`
		Previous  string `json:"previous"` // hash before the first entry
		Hash      string `json:"hash"`     // of the last entry
		Signature string `json:"signature,omitempty"`
	}
	// ending is the last line of a file.
	ending struct {
		Checkpoint      uint64 `json:"end"`
		Time            string `json:"time"`
		FirstCheckpoint uint64 `json:"first_checkpoint"`
		First           uint64 `json:"first"`
		Last            uint64 `json:"last"`
		Previous        string `json:"previous"`
		Hash            string `json:"hash"`
		Signature       string `json:"signature,omitempty"`
	}
)

// genesis is the hash that the first entry of all follows.
func genesis(key PublicKey) string { return hashOf("elsewhere audit trail\n", []byte(key)) }

func hashOf(what string, parts ...[]byte) string {
	h := sha256.New()
	h.Write([]byte(what))
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// commitmentTo returns what binds an entry to its content, as it is written, without
// telling it.
func commitmentTo(salt string, content []byte) string {
	return hashOf("elsewhere audit content\n", []byte(salt), []byte{'\n'}, content)
}

// follow returns the hash of an entry, as its head is written, after another's.
func follow(previous string, head []byte) string {
	return hashOf("elsewhere audit entry\n", []byte(previous), []byte{'\n'}, head)
}

// statement is what a checkpoint signs.
func (c checkpoint) statement() ([]byte, error) {
	c.Signature = ""
	return json.Marshal(c)
}

func (e ending) statement() ([]byte, error) {
	e.Signature = ""
	return json.Marshal(e)
}

// statement is what is signed where content was taken away.
func (l *entryLine) statement(at string) ([]byte, error) {
	return json.Marshal([]any{l.Number, l.Hash, at})
}

// chain is where a trail ends.
type chain struct {
	Version int       `json:"v"`
	Key     PublicKey `json:"key"`
	// First and Last are the numbers of the checkpoints that are kept; Last is that of
	// the last one also where none is.
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	Entries uint64 `json:"entries"` // number of the last entry
	Hash    string `json:"hash"`
	Time    string `json:"time"` // of the last checkpoint
}

func newChain(key PublicKey) chain {
	return chain{Version: formatVersion, Key: key, First: 1, Hash: genesis(key)}
}

// Bounds of a group: a page of the store has to hold it.
const (
	maxGroupEntries = 512
	maxGroupBytes   = 192 << 10
	// groupRoom holds most groups that are full.
	groupRoom = maxGroupBytes + 8<<10
)

// seal chains entries from the front of a list, as many as make a group, and returns
// their lines with the checkpoint, the chain that they end, and how many they are.
func (c chain) seal(s *Signer, entries []Entry, now time.Time) (lines []byte, next chain, n int, err error) {
	next = c
	var p pen
	lines = make([]byte, 0, min(groupRoom, 1<<10*(len(entries)+1)))
	for n < min(len(entries), maxGroupEntries) && len(lines) < maxGroupBytes {
		next.Entries++
		lines, next.Hash = p.write(lines, &entries[n], next.Entries, next.Hash)
		n++
	}
	next.Last++
	// A clock that was set back must not have checkpoints in another order.
	next.Time = max(stamp(now), c.Time)
	point := checkpoint{
		Number: next.Last, Time: next.Time, First: c.Entries + 1, Last: next.Entries, Previous: c.Hash, Hash: next.Hash,
	}
	statement, err := point.statement()
	if err != nil {
		return nil, c, 0, err
	}
	point.Signature = s.sign(signsCheckpoint, statement)
	line, err := json.Marshal(point)
	return append(append(lines, line...), '\n'), next, n, err
}

// pen writes entries. It uses its room again.
type pen struct{ head, content []byte }

// write appends the line of an entry that follows a hash, and returns its own.
func (p *pen) write(lines []byte, e *Entry, number uint64, previous string) (with []byte, hash string) {
	var random [16]byte
	rand.Read(random[:])
	salt := hex.EncodeToString(random[:])
	p.content = appendContent(p.content[:0], e.Content)
	p.head = appendHead(p.head[:0], number, e, commitmentTo(salt, p.content))
	hash = follow(previous, p.head)
	lines = append(lines, p.head[:len(p.head)-1]...)
	lines = appendField(lines, "hash", hash)
	lines = appendField(lines, "salt", salt)
	lines = append(append(lines, `,"content":`...), p.content...)
	return append(lines, "}\n"...), hash
}

// entry returns what a line says.
func (l *entryLine) entry() (Entry, error) {
	e := l.Entry
	at, err := parseStamp(l.Time)
	e.Number, e.Time, e.Content = l.Number, at, l.Content
	return e, err
}
