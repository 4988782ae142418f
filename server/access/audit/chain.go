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

// commit returns what binds an entry to its content without telling it.
func commit(salt string, c *Content) (string, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return hashOf("elsewhere audit content\n", []byte(salt), []byte{'\n'}, raw), nil
}

// hash returns that of an entry after one with the hash previous.
func (h *head) hash(previous string) (string, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	return hashOf("elsewhere audit entry\n", []byte(previous), []byte{'\n'}, raw), nil
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
)

// seal chains entries from the front of a list, as many as make a group, and returns
// their lines with the checkpoint, the chain that they end, and how many they are.
func (c chain) seal(s *Signer, entries []Entry, now time.Time) (lines []byte, next chain, n int, err error) {
	next = c
	for n < min(len(entries), maxGroupEntries) && len(lines) < maxGroupBytes {
		next.Entries++
		var line []byte
		if line, next.Hash, err = chained(entries[n], next.Entries, next.Hash); err != nil {
			return nil, c, 0, err
		}
		lines = append(append(lines, line...), '\n')
		n++
	}
	next.Last++
	// A clock that was set back must not have checkpoints in another order.
	next.Time = max(stamp(now), c.Time)
	p := checkpoint{
		Number: next.Last, Time: next.Time, First: c.Entries + 1, Last: next.Entries, Previous: c.Hash, Hash: next.Hash,
	}
	statement, err := p.statement()
	if err != nil {
		return nil, c, 0, err
	}
	p.Signature = s.sign(signsCheckpoint, statement)
	line, err := json.Marshal(p)
	return append(append(lines, line...), '\n'), next, n, err
}

// chained writes an entry that follows a hash.
func chained(e Entry, number uint64, previous string) (line []byte, hash string, err error) {
	e.tidy()
	salt := make([]byte, 16)
	rand.Read(salt)
	l := entryLine{head: head{Number: number, Time: stamp(e.Time), Entry: e}, Salt: hex.EncodeToString(salt), Content: e.Content}
	if l.Commitment, err = commit(l.Salt, l.Content); err != nil {
		return nil, "", err
	}
	if l.Hash, err = l.head.hash(previous); err != nil {
		return nil, "", err
	}
	line, err = json.Marshal(l)
	return line, l.Hash, err
}

// entry returns what a line says.
func (l *entryLine) entry() (Entry, error) {
	e := l.Entry
	at, err := parseStamp(l.Time)
	e.Number, e.Time, e.Content = l.Number, at, l.Content
	return e, err
}
