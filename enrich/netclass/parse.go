package netclass

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ErrTooLarge refuses a file above the size that its list may have.
var ErrTooLarge = errors.New("larger than the list may be")

// ErrHTML refuses a page that came instead of a list.
var ErrHTML = errors.New("an HTML page, not a list")

// ErrShort refuses a list with fewer entries than a whole one has.
var ErrShort = errors.New("fewer entries than the whole list has")

// byteOrderMark begins the files of some editors.
const byteOrderMark = "\ufeff"

// maxLine bounds a line of a list in bytes.
const maxLine = 1 << 16

// Parse reads a list as its publisher writes it. The date of the feed is the
// publisher's where the list states one, or else the spec's.
func Parse(s Spec, r io.Reader) (*Feed, error) {
	limit := s.MaxBytes
	if limit <= 0 {
		limit = 64 * megabyte
	}
	hash := sha256.New()
	counted := &capped{r: r, left: limit}
	in := bufio.NewReaderSize(io.TeeReader(counted, hash), maxLine)
	if head, _ := in.Peek(512); isHTML(head) { // as much as there is
		return nil, fmt.Errorf("%s: %w", s.Name, ErrHTML)
	}
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		if _, err := in.Discard(len(byteOrderMark)); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	b := NewBuilder(s.Info, s.Grades)
	err := s.read(in, b)
	if err == nil {
		// What a parser left unread still belongs to the digest.
		_, err = io.Copy(io.Discard, in)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	f, err := b.Build(hex.EncodeToString(hash.Sum(nil)))
	if err != nil {
		return nil, err
	}
	if f.info.Entries < s.MinEntries {
		return nil, fmt.Errorf("%s: %w: %d of at least %d", s.Name, ErrShort, f.info.Entries, s.MinEntries)
	}
	return f, nil
}

func (s Spec) read(in *bufio.Reader, b *Builder) error {
	switch s.Format {
	case FormatAWS:
		return readAWS(in, b)
	case FormatAzure:
		return readAzure(in, b)
	case FormatGCP:
		return readGCP(in, b)
	case FormatOracle:
		return readOracle(in, b)
	case FormatFastly:
		return readFastly(in, b)
	case FormatCloudflare:
		return readCloudflare(in, b)
	case FormatM365:
		return readM365(in, b)
	case FormatMISP:
		return readWarninglist(in, b, s.Class)
	case FormatGeofeed:
		return readGeofeed(in, b, s.Class)
	case FormatEgress:
		return readEgress(in, b)
	case FormatRanges:
		return readLines(in, func(line string) { b.Text(line, Entry{Class: s.Class}) })
	case FormatNames:
		return readLines(in, func(line string) { b.Name(line, Entry{Class: s.Class}) })
	case FormatASNs:
		return readASNs(in, b, s.Class)
	}
	return fmt.Errorf("no such format: %q", s.Format)
}

// capped fails, unlike io.LimitReader, when there is more than it may read.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if int64(n) > c.left {
		return 0, ErrTooLarge
	}
	c.left -= int64(n)
	return n, err
}

func isHTML(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeftFunc(head, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }), []byte("<"))
}

// readLines calls f with every line that holds something but a comment, which
// starts with # or ; wherever it stands.
func readLines(in io.Reader, f func(string)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := lines.Text()
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		if line = strings.TrimSpace(line); line != "" {
			f(line)
		}
	}
	return lines.Err()
}

// readASNs reads "AS123 # name" lines and CSV whose first field is the number,
// with or without a heading.
func readASNs(in io.Reader, b *Builder, class string) error {
	heading := true
	return readLines(in, func(line string) {
		number, _, _ := strings.Cut(line, ",")
		number = strings.Trim(number, "\" \t")
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(number), "AS"), 10, 32)
		if err != nil {
			if !heading {
				b.bad++
			}
			heading = false
			return
		}
		heading = false
		b.ASN(uint32(n), Entry{Class: class})
	})
}

// readGeofeed reads RFC 8805: prefix, country, region, city, postal code.
func readGeofeed(in *bufio.Reader, b *Builder, class string) error {
	head, _ := in.Peek(maxLine) // as much as there is
	if day := geofeedDate(head); day != "" {
		b.feed.info.Date = day
	}
	rows := csv.NewReader(in)
	rows.Comment, rows.FieldsPerRecord, rows.ReuseRecord, rows.LazyQuotes = '#', -1, true, true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var place []string
		for i, field := range row {
			// The region holds the country already.
			if field = strings.TrimSpace(field); field != "" && (i == 2 || i == 3 || i == 1 && (len(row) < 3 || row[2] == "")) {
				place = append(place, Word(field))
			}
		}
		b.Text(row[0], Entry{Class: class, Region: strings.Join(place, " ")})
	}
}

// geofeedDate finds the date in the comment that some publishers write.
func geofeedDate(head []byte) string {
	_, rest, ok := bytes.Cut(head, []byte("# Last modified: "))
	if !ok {
		return ""
	}
	return dateOf(string(rest[:min(len(rest), len(time.DateOnly))]))
}

// readEgress reads tenant and prefix; what follows is the operator's note.
func readEgress(in io.Reader, b *Builder) error {
	return readLines(in, func(line string) {
		tenant, rest, _ := strings.Cut(line, ",")
		prefix, _, _ := strings.Cut(rest, ",")
		tenant = strings.TrimSpace(tenant)
		if strings.TrimSpace(prefix) == "prefix" {
			return
		}
		if tenant == "" {
			b.bad++
			return
		}
		b.Text(prefix, Entry{Class: TenantEgress, Tenant: Word(tenant)})
	})
}

// dateOf returns the day that a timestamp begins with, "" if with none.
func dateOf(s string) string {
	if len(s) < len(time.DateOnly) {
		return ""
	}
	day := s[:len(time.DateOnly)]
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return ""
	}
	return day
}

// maxWord bounds a publisher's word (tag, region, service) in bytes.
const maxWord = 100

// Word makes a word of a file from outside fit to be shown: no control
// characters, of sane length.
func Word(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxWord {
		s = strings.ToValidUTF8(s[:maxWord], "")
	}
	return strings.TrimSpace(s)
}
