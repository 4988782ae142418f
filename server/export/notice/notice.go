// Package notice drafts abuse notices, one for each network operator: addresses,
// times and what was done, and nothing about whom it was done to.
//
// It knows the words of such a letter. It must not know where a bundle comes from,
// nor send anything.
package notice

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// MaxAddresses is how many addresses notices are drafted for at once: they are put
// in order of their operators, and so held in memory.
const MaxAddresses = 20_000

// ErrTooMany is returned for a bundle with more addresses.
var ErrTooMany = errors.New("notices are of 20,000 addresses at most; choose a span of time or fewer values")

// line is one address in a notice.
type line struct {
	address     string
	asn         uint32
	first, last time.Time
	note        string
	techniques  []string
}

// Write drafts the notices in order of operators, those unknown last.
func Write(ctx context.Context, w io.Writer, b *export.Bundle, defang bool) error {
	var lines []line
	for item, err := range b.Items {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if item.Value.Kind != evidence.KindIP || !item.Indicator || item.Withdrawn {
			continue
		}
		if len(lines) == MaxAddresses {
			return ErrTooMany
		}
		lines = append(lines, line{item.Value.Text, item.ASN, item.First, item.Last, item.Note, item.Techniques})
	}
	// Operators in order of number; 0 is none and comes last.
	slices.SortStableFunc(lines, func(x, y line) int { return cmp.Compare(x.asn-1, y.asn-1) })
	out := bufio.NewWriterSize(w, 32<<10)
	if len(lines) == 0 {
		fmt.Fprintln(out, "No address in this bundle is somebody's to be told.")
		return out.Flush()
	}
	for from := 0; from < len(lines); {
		to := from
		for to < len(lines) && lines[to].asn == lines[from].asn {
			to++
		}
		if from > 0 {
			fmt.Fprint(out, "\n----------------------------------------------------------------------\n\n")
		}
		letter(out, b, lines[from:to], defang)
		from = to
	}
	return out.Flush()
}

// letter drafts one notice. The writer keeps its first error.
func letter(out *bufio.Writer, b *export.Bundle, lines []line, defang bool) {
	operator := "the operator of this network"
	if asn := lines[0].asn; asn != 0 {
		operator = fmt.Sprintf("the abuse contact of AS%d", asn)
	}
	fmt.Fprintf(out, "DRAFT, %s\nTo: %s\nSubject: Intrusions into mail accounts from %s of your network\n\n",
		strings.ToUpper(b.TLP), operator, amount(len(lines)))
	fmt.Fprint(out, "Hello,\n\nthe following was seen in an investigation of compromised mail accounts.\nAll times are UTC.\n\n")
	techniques := make(map[string]bool)
	for _, l := range lines {
		address := l.address
		if defang {
			address = export.Defang(address)
		}
		fmt.Fprintf(out, "  %-39s  %s  %s\n", address, span(l.first, l.last), l.note)
		for _, t := range l.techniques {
			techniques[t] = true
		}
	}
	var did []string
	for _, t := range b.Techniques {
		if techniques[t.ID] && t.Name != "" {
			did = append(did, t.Name+" ("+t.ID+")")
		}
	}
	if len(did) > 0 {
		fmt.Fprintf(out, "\nWhat was done from there, as ATT&CK calls it:\n  %s\n", strings.Join(did, "\n  "))
	}
	fmt.Fprintf(out, "\nPlease look into it, end the abuse and keep what logs you have of these times.\nWe do not name those affected; questions reach us under the reference below.\n\nReference: %s\n%s\n",
		b.ID, b.Producer.Name)
}

func amount(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}

func span(first, last time.Time) string {
	const form = "2006-01-02 15:04"
	if first.IsZero() {
		return fmt.Sprintf("%-36s", "time unknown")
	}
	return first.Format(form) + " to " + last.Format(form)
}
