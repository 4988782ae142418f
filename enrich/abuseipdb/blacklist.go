package abuseipdb

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// listSourceName is the blacklist as a source. Being on it is triage, never a
// class and never evidence.
const listSourceName = "abuseipdb_blacklist"

// maxListed bounds a blacklist in entries; the largest plan's is 500,000.
const maxListed = 1_000_000

// Blacklist is a list of the most reported addresses at one time. It never
// changes.
type Blacklist struct {
	generated time.Time
	listed    []listed // by address
	skipped   int
}

// listed is an address on the list.
type listed struct {
	addr  netip.Addr
	score uint8
	last  time.Time
}

// GeneratedAt is when the service made the list.
func (b *Blacklist) GeneratedAt() time.Time { return b.generated }

// Len returns the number of addresses.
func (b *Blacklist) Len() int { return len(b.listed) }

// Skipped returns how many entries were left out because they are no public
// address or have no sensible score.
func (b *Blacklist) Skipped() int { return b.skipped }

type listMeta struct {
	GeneratedAt time.Time `json:"generatedAt"`
}

type listEntry struct {
	IPAddress            string    `json:"ipAddress"`
	AbuseConfidenceScore int       `json:"abuseConfidenceScore"`
	LastReportedAt       time.Time `json:"lastReportedAt,omitzero"`
}

// Blacklist fetches the list: addresses of at least minimum confidence in
// percent, at most limit of them; 0 leaves either to the service. It discloses no
// address.
func (c *Client) Blacklist(ctx context.Context, minimum, limit int) (*Blacklist, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	query := url.Values{}
	if minimum > 0 {
		query.Set("confidenceMinimum", strconv.Itoa(minimum))
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var list *Blacklist
	err := c.get(ctx, c.list, enrich.Interactive, query, maxListBytes, func(r io.Reader) (err error) {
		list, err = ReadBlacklist(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// ReadBlacklist reads a list as the service sends it and as WriteTo writes it.
// Entries that are no public address are skipped; a list without any other, or
// without its date, is refused.
func ReadBlacklist(r io.Reader) (*Blacklist, error) {
	d := json.NewDecoder(bufio.NewReader(r))
	b := &Blacklist{}
	if err := delim(d, '{'); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errUnusable
		}
		switch name {
		case "meta":
			var m listMeta
			if err := d.Decode(&m); err != nil {
				return nil, errUnusable
			}
			b.generated = m.GeneratedAt.UTC()
		case "data":
			if err := b.readEntries(d); err != nil {
				return nil, err
			}
		default:
			if err := d.Decode(new(json.RawMessage)); err != nil {
				return nil, errUnusable
			}
		}
	}
	if err := delim(d, '}'); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errUnusable
	}
	if b.generated.IsZero() || len(b.listed) == 0 {
		return nil, errUnusable
	}
	slices.SortStableFunc(b.listed, func(x, y listed) int { return x.addr.Compare(y.addr) })
	b.listed = slices.CompactFunc(b.listed, func(x, y listed) bool { return x.addr == y.addr })
	return b, nil
}

func delim(d *json.Decoder, want json.Delim) error {
	if t, err := d.Token(); err != nil || t != want {
		return errUnusable
	}
	return nil
}

func (b *Blacklist) readEntries(d *json.Decoder) error {
	if err := delim(d, '['); err != nil {
		return err
	}
	scopes := enrich.NewScopes()
	for d.More() {
		var e listEntry
		if err := d.Decode(&e); err != nil {
			return errUnusable
		}
		if len(b.listed)+b.skipped >= maxListed {
			return fmt.Errorf("the list has more than %d entries", maxListed)
		}
		addr, err := netip.ParseAddr(e.IPAddress)
		addr = addr.Unmap().WithZone("")
		if err != nil || scopes.Of(netip.PrefixFrom(addr, addr.BitLen())) != enrich.ScopePublic ||
			e.AbuseConfidenceScore < 0 || e.AbuseConfidenceScore > 100 {
			b.skipped++
			continue
		}
		b.listed = append(b.listed, listed{addr, uint8(e.AbuseConfidenceScore), e.LastReportedAt.UTC()})
	}
	return delim(d, ']')
}

// WriteTo implements io.WriterTo.
func (b *Blacklist) WriteTo(w io.Writer) (int64, error) {
	body := struct {
		Meta listMeta    `json:"meta"`
		Data []listEntry `json:"data"`
	}{Meta: listMeta{b.generated}, Data: make([]listEntry, 0, len(b.listed))}
	for _, l := range b.listed {
		body.Data = append(body.Data, listEntry{l.addr.String(), int(l.score), l.last})
	}
	data, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(data)
	return int64(n), err
}

// Listing is the current blacklist as a local source. Its zero value has none;
// it must not be copied.
type Listing struct{ current atomic.Pointer[Blacklist] }

// Replace puts a newer list in place of the current one. It refuses one that is
// older or has shrunk to less than half, and keeps what it has.
func (l *Listing) Replace(next *Blacklist) error {
	for {
		now := l.current.Load()
		if now != nil && next.generated.Before(now.generated) {
			return fmt.Errorf("the list of %s is older than the current one of %s", next.generated.Format(time.RFC3339), now.generated.Format(time.RFC3339))
		}
		if now != nil && next.Len() < now.Len()/2 {
			return fmt.Errorf("the list shrank from %d to %d addresses", now.Len(), next.Len())
		}
		if l.current.CompareAndSwap(now, next) {
			return nil
		}
	}
}

// About implements enrich.Source.
func (*Listing) About() enrich.About {
	return enrich.About{
		Name: listSourceName, Kinds: []enrich.Kind{enrich.KindIP},
		Fields: []string{enrich.FieldAbuseScore, enrich.FieldLastReport},
	}
}

// Lookup implements enrich.Source. Not being on the list says nothing about an
// address.
func (l *Listing) Lookup(_ context.Context, v enrich.Value, _ enrich.Purpose) enrich.Answer {
	b := l.current.Load()
	p, ok := v.Prefix()
	if b == nil || !ok {
		return enrich.Answer{Detail: "no list is loaded"}
	}
	i, found := slices.BinarySearchFunc(b.listed, p.Addr(), func(x listed, a netip.Addr) int { return x.addr.Compare(a) })
	if !found {
		return enrich.Answer{Status: enrich.NoData, Detail: "not on the list of " + b.generated.Format(time.DateOnly)}
	}
	e := b.listed[i]
	field := func(name, value string) enrich.Field {
		return enrich.Field{Name: name, Value: value, DataDate: b.generated, Status: enrich.OK}
	}
	a := enrich.Answer{Status: enrich.OK, Fields: []enrich.Field{field(enrich.FieldAbuseScore, strconv.Itoa(int(e.score)))}}
	if !e.last.IsZero() {
		a.Fields = append(a.Fields, field(enrich.FieldLastReport, e.last.Format(time.RFC3339)))
	}
	return a
}
