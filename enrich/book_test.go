package enrich_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// dirty collects what the book passes on.
type dirty struct {
	values []enrich.Value
	err    error
}

func (d *dirty) changed(_ context.Context, v enrich.Value) error {
	d.values = append(d.values, v)
	return d.err
}

func (d *dirty) take() []enrich.Value {
	v := d.values
	d.values = nil
	return v
}

func TestBook(t *testing.T) {
	store := new(enrich.Memory)
	leased := enrich.Claim{Class: enrich.ClassLeased, Source: "third", Entry: "domain ipxo.com"}
	double := enrich.Claim{Effect: enrich.Multiplies, Factor: 2, Source: "third"}
	var next []enrich.Claim
	var marks dirty
	open := func() (*enrich.Enricher, *enrich.Book) {
		t.Helper()
		book, err := enrich.OpenBook(t.Context(), store, marks.changed)
		if err != nil {
			t.Fatal(err)
		}
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return reports("25", next...) })
		s.about.Fresh, s.about.Stale = 0, 0 // every question is a look-up
		return build(t, func(c *enrich.Config) { c.Store, c.Book = store, book }, s), book
	}
	v := ip("185.241.149.122")
	e, _ := open()
	step := func(name, class string, factor float64, marked bool, claims ...enrich.Claim) {
		t.Helper()
		next = claims
		r := e.One(t.Context(), enrich.Ask{}, v)
		if r.Class.Name != class || r.Class.Factor != factor {
			t.Errorf("%s: %s, factor %v", name, r.Class.Name, r.Class.Factor)
		}
		want := []enrich.Value{v}
		if !marked {
			want = nil
		}
		if d := cmp.Diff(want, marks.take()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	step("nothing said", "unknown", 0, false)
	step("leased", "leased", 0, true, leased)
	step("the same again", "leased", 0, false, leased)
	later := leased
	later.Entry, later.DataDate = "another reason", leased.DataDate.AddDate(1, 0, 0)
	step("for another reason", "leased", 0, false, later)
	step("by many", "leased", 2, true, leased, double)

	// Another process knows it without asking, and tells nobody again.
	e, book := open()
	if got := enrich.Decide(book.Claims(v)...); got.Name != "leased" || got.Factor != 2 || book.Len() != 1 || len(marks.take()) != 0 {
		t.Errorf("after a restart: %+v, %d values", got, book.Len())
	}
	step("no longer leased", "unknown", 0, true)
	if book.Len() != 0 {
		t.Errorf("%d values", book.Len())
	}
	_, book = open()
	if book.Len() != 0 || len(marks.take()) != 0 {
		t.Errorf("after a restart: %d values", book.Len())
	}
}

// A change that could not be passed on is passed on later, also by the next
// process, and never forgotten in between.
func TestBookPassesOnAtLeastOnce(t *testing.T) {
	store := new(enrich.Memory)
	marks := dirty{err: errors.New("the linker's store is closed")}
	book, err := enrich.OpenBook(t.Context(), store, marks.changed)
	if err != nil {
		t.Fatal(err)
	}
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
		return reports("25", enrich.Claim{Class: enrich.ClassLeased, Source: "third"})
	})
	e := build(t, func(c *enrich.Config) { c.Store, c.Book = store, book }, s)
	a, b := ip("185.241.149.122"), ip("185.241.149.123")
	if r := e.One(t.Context(), enrich.Ask{}, a); r.Class.Name != enrich.ClassLeased {
		t.Errorf("%s", r.Class.Name)
	}
	// The answer is kept all the same: nothing is asked twice for it.
	e.One(t.Context(), enrich.Ask{}, a)
	if s.count() != 1 {
		t.Errorf("%d look-ups", s.count())
	}
	if _, err := enrich.OpenBook(t.Context(), store, marks.changed); err == nil {
		t.Error("a book that cannot pass on its changes opens")
	}
	marks = dirty{}
	e.One(t.Context(), enrich.Ask{}, b)
	got := make(map[enrich.Value]bool)
	for _, v := range marks.take() {
		got[v] = true
	}
	if !got[a] || !got[b] {
		t.Errorf("passed on: %v", got)
	}
	if _, err := enrich.OpenBook(t.Context(), store, marks.changed); err != nil || len(marks.take()) != 0 {
		t.Errorf("passed on twice: %v", err)
	}
}

// A crash between the write and the mark: the next process marks.
func TestBookAfterACrash(t *testing.T) {
	store := new(enrich.Memory)
	lost := dirty{err: errors.New("killed")}
	book, err := enrich.OpenBook(t.Context(), store, lost.changed)
	if err != nil {
		t.Fatal(err)
	}
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
		return reports("25", enrich.Claim{Class: enrich.ClassLeased, Source: "third"})
	})
	build(t, func(c *enrich.Config) { c.Store, c.Book = store, book }, s).One(t.Context(), enrich.Ask{}, ip("185.241.149.122"))
	var marks dirty
	book, err = enrich.OpenBook(t.Context(), store, marks.changed)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]enrich.Value{ip("185.241.149.122")}, marks.take()); d != "" {
		t.Error(d)
	}
	if enrich.Decide(book.Claims(ip("185.241.149.122"))...).Name != enrich.ClassLeased {
		t.Error("the class was lost")
	}
}

// A look-up that fails says nothing: the class stays, also when what was kept is
// over.
func TestAFailureLeavesTheClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := reports("25", enrich.Claim{Class: enrich.ClassLeased, Source: "third"})
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return next })
		e := build(t, nil, s)
		e.One(t.Context(), enrich.Ask{}, ip("185.241.149.122"))
		after(t.Context(), 30*24*time.Hour)
		for _, status := range []enrich.Status{enrich.Quota, enrich.Error} {
			next = enrich.Answer{Status: status}
			r := e.One(t.Context(), enrich.Ask{}, ip("185.241.149.122"))
			if got, _ := value(r, enrich.FieldReports); got != "" || r.Class.Name != enrich.ClassLeased || statuses(r)["third"] != status {
				t.Errorf("after %s: %q, %s", status, got, r.Class.Name)
			}
		}
	})
}
