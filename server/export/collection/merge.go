package collection

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
)

// merge makes an edition of a bundle and of what was offered before.
type merge struct {
	edition *edition
	bundle  *export.Bundle
	now     time.Time
	// next is the time of the next unit that changed.
	next    int64
	changed bool
}

// unit is what a bundle says of a value, or one object that belongs to none.
type unit struct {
	entry // without times
	item  json.RawMessage
}

// run walks over both in order of value.
func (m *merge) run(ctx context.Context, l *list) error {
	m.next = max(m.now.UnixMicro(), l.head.Last+1)
	had, stop := iter.Pull2(l.entries(ctx))
	defer stop()
	old, err, more := had()
	before := func(u *unit) bool {
		return more && err == nil && (u == nil || old.value().Compare(u.value()) < 0)
	}
	for u, unitErr := range m.units() {
		if unitErr == nil {
			unitErr = ctx.Err()
		}
		if unitErr != nil {
			return unitErr
		}
		for before(&u) {
			if err := m.gone(ctx, old); err != nil {
				return err
			}
			old, err, more = had()
		}
		if err != nil {
			return err
		}
		if !more || old.value() != u.value() {
			err := m.add(u)
			if err != nil {
				return err
			}
			continue
		}
		if err := m.again(old, u); err != nil {
			return err
		}
		old, err, more = had()
	}
	for before(nil) {
		if err := m.gone(ctx, old); err != nil {
			return err
		}
		old, err, more = had()
	}
	return err
}

// units yields what the bundle says, in order of value.
func (m *merge) units() iter.Seq2[unit, error] {
	return func(yield func(unit, error) bool) {
		header, err := m.header()
		if err != nil {
			yield(unit{}, err)
			return
		}
		for _, u := range header {
			if !yield(u, nil) {
				return
			}
		}
		seen := make(map[export.UUID]bool)
		for item, err := range m.bundle.Items {
			var u unit
			if err == nil {
				u, err = unitOf(&item)
			}
			if id, is := stix.Shared(item.Value); is {
				u.Shared = seen[id]
				seen[id] = true
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// header are the objects that belong to no value.
func (m *merge) header() ([]unit, error) {
	var out []unit
	from := stix.Dates{Created: m.bundle.Created, Modified: m.bundle.Modified}
	for _, o := range m.edition.maker.Header() {
		raw, err := stix.Encode(o)
		if err != nil {
			return nil, err
		}
		// Without dates, which are those of the whole bundle.
		raw = stix.Redate(raw, from, stix.Dates{}, false)
		out = append(out, unit{entry: entry{
			Text: o.ID(), Sum: sumOf(raw), Object: raw, Created: from.Created.UnixMilli(), Modified: from.Modified.UnixMilli(),
		}})
	}
	slices.SortFunc(out, func(x, y unit) int { return strings.Compare(x.Text, y.Text) })
	return out, nil
}

func unitOf(item *export.Item) (unit, error) {
	u := unit{entry: entry{
		Kind: item.Value.Kind, Text: item.Value.Text, Indicator: item.Indicator,
		Created: item.Created.UnixMilli(), Modified: item.Modified.UnixMilli(),
	}}
	if item.Written != item.Value.Text {
		u.Written = item.Written
	}
	if !item.First.IsZero() {
		u.First, u.Last = item.First.Unix(), item.Last.Unix()
	}
	undated := *item
	undated.Created, undated.Modified = time.Time{}, time.Time{}
	// It is relative to the newest value of the bundle, and no object has it.
	undated.Score = 0
	raw, err := json.Marshal(&undated)
	u.item, u.Sum = raw, sumOf(raw)
	return u, err
}

// written is the revision of how objects are written: another one offers all anew.
const written = "1"

func sumOf(content []byte) string {
	sum := sha256.Sum256(append([]byte(written), content...))
	return base64.RawStdEncoding.EncodeToString(sum[:9])
}

func (m *merge) now64() int64 {
	at := m.next
	m.next++
	m.changed = true
	return at
}

// add offers what was not offered before.
func (m *merge) add(u unit) error {
	u.Added = m.now64()
	return m.append(u)
}

// again offers what was offered before, at the time of then if it is the same.
func (m *merge) again(old entry, u unit) error {
	u.Created = old.Created
	u.Round, u.Was = old.Round, (old.Was || old.Indicator) && !u.Indicator
	if old.Sum == u.Sum && old.Shared == u.Shared && !old.Gone {
		u.Added, u.Modified = old.Added, old.Modified
		return m.append(u)
	}
	if old.Gone || old.Was && u.Indicator {
		u.Round++
		u.Was = false
	}
	if u.Modified <= old.Modified {
		// No case changed, but what it is now, or who has it.
		u.Modified = max(m.now.UnixMilli(), old.Modified+1)
	}
	return m.add(u)
}

func (m *merge) append(u unit) error {
	if u.Kind == "" {
		to := stix.Dates{Created: time.UnixMilli(u.Created), Modified: time.UnixMilli(u.Modified)}
		u.Object = stix.Redate(renamed(u.Object, u.Text, u.Round), stix.Dates{}, to, false)
	}
	return m.edition.append(record{u.entry, u.item})
}

// renamed gives an object that was revoked another identifier. Nothing refers to those
// that are: notes and opinions.
func renamed(object []byte, id string, round uint32) []byte {
	if round == 0 {
		return object
	}
	return []byte(strings.Replace(string(object), id, idOf(id, round), 1))
}

// idOf is the identifier of an object in a round.
func idOf(id string, round uint32) string {
	if round == 0 {
		return id
	}
	kind, _, _ := strings.Cut(id, "--")
	return kind + "--" + export.NewUUID(export.Namespace(), "stix round", id, fmt.Sprint(round)).String()
}

// gone revokes what is no longer offered, and tells so for a time.
func (m *merge) gone(ctx context.Context, old entry) error {
	revocable := old.Kind != "" || strings.HasPrefix(old.Text, "note--") || strings.HasPrefix(old.Text, "opinion--")
	over := old.Gone && m.now.Sub(time.UnixMicro(old.Added)) > keptFor
	names := false
	if old.Kind != "" && !over {
		// To revoke a value is to name it: not once it is known to be a victim's.
		var err error
		if names, err = m.names(ctx, old.Text, old.Written); err != nil {
			return err
		}
	}
	if !revocable || over || names {
		m.changed = true
		return nil
	}
	if old.Gone {
		return m.edition.append(record{Entry: old})
	}
	from := stix.Dates{Created: time.UnixMilli(old.Created), Modified: time.UnixMilli(old.Modified)}
	old.Gone, old.Added, old.Sum = true, m.now64(), ""
	old.Modified = max(m.now.UnixMilli(), old.Modified+1)
	if old.Kind == "" {
		old.Object = stix.Redate(old.Object, from, stix.Dates{Created: from.Created, Modified: time.UnixMilli(old.Modified)}, true)
	}
	return m.edition.append(record{Entry: old})
}

// names reports whether one of the texts names a tenant.
func (m *merge) names(ctx context.Context, texts ...string) (bool, error) {
	for _, text := range texts {
		if is, err := m.bundle.Names(ctx, text); is || err != nil {
			return is, err
		}
	}
	return false, nil
}
