package link

import "math"

// calibration turns a score into the log2 odds that the likelihood states: scale
// times the score plus shift. It is monotone, so ranks do not change, and scale 1
// with shift 0 is the score itself.
type calibration struct {
	scale float64
	shift int32 // millibits
	// reviews is the number of reviewed pairs that it was fitted on; 0 is none, and
	// the likelihood says that it is not calibrated.
	reviews uint32
}

// maxOdds bounds what a likelihood is computed from, in millibits.
const maxOdds = 1 << 20

// apply returns the calibrated log2 odds in millibits, rounded half to even.
func (c calibration) apply(total int32) int32 {
	odds := math.RoundToEven(float64(c.scale*float64(total))) + float64(c.shift)
	return int32(max(-maxOdds, min(odds, maxOdds)))
}

// CalibratedOn returns the number of reviewed pairs that the likelihood was
// calibrated on, 0 where it was not.
func (m *Model) CalibratedOn() uint32 { return m.calibration.reviews }
