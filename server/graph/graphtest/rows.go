package graphtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func row(x, y evidence.Ref, n int, shared ...evidence.Value) graph.Row {
	return graph.Row{
		RowKey: graph.Pair(x, y),
		Score: graph.Score{
			Millibits: int32(-10_000 + n), Micros: uint32(n), Tier: uint8(n % 7), SharedCount: uint32(len(shared)), ModelVersion: 1,
		},
		RevisionA: 1, RevisionB: uint32(n), Shared: shared, Verdict: graph.Verdict(n % 3), Held: n%4 == 3,
	}
}

// rowsOfTenant is what Rows should yield, out of all rows.
func rowsOfTenant(all []graph.Row, tenant string) []graph.Row {
	end := func(r graph.Row) (here, there evidence.Ref) {
		if r.A.Tenant == tenant {
			return r.A, r.B
		}
		return r.B, r.A
	}
	var want []graph.Row
	for _, r := range all {
		if r.A.Tenant == tenant || r.B.Tenant == tenant {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(x, y graph.Row) int {
		xh, xt := end(x)
		yh, yt := end(y)
		if c := xh.Compare(yh); c != 0 {
			return c
		}
		return xt.Compare(yt)
	})
	return want
}

func rowsSharing(all []graph.Row, v evidence.Value) []graph.Row {
	var want []graph.Row
	for _, r := range all {
		if slices.Contains(r.Shared, v) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(x, y graph.Row) int {
		if c := x.A.Compare(y.A); c != 0 {
			return c
		}
		return x.B.Compare(y.B)
	})
	return want
}

// compareRows holds Rows, in pages of every size, and RowsOf to all rows.
func (s *store) compareRows(all []graph.Row, tenants []string, values []evidence.Value) {
	s.Helper()
	s.view(func(sn graph.Snapshot) {
		for _, tenant := range tenants {
			want := rowsOfTenant(all, tenant)
			for _, page := range []int{1, 2, 5, everything} {
				var got []graph.Row
				var after graph.RowKey
				for {
					part := collect(s, sn.Rows(tenant, after), page)
					if len(part) == 0 {
						break
					}
					got = append(got, part...)
					after = part[len(part)-1].RowKey
				}
				same(s, fmt.Sprintf("rows of %s in pages of %d", tenant, page), got, want)
			}
		}
		sorted := slices.SortedFunc(slices.Values(all), func(x, y graph.Row) int { return x.RowKey.Compare(y.RowKey) })
		for _, r := range sorted {
			same(s, "row", must[bool](s)(sn.HasRow(r.RowKey)), true)
			none := graph.RowKey{A: r.A, B: evidence.Ref{Tenant: r.B.Tenant, Case: r.B.Case + "0"}}
			same(s, "another row", must[bool](s)(sn.HasRow(none)), slices.ContainsFunc(sorted, func(o graph.Row) bool { return o.RowKey == none }))
		}
		same(s, "all rows", collect(s, sn.RowsAfter(evidence.Ref{}), everything), sorted)
		for i := 0; i < len(sorted); i += 1 + len(sorted)/7 {
			a := sorted[i].A
			want := slices.DeleteFunc(slices.Clone(sorted), func(r graph.Row) bool { return r.A.Compare(a) <= 0 })
			same(s, "rows after "+a.String(), collect(s, sn.RowsAfter(a), everything), want)
		}
		for _, v := range values {
			same(s, "rows that share "+v.Text, collect(s, sn.RowsOf(v), everything), rowsSharing(all, v))
		}
	})
}

func testRows(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	refs := []evidence.Ref{
		ref("a", "1"), ref("a", "1:1"), ref("a", "2"), ref("a-b", "1"), ref("ab", "1"), ref("b", "1"), ref("b", longID(1)),
	}
	long := oddValues()[24]
	values := []evidence.Value{ip(1), ip(2), long, {Kind: "x_own", Text: "v"}}
	var all []graph.Row
	for i, x := range refs {
		for j, y := range refs[i+1:] {
			all = append(all, row(x, y, i*10+j, values[(i+j)%4], values[(i+j+1)%4]))
		}
	}
	all = append(all, row(ref("c", "1"), ref("d", "1"), 1)) // shares nothing
	tenants := []string{"a", "a-b", "ab", "b", "c", "d", "e", ""}
	s.compareRows(nil, tenants, values)
	for i := range all {
		s.relink(graph.RelinkBatch{Put: []graph.Row{all[(i*5)%len(all)]}})
	}
	s.compareRows(all, tenants, values)
	s.view(func(sn graph.Snapshot) {
		// A pair that is gone is a place all the same.
		got := collect(t, sn.Rows("a", graph.RowKey{A: ref("a", "1:0"), B: ref("z", "1")}), everything)
		want := slices.DeleteFunc(rowsOfTenant(all, "a"), func(r graph.Row) bool { return r.A.Case == "1" })
		same(t, "rows after a pair that is not there", got, want)
	})
	wrong := row(ref("a", "1"), ref("b", "1"), 1)
	wrong.A, wrong.B = wrong.B, wrong.A
	if err := s.Relink(t.Context(), graph.RelinkBatch{Put: []graph.Row{wrong}}); err == nil {
		t.Error("a row with its ends in the wrong order is stored")
	}
	s.compareRows(all, tenants, values)
}

func testRowsChange(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	x, y, z := ref("a", "1"), ref("b", "1"), ref("c", "1")
	tenants, values := []string{"a", "b", "c"}, []evidence.Value{ip(1), ip(2), ip(3)}
	s.relink(graph.RelinkBatch{Put: []graph.Row{row(x, y, 1, ip(1), ip(2)), row(x, z, 1, ip(1))}})
	s.relink(graph.RelinkBatch{Put: []graph.Row{row(x, y, 2, ip(2), ip(3))}})
	s.compareRows([]graph.Row{row(x, y, 2, ip(2), ip(3)), row(x, z, 1, ip(1))}, tenants, values)
	s.relink(graph.RelinkBatch{Put: []graph.Row{row(x, y, 2, ip(2), ip(3))}})
	s.compareRows([]graph.Row{row(x, y, 2, ip(2), ip(3)), row(x, z, 1, ip(1))}, tenants, values)

	// One change: a row goes, one comes, a mark is taken away.
	s.submit(holding("d", "1", ip(1)), holding("a", "1", ip(1)))
	marks, err := s.Dirty(t.Context(), 1)
	if err != nil || len(marks) != 1 {
		t.Fatal(marks, err)
	}
	s.relink(graph.RelinkBatch{
		Put: []graph.Row{row(y, z, 3, ip(3))}, Remove: []graph.RowKey{graph.Pair(x, y), graph.Pair(x, ref("no", "such"))}, Done: marks,
	})
	s.compareRows([]graph.Row{row(y, z, 3, ip(3)), row(x, z, 1, ip(1))}, tenants, values)
	s.expectMarks(nil)

	// Rows outlive the case until the linker takes them away.
	s.remove(x)
	s.compareRows([]graph.Row{row(y, z, 3, ip(3)), row(x, z, 1, ip(1))}, tenants, values)

	// Many rows with many values are one change all the same.
	var all []graph.Row
	var remove []graph.RowKey
	var many []evidence.Value
	for i := range 500 {
		many = append(many, ip(1000+i))
	}
	slices.SortFunc(many, evidence.Value.Compare)
	for i := range 60 {
		all = append(all, row(ref("a", fmt.Sprint(i)), ref("b", fmt.Sprint(i)), i, many...))
		remove = append(remove, all[i].RowKey)
	}
	count := func(v evidence.Value, want int) {
		t.Helper()
		s.view(func(sn graph.Snapshot) {
			if got := len(collect(t, sn.RowsOf(v), everything)); got != want {
				t.Errorf("%d rows that share %s, not %d", got, v.Text, want)
			}
		})
	}
	s.relink(graph.RelinkBatch{Put: all, Remove: []graph.RowKey{graph.Pair(y, z), graph.Pair(x, z)}})
	count(many[0], len(all))
	count(many[499], len(all))
	s.view(func(sn graph.Snapshot) {
		same(t, "rows", collect(t, sn.Rows("b", graph.RowKey{}), 3), rowsOfTenant(all, "b")[:3])
	})
	s.relink(graph.RelinkBatch{Remove: remove})
	s.compareRows(nil, tenants, many[:2])
}
