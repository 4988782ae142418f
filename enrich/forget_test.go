package enrich_test

import (
	"context"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// TestForget drops what was answered about a value: nothing of it is in the store or
// in the book, what was answered about others is, and it can be asked about again.
func TestForget(t *testing.T) {
	store := new(enrich.Memory)
	book, err := enrich.OpenBook(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
		return reports("1", enrich.Claim{Class: "hosting", Source: "third"})
	})
	e := build(t, func(c *enrich.Config) { c.Store, c.Book = store, book }, s)
	gone, stays := ip("104.161.20.102"), ip("104.161.20.103")
	for _, v := range []enrich.Value{gone, stays} {
		e.One(t.Context(), enrich.Ask{}, v)
	}
	keys := func() (all []string) {
		for item, err := range store.Scan(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, item.Key)
		}
		return all
	}
	before := len(keys())
	if any, err := enrich.KeepsAnswers(t.Context(), store); err != nil || !any || before != 4 || book.Len() != 2 {
		t.Fatalf("before: %q, %d in the book, answers %v, %v", keys(), book.Len(), any, err)
	}
	values := []enrich.Value{gone, ip("104.161.20.99")}
	for range 2 {
		if err := book.Forget(t.Context(), values); err != nil {
			t.Fatal(err)
		}
		if err := enrich.ForgetAnswers(t.Context(), store, s.about.Name, values); err != nil {
			t.Fatal(err)
		}
	}
	if got := keys(); len(got) != 2 || book.Len() != 1 || len(book.Claims(gone)) > 0 || len(book.Claims(stays)) == 0 {
		t.Errorf("after: %q, %d in the book", got, book.Len())
	}
	e.One(t.Context(), enrich.Ask{}, gone)
	e.One(t.Context(), enrich.Ask{}, stays)
	if s.count() != 3 {
		t.Errorf("%d look-ups", s.count())
	}
	if err := enrich.ForgetAnswers(t.Context(), store, s.about.Name, []enrich.Value{gone, stays}); err != nil {
		t.Fatal(err)
	}
	if any, err := enrich.KeepsAnswers(t.Context(), store); err != nil || any {
		t.Errorf("without answers: %v, %v", any, err)
	}
}

// TestWithdraw takes a value back before anybody is asked about it.
func TestWithdraw(t *testing.T) {
	b := enrich.NewBacklog(build(t, nil), 10)
	b.Offer(enrich.Ask{}, ip("104.161.20.102"), 1)
	b.Offer(enrich.Ask{}, ip("104.161.20.103"), 1)
	b.Withdraw([]enrich.Value{ip("104.161.20.103"), ip("104.161.20.104")})
	if b.Len() != 1 {
		t.Errorf("%d values wait", b.Len())
	}
}
