package eval

import (
	"math"
	"slices"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// prepared is a set in numbers: what every method starts from.
type prepared struct {
	set  *set.Set
	name string
	// refs and number go from case numbers to cases and back.
	refs   []evidence.Ref
	number map[evidence.Ref]int32
	truth  measure.Truth
	// values are all values in order, of those of a case, ascending, by number.
	values []evidence.Value
	of     [][]int32
	df     []int32 // cases on a value
	// sharing are the pairs of two tenants with a value in common.
	sharing []measure.Couple
	ground  *measure.Ground
}

func prepare(name string, s *set.Set) (*prepared, error) {
	d := &prepared{
		set: s, name: name, number: make(map[evidence.Ref]int32, len(s.Cases)), of: make([][]int32, len(s.Cases)),
	}
	labels, tenants := make(map[string]int32), make(map[string]int32)
	profiles := make([]*evidence.Profile, len(s.Cases))
	seen := make(map[evidence.Value]bool)
	for i, c := range s.Cases {
		d.refs = append(d.refs, c.Ref)
		d.number[c.Ref] = int32(i)
		d.truth.Labels = append(d.truth.Labels, numbered(labels, s.Labels[i]))
		d.truth.Tenants = append(d.truth.Tenants, numbered(tenants, c.Tenant))
		profiles[i] = c.Profile()
		for k := range profiles[i].Sightings {
			if v := profiles[i].Sightings[k].Value; !seen[v] {
				seen[v] = true
				d.values = append(d.values, v)
			}
		}
	}
	slices.SortFunc(d.values, evidence.Value.Compare)
	number := make(map[evidence.Value]int32, len(d.values))
	for i, v := range d.values {
		number[v] = int32(i)
	}
	d.df = make([]int32, len(d.values))
	on := make([][]int32, len(d.values))
	for i, p := range profiles {
		// Sightings are in order of Value, and so are the numbers.
		for k := range p.Sightings {
			v := number[p.Sightings[k].Value]
			d.of[i] = append(d.of[i], v)
			d.df[v]++
			on[v] = append(on[v], int32(i))
		}
	}
	d.share(on)
	var err error
	d.ground, err = measure.NewGround(d.truth, d.sharing)
	return d, err
}

// numbered returns the number of a name, a new one for a new name.
func numbered(names map[string]int32, name string) int32 {
	n, ok := names[name]
	if !ok {
		n = int32(len(names))
		names[name] = n
	}
	return n
}

// share finds the pairs with a value in common, case by case.
func (d *prepared) share(on [][]int32) {
	tenants := d.truth.Tenants
	// met is, by case, the last one that it was paired with.
	met := make([]int32, len(d.of))
	for i := range met {
		met[i] = -1
	}
	for i, values := range d.of {
		var with []int32
		for _, v := range values {
			at, _ := slices.BinarySearch(on[v], int32(i)+1)
			for _, j := range on[v][at:] {
				if met[j] != int32(i) && tenants[j] != tenants[i] {
					met[j] = int32(i)
					with = append(with, j)
				}
			}
		}
		slices.Sort(with)
		for _, j := range with {
			d.sharing = append(d.sharing, measure.Couple{I: int32(i), J: j})
		}
	}
}

// same reports whether a pair is of one label.
func (d *prepared) same(i, j int32) bool { return d.truth.Labels[i] == d.truth.Labels[j] }

// idf returns, by value, the natural logarithm of cases over cases that have it.
func (d *prepared) idf() []float64 {
	out := make([]float64, len(d.values))
	for v, n := range d.df {
		out[v] = math.Log(float64(len(d.of)) / float64(n))
	}
	return out
}

// listed says which values a list knows, or are of a class that says nothing.
func (d *prepared) listed(classes link.Classifier) []bool {
	out := make([]bool, len(d.values))
	for i, v := range d.values {
		c := classes.Class(v)
		out[i] = len(c.Reasons) > 0 || c.Alpha > 0 || !onlyNetwork(c.Name)
	}
	return out
}

// onlyNetwork reports whether a class says no more than whose network it is.
func onlyNetwork(class string) bool {
	switch class {
	case "", link.ClassUnknown, link.ClassHosting, link.ClassLeased, link.ClassResidentialStatic,
		link.ClassResidentialDynamic, link.ClassBusiness, link.ClassEducation, link.ClassGovernment:
		return true
	}
	return false
}
