package link

import "math"

// log2Millibits returns log2(x) in millibits, rounded half to even, for finite
// x > 0; 0 for anything else. The error is below .51 millibits, rounding
// included.
func log2Millibits(x float64) int32 {
	if !(x > 0) || math.IsInf(x, 1) {
		return 0
	}
	bits := math.Float64bits(x)
	exponent := int64(bits>>52) - 1023
	if exponent == -1023 {
		// Subnormal: no product of the model's constants comes near.
		return math.MinInt32
	}
	mantissa := bits & (1<<52 - 1)
	i := mantissa >> 44
	fraction := (mantissa >> 12) & (1<<32 - 1)
	q := log2Table[i] + ((log2Table[i+1]-log2Table[i])*fraction)>>32
	return int32(divHalfEven((exponent<<32+int64(q))*1000, 1<<32))
}

// exp2Ratio returns 2^(-num/den) for num >= 0 and den > 0.
func exp2Ratio(num, den int64) float64 {
	whole := num / den
	if whole > 1000 {
		return 0
	}
	q := uint64(num%den) << 32 / uint64(den)
	i := q >> 24
	fraction := q & (1<<24 - 1)
	v := exp2Table[i] - ((exp2Table[i]-exp2Table[i+1])>>8*fraction)>>16
	return math.Ldexp(float64(v), int(-52-whole))
}

// exp2Millibits returns 2^(s/1000).
func exp2Millibits(s int32) float64 {
	if s <= 0 {
		return exp2Ratio(-int64(s), 1000)
	}
	return 1 / exp2Ratio(int64(s), 1000)
}

// divHalfEven returns x/d rounded to the nearest integer, halves to the even
// one; d > 0.
func divHalfEven(x, d int64) int64 {
	q, r := x/d, x%d
	if r < 0 {
		q, r = q-1, r+d
	}
	if 2*r > d || 2*r == d && q&1 == 1 {
		q++
	}
	return q
}

// halved returns x / 2^times, rounded half to even.
func halved(x int32, times int) int32 {
	if times > 31 {
		return 0
	}
	return int32(divHalfEven(int64(x), 1<<times))
}
