package corpus

import (
	"math"
	"math/rand/v2"
)

// zipf returns a rank from 0 to n-1 whose chance falls with its power: the
// inverse of the continuous distribution, which needs no table.
func zipf(r *rand.Rand, n int, exponent float64) int {
	u := r.Float64()
	var x float64
	if exponent == 1 {
		x = math.Pow(float64(n)+1, u)
	} else {
		e := 1 - exponent
		x = math.Pow(1+float64(u*(math.Pow(float64(n)+1, e)-1)), 1/e)
	}
	return min(max(int(x)-1, 0), n-1)
}

// lomax returns a rank from 0 without an end: about scale of them are equally
// common, and the chance of a rank above x falls with the power of x. So some
// ranks are drawn over and over, and most that are drawn are drawn once.
func lomax(r *rand.Rand, scale, power float64) int {
	const most = 1 << 40
	x := scale * (math.Pow(1-r.Float64(), -1/power) - 1)
	return int(min(x, most))
}

// pick returns an element.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
