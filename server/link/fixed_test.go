package link

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestTables(t *testing.T) {
	for i := range log2Table {
		if want := math.Log2(1+float64(i)/256) * (1 << 32); math.Abs(float64(log2Table[i])-want) > 1 {
			t.Errorf("log2Table[%d] = %d, want %v", i, log2Table[i], want)
		}
		if want := math.Exp2(-float64(i)/256) * (1 << 52); math.Abs(float64(exp2Table[i])-want) > 4 {
			t.Errorf("exp2Table[%d] = %d, want %v", i, exp2Table[i], want)
		}
	}
}

func TestLog2IsWithinHalfAMillibit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := math.Exp2(rapid.Float64Range(-300, 300).Draw(t, "exponent"))
		if got, want := float64(log2Millibits(x)), math.Log2(x)*1000; math.Abs(got-want) > .51 {
			t.Errorf("log2(%v) = %v millibits, want %v", x, got, want)
		}
	})
}

func TestExp2(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num, den := rapid.Int64Range(0, 100_000).Draw(t, "num"), rapid.Int64Range(1, 1000).Draw(t, "den")
		want := math.Exp2(-float64(num) / float64(den))
		if got := exp2Ratio(num, den); math.Abs(got-want) > 3e-6*want+1e-300 {
			t.Errorf("2^-(%d/%d) = %v, want %v", num, den, got, want)
		}
	})
}

func TestHalvesGoToTheEvenNumber(t *testing.T) {
	for _, tc := range []struct {
		x     int32
		times int
		want  int32
	}{{5, 1, 2}, {7, 1, 4}, {-5, 1, -2}, {-7, 1, -4}, {6, 2, 2}, {10, 2, 2}, {11, 2, 3}, {1, 40, 0}, {9, 0, 9}} {
		if got := halved(tc.x, tc.times); got != tc.want {
			t.Errorf("halved(%d, %d) = %d, want %d", tc.x, tc.times, got, tc.want)
		}
	}
}

func TestQuantise(t *testing.T) {
	want := map[uint32]uint32{0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 5, 8: 5, 9: 9, 16: 9, 17: 17, 32: 17, 33: 33, 64: 33, 65: 65, 512: 257}
	for d, q := range want {
		if got := quantise(d); got != q {
			t.Errorf("quantise(%d) = %d, want %d", d, got, q)
		}
	}
	if SameWeight(66, 67) || !SameWeight(68, 69) {
		t.Error("d of a pair changes between 66 and 67 tenants and not between 68 and 69")
	}
}

func TestCorpusN(t *testing.T) {
	for live, want := range map[uint32]uint32{0: 1024, 1024: 1024, 1025: 2048, 2048: 2048, 1_000_000: 1 << 20, 1 << 20: 1 << 20} {
		if got := CorpusN(live); got != want {
			t.Errorf("N of %d cases = %d, want %d", live, got, want)
		}
	}
}
