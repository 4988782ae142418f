package measure

// Draw returns how often draw k takes each label, by label in the order of their
// first cases. Tests work out the same measures from it by their definitions.
func (r *Resamples) Draw(k int) []int32 {
	drawn := make([]int32, len(r.ground.once))
	r.draw(k, drawn)
	return drawn
}
