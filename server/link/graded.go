package link

import "math"

// Grade is a hit on a list of prefixes that a community keeps: the list says that
// the address is of a class, and the shorter the prefix the less it says.
type Grade struct {
	Class string
	// Share is how fully the hit speaks for the one address, 0 (nothing) to 1.
	Share float64
}

// gradeScale is the grain of a share: prefix lengths give sixteenths and
// thirty-seconds.
const gradeScale = 1 << 20

// GradedAlpha returns the alpha of an address of a class that lists grade: the
// largest of base^(1-g)*list^g over the grades, times factor (0 counts as 1). It
// returns 0, which leaves the model's own, where nothing says otherwise. Classes
// without an alpha, because nothing of them weighs, neither grade nor are graded:
// a list never deletes a link. The error of a graded alpha is below .1 %.
func (m *Model) GradedAlpha(class string, grades []Grade, factor float64) float64 {
	return gradedAlpha(m.addresses, class, grades, factor)
}

// GradedAlphaReferenced is GradedAlpha for an address in no role of the actor.
func (m *Model) GradedAlphaReferenced(class string, grades []Grade, factor float64) float64 {
	return gradedAlpha(m.referenced, class, grades, factor)
}

func gradedAlpha(rows map[string]*row, class string, grades []Grade, factor float64) float64 {
	base := rows[class]
	if base == nil {
		base = rows[ClassUnknown]
	}
	if base.service {
		return 0
	}
	alpha, graded := 0.0, false
	for _, g := range grades {
		list := rows[g.Class]
		share := int64(math.RoundToEven(float64(g.Share * gradeScale)))
		if list == nil || list.service || share <= 0 {
			continue
		}
		share = min(share, gradeScale)
		bits := int64(log2Millibits(base.alpha))*(gradeScale-share) + int64(log2Millibits(list.alpha))*share
		alpha, graded = max(alpha, exp2Millibits(int32(divHalfEven(bits, gradeScale)))), true
	}
	if !graded {
		alpha = base.alpha
	}
	if factor > 0 && factor != 1 {
		return float64(alpha * factor)
	}
	if !graded {
		return 0
	}
	return alpha
}
