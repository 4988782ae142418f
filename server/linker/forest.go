package linker

// trees are sets of numbers that are joined: of each number another of its set, or
// itself.
type trees []int32

// forest returns that many sets of one number each.
func forest(n int) trees {
	t := make(trees, n)
	for i := range t {
		t[i] = int32(i)
	}
	return t
}

// top returns the number that stands for the set of another.
func (t trees) top(i int32) int32 {
	for t[i] != i {
		t[i] = t[t[i]]
		i = t[i]
	}
	return i
}

func (t trees) join(a, b int32) {
	a, b = t.top(a), t.top(b)
	t[max(a, b)] = min(a, b)
}

// count returns how many sets there are.
func (t trees) count() (n int) {
	for i := range t {
		if t[i] == int32(i) {
			n++
		}
	}
	return n
}

// stands is top for many goroutines, which joins nothing meanwhile.
func (t trees) stands(i int32) int32 {
	for t[i] != i {
		i = t[i]
	}
	return i
}
