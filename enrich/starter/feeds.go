package starter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

var errFeeds = errors.New("the built-in lists are broken")

// The lines of the file begin with one of these; fields are separated by tabs.
const (
	lineFeed  = "f" // JSON of feedLine
	lineEntry = "e" // class, tag, region, service
	lineRange = "r" // prefix, numbers of entries
	lineASN   = "a" // AS number, number of an entry
	lineName  = "n" // name, number of an entry
)

type feedLine struct {
	Info   netclass.Info
	Grades bool `json:",omitzero"`
}

// EncodeFeeds writes the file of the lists: ranges, AS numbers, and names that
// speak for all below them. Other kinds of entries have no place in it. Equal
// feeds make equal bytes.
func EncodeFeeds(feeds []*netclass.Feed) ([]byte, error) {
	var b bytes.Buffer
	for _, f := range feeds {
		if err := encodeFeed(&b, f); err != nil {
			return nil, err
		}
	}
	return pack(b.Bytes())
}

func encodeFeed(b *bytes.Buffer, f *netclass.Feed) error {
	head, err := json.Marshal(feedLine{f.Info(), f.Grades()})
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "%s\t%s\n", lineFeed, head)
	numbers := make(map[netclass.Entry]int)
	number := func(e netclass.Entry) string {
		n, ok := numbers[e]
		if !ok {
			n = len(numbers)
			numbers[e] = n
			fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%s\n", lineEntry, e.Class, e.Tag, e.Region, e.Service)
		}
		return strconv.Itoa(n)
	}
	for p, entries := range f.Ranges() {
		of := make([]string, 0, len(entries))
		for _, e := range entries {
			of = append(of, number(e))
		}
		fmt.Fprintf(b, "%s\t%s\t%s\n", lineRange, p, strings.Join(of, ","))
	}
	for n, e := range f.ASNs() {
		of := number(e)
		fmt.Fprintf(b, "%s\t%d\t%s\n", lineASN, n, of)
	}
	for n, e := range f.Names() {
		of := number(e)
		fmt.Fprintf(b, "%s\t%s\t%s\n", lineName, n, of)
	}
	return nil
}

func decodeFeeds(file []byte) ([]*netclass.Feed, error) {
	b, err := unpack(file)
	if err != nil {
		return nil, errors.Join(errFeeds, err)
	}
	return parseFeeds(b)
}

func parseFeeds(b []byte) ([]*netclass.Feed, error) {
	var d decoder
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if err := d.line(lines.Text()); err != nil {
			return nil, errors.Join(errFeeds, err)
		}
	}
	if err := errors.Join(lines.Err(), d.finish()); err != nil {
		return nil, errors.Join(errFeeds, err)
	}
	if len(d.feeds) == 0 {
		return nil, errFeeds
	}
	return d.feeds, nil
}

// decoder builds feeds line by line.
type decoder struct {
	feeds   []*netclass.Feed
	builder *netclass.Builder
	digest  string
	entries []netclass.Entry
}

func (d *decoder) finish() error {
	if d.builder == nil {
		return nil
	}
	f, err := d.builder.Build(d.digest)
	if err != nil {
		return err
	}
	d.feeds = append(d.feeds, f)
	return nil
}

func (d *decoder) line(line string) error {
	kind, rest, _ := strings.Cut(line, "\t")
	if kind == lineFeed {
		if err := d.finish(); err != nil {
			return err
		}
		var head feedLine
		if err := json.Unmarshal([]byte(rest), &head); err != nil {
			return err
		}
		d.builder, d.digest, d.entries = netclass.NewBuilder(head.Info, head.Grades), head.Info.Digest, nil
		return nil
	}
	if d.builder == nil {
		return errors.New("a line before the first list")
	}
	if kind == lineEntry {
		field := strings.Split(rest, "\t")
		if len(field) != 4 {
			return errors.New("an entry of " + strconv.Itoa(len(field)) + " fields")
		}
		d.entries = append(d.entries, netclass.Entry{Class: field[0], Tag: field[1], Region: field[2], Service: field[3]})
		return nil
	}
	what, numbers, _ := strings.Cut(rest, "\t")
	for number := range strings.SplitSeq(numbers, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n >= len(d.entries) {
			return errors.New("a line without its entry")
		}
		if err := d.add(kind, what, d.entries[n]); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) add(kind, what string, e netclass.Entry) error {
	switch kind {
	case lineRange:
		p, err := netip.ParsePrefix(what)
		if err != nil {
			return err
		}
		d.builder.Range(p, e)
	case lineASN:
		n, err := strconv.ParseUint(what, 10, 32)
		if err != nil {
			return err
		}
		d.builder.ASN(uint32(n), e)
	case lineName:
		d.builder.Name(what, e)
	default:
		return errors.New("a line of an unknown kind")
	}
	return nil
}
