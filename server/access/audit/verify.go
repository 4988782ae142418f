package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Report is what Verify found.
type Report struct {
	Key         PublicKey
	Entries     uint64
	Checkpoints uint64
	// Stripped is how many entries the service has taken the content of.
	Stripped uint64
	// FirstEntry and LastEntry are numbers; FirstEntry is 1 unless the trail was cut, or
	// exported from later on.
	FirstEntry, LastEntry uint64
	// From and To are the times of the first and the last checkpoint, zero if there
	// are none; Exported is when the file was made.
	From, To, Exported time.Time
	Hash               string // of the last entry
}

// Fault is what is wrong with a file, and where.
type Fault struct {
	// Line counts from 1. Until is the last line that may be at fault, where that is
	// not known better; else it is Line.
	Line, Until int
	// Entry is the number of the entry at that place, or that should be there; 0 if
	// it is none.
	Entry uint64
	What  string
}

func (f *Fault) Error() string {
	place := fmt.Sprintf("line %d", f.Line)
	if f.Until > f.Line {
		place = fmt.Sprintf("lines %d to %d", f.Line, f.Until)
	}
	if f.Entry > 0 {
		place += fmt.Sprintf(" (entry %d)", f.Entry)
	}
	return place + ": " + f.What
}

// maxLine bounds a line that is read.
const maxLine = 1 << 20

// How lines begin.
const (
	headingBegins    = `{"audit":`
	entryBegins      = `{"entry":`
	checkpointBegins = `{"checkpoint":`
	endBegins        = `{"end":`
)

// Verify reads an exported trail and returns what it holds, or the first *Fault. With
// a key the trail has to be signed with it; without, with the one that it names
// itself, which proves nothing about who wrote it.
func Verify(r io.Reader, key PublicKey) (Report, error) {
	v := verifier{report: Report{Key: key}}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return v.report, v.finish()
		}
		v.line++
		if err == nil {
			err = v.take(line)
		} else if errors.Is(err, errLong) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = v.fault(v.expected(), err.Error())
		}
		if err != nil {
			return v.report, err
		}
	}
}

var (
	errLong = errors.New("the line is longer than any of a trail")
	// errUnfinished wraps what readers return in such a case.
	errUnfinished = fmt.Errorf("the line does not end: the file was cut off: %w", io.ErrUnexpectedEOF)
)

// readLine returns a line without its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errLong
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errUnfinished
		default:
			return nil, err
		}
	}
}

// verifier is what is known at one line of a file.
type verifier struct {
	report Report
	line   int
	begun  bool
	ended  bool
	top    heading
	// entry and hash are of the last entry, previous is the hash before the group.
	entry    uint64
	hash     string
	previous string
	// group is the line of the first entry of the group, 0 before it.
	group      int
	first      uint64 // entry of the group
	checkpoint uint64 // number of the last one
	made       string // when it was
}

// expected is the number of the next entry, where that is known.
func (v *verifier) expected() uint64 {
	if !v.begun {
		return 0
	}
	return v.entry + 1
}

func (v *verifier) fault(entry uint64, what string) error {
	return &Fault{Line: v.line, Until: v.line, Entry: entry, What: what}
}

func (v *verifier) take(line []byte) error {
	has := func(beginning string) bool { return bytes.HasPrefix(line, []byte(beginning)) }
	switch {
	case v.ended:
		return v.fault(0, "there is more after the end of the trail")
	case !v.begun && has(headingBegins):
		return v.takeHeading(line)
	case !v.begun:
		return v.fault(0, "this is no exported audit trail, or its first line is gone")
	case has(entryBegins):
		return v.takeEntry(line)
	case has(checkpointBegins):
		return v.takeCheckpoint(line)
	case has(endBegins):
		return v.takeEnd(line)
	}
	return v.fault(v.expected(), "this is no line of an audit trail")
}

// read reads a line that has exactly the bytes which its content is written in.
func (v *verifier) read(line []byte, into any) error {
	err := strict(line, into)
	if err == nil {
		var again []byte
		if again, err = json.Marshal(into); err == nil && !bytes.Equal(again, line) {
			err = errors.New("it is not as the service writes it")
		}
	}
	if err != nil {
		return v.fault(v.expected(), "the line cannot be read: it was changed")
	}
	return nil
}

func (v *verifier) takeHeading(line []byte) error {
	// The version first: what follows may be of a newer one.
	var version struct {
		Version int `json:"audit"`
	}
	if err := json.Unmarshal(line, &version); err == nil && version.Version > formatVersion {
		return v.fault(0, fmt.Sprintf("the trail has version %d; this program reads up to %d", version.Version, formatVersion))
	}
	if err := v.read(line, &v.top); err != nil {
		return err
	}
	key, err := ParsePublicKey(string(v.top.Key))
	if err != nil || key != v.top.Key || v.top.Version != formatVersion || v.top.Checkpoint == 0 || v.top.Entry == 0 {
		return v.fault(0, "the line cannot be read: it was changed")
	}
	switch {
	case v.report.Key == "":
		v.report.Key = key
	case v.report.Key != key:
		return v.fault(0, "the trail says that it was signed with the key "+string(key))
	}
	v.begun = true
	v.entry, v.checkpoint = v.top.Entry-1, v.top.Checkpoint-1
	v.hash, v.previous = v.top.Previous, v.top.Previous
	v.report.FirstEntry = v.top.Entry
	return nil
}

func (v *verifier) takeEntry(line []byte) error {
	var l entryLine
	if err := v.read(line, &l); err != nil {
		return err
	}
	if l.Number != v.entry+1 {
		return v.fault(v.entry+1, fmt.Sprintf("entry %d stands where entry %d should: lines were removed, added or put in another order", l.Number, v.entry+1))
	}
	if _, err := l.entry(); err != nil {
		return v.fault(l.Number, "the line cannot be read: it was changed")
	}
	if err := v.checkContent(&l); err != nil {
		return err
	}
	head, err := json.Marshal(l.head)
	if err != nil {
		return err
	}
	if follow(v.hash, head) != l.Hash {
		return v.fault(l.Number, "the entry does not follow from the one before: it, or that one, was changed")
	}
	if v.group == 0 {
		v.group, v.first = v.line, l.Number
	}
	v.entry, v.hash = l.Number, l.Hash
	v.report.Entries++
	return nil
}

// checkContent holds the content of an entry to its commitment, or the word that it
// was taken away to its signature.
func (v *verifier) checkContent(l *entryLine) error {
	if l.Content == nil {
		if l.Stripped == nil || l.Salt != "" {
			return v.fault(l.Number, "the content of the entry is gone, and the service has not taken it")
		}
		statement, err := l.statement(l.Stripped.Time)
		if err != nil {
			return err
		}
		if !v.report.Key.signed(signsStripped, statement, l.Stripped.Signature) {
			return v.fault(l.Number, "that the content was taken away is not signed with the key")
		}
		v.report.Stripped++
		return nil
	}
	content, err := json.Marshal(l.Content)
	if err != nil {
		return err
	}
	if commitmentTo(l.Salt, content) != l.Commitment || l.Stripped != nil {
		return v.fault(l.Number, "the content of the entry is not what was recorded")
	}
	return nil
}

func (v *verifier) takeCheckpoint(line []byte) error {
	var c checkpoint
	if err := v.read(line, &c); err != nil {
		return err
	}
	from := v.group
	if from == 0 {
		from = v.line
	}
	wrong := func(what string) error {
		return &Fault{Line: from, Until: v.line, What: fmt.Sprintf("checkpoint %d ", c.Number) + what}
	}
	switch {
	case c.Number != v.checkpoint+1:
		return v.fault(0, fmt.Sprintf("checkpoint %d stands where checkpoint %d should: lines were removed, added or put in another order", c.Number, v.checkpoint+1))
	case v.group == 0 || c.First != v.first || c.Last != v.entry:
		return wrong(fmt.Sprintf("ends the entries %d to %d, and others stand before it", c.First, c.Last))
	case c.Previous != v.previous || c.Hash != v.hash:
		return wrong("does not follow from what stands before it")
	case c.Time < v.made:
		return wrong("is older than the one before")
	}
	statement, err := c.statement()
	if err != nil {
		return err
	}
	if !v.report.Key.signed(signsCheckpoint, statement, c.Signature) {
		return wrong("is not signed with the key: it, or what stands before it, was changed")
	}
	made, err := parseStamp(c.Time)
	if err != nil {
		return wrong("has no time")
	}
	if v.report.Checkpoints == 0 {
		v.report.From = made
	}
	v.report.To = made
	v.report.Checkpoints++
	v.checkpoint, v.made, v.previous, v.group = c.Number, c.Time, c.Hash, 0
	return nil
}

func (v *verifier) takeEnd(line []byte) error {
	var e ending
	if err := v.read(line, &e); err != nil {
		return err
	}
	statement, err := e.statement()
	if err != nil {
		return err
	}
	switch {
	case !v.report.Key.signed(signsEnd, statement, e.Signature):
		// What it says of the lines before is nobody's word.
		return v.fault(0, "the end is not signed with the key")
	case v.group != 0:
		return v.fault(v.entry, "the last entries have no checkpoint: lines were removed")
	case e.Checkpoint != v.checkpoint || e.Last != v.entry || e.Hash != v.hash:
		return v.fault(v.entry+1, fmt.Sprintf("the trail ends with entry %d and checkpoint %d, the file with %d and %d: lines were removed or added", e.Last, e.Checkpoint, v.entry, v.checkpoint))
	case e.FirstCheckpoint != v.top.Checkpoint || e.First != v.top.Entry || e.Previous != v.top.Previous:
		return &Fault{Line: 1, Until: 1, What: fmt.Sprintf("the trail was exported from entry %d and checkpoint %d on: lines were removed from the beginning", e.First, e.FirstCheckpoint)}
	}
	exported, err := parseStamp(e.Time)
	if err != nil {
		return v.fault(0, "the line cannot be read: it was changed")
	}
	v.ended = true
	v.report.Exported, v.report.Hash, v.report.LastEntry = exported, e.Hash, e.Last
	return nil
}

// finish is for the end of the file.
func (v *verifier) finish() error {
	v.line++
	switch {
	case v.ended:
		return nil
	case !v.begun:
		return v.fault(0, "the file is empty")
	}
	return v.fault(v.entry+1, "the trail does not end here: the file was cut off")
}
