package world

import (
	"crypto/sha256"
	"encoding/base32"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Streams of random numbers that have nothing to do with each other.
const (
	streamActors = iota + 1
	streamActor
	streamTenants
	streamMarket
	streamPools
	streamCase
	streamKit
	streamClass
	streamProxy
)

// stream returns the random numbers for one purpose.
func (c Config) stream(purpose, key uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed^purpose*0x9e3779b97f4a7c15, key<<2|uint64(c.Noise)))
}

// pick returns an element.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// chance is true with a probability.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// between returns a number from low to high, both included.
func between(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }

// rank returns a place from 0 to n-1 whose chance falls as one over the place:
// Zipf's law, by the inverse of the continuous distribution.
func rank(r *rand.Rand, n int) int {
	return min(int(math.Pow(float64(n)+1, r.Float64()))-1, n-1)
}

// skewed returns a place from 0 to n-1 whose chance falls as one over the root of
// the place: some are liked more than others, but none rules.
func skewed(r *rand.Rand, n int) int {
	u := r.Float64()
	return min(int(float64(float64(u*u)*float64(n))), n-1)
}

// tail returns a number from 0 to most with a heavy tail: about scale of them are
// equally likely, and the chance of more than x falls with the power of x.
func tail(r *rand.Rand, scale, power float64, most int) int {
	x := scale * (math.Pow(1-r.Float64(), -1/power) - 1)
	return int(min(x, float64(most)))
}

// weighted returns a place by weights.
func weighted(r *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	x := float64(r.Float64() * sum)
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// word returns a pronounceable word of four to eight letters.
func word(r *rand.Rand) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	b := make([]byte, 0, 8)
	for range 2 + r.IntN(3) {
		b = append(b, consonants[r.IntN(len(consonants))], vowels[r.IntN(len(vowels))])
	}
	return string(b)
}

// suffix ends every name: it is reserved, so that none is anybody's (RFC 2606).
const suffix = ".example"

// domain returns a name of which there are enough that two are seldom equal.
func domain(r *rand.Rand) string {
	return word(r) + "-" + word(r) + strconv.Itoa(r.IntN(1000)) + suffix
}

func guid(r *rand.Rand) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 36)
	for i := range b {
		switch i {
		case 8, 13, 18, 23:
			b[i] = '-'
		default:
			b[i] = digits[r.IntN(len(digits))]
		}
	}
	return string(b)
}

// keyed stands for a deployment's keyed hash of private values.
func keyed(k evidence.Kind, normalised string) string {
	sum := sha256.Sum256([]byte(string(k) + "\x00" + normalised))
	return "hmac1:world:" + base32.StdEncoding.EncodeToString(sum[:])[:26]
}
