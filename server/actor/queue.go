package actor

// queue is a heap of bonds, the largest key first, of equal ones that of the
// smallest cases. It knows where each bond stands, so that one can be moved or
// taken out and none is ever in it twice.
type queue []int32

// before reports whether bond x stands before y.
func (m *merger) before(x, y int32) bool {
	a, b := &m.bonds[x], &m.bonds[y]
	switch {
	case a.key != b.key:
		return a.key > b.key
	case a.lo != b.lo:
		return a.lo < b.lo
	}
	return a.hi < b.hi
}

// requeue puts a bond where its gain and clusters want it, unless it may stay
// behind a key that is too high.
func (m *merger) requeue(b int32) {
	x := &m.bonds[b]
	switch {
	case x.barred || x.gain <= 0:
		m.unqueue(b)
		return
	case x.at == unqueued:
		x.key, x.at = x.gain, int32(len(m.queue))
		m.queue = append(m.queue, b)
	default:
		x.key = max(x.key, x.gain)
	}
	m.up(int(x.at))
}

// unqueue takes a bond out, if it is in.
func (m *merger) unqueue(b int32) {
	i := int(m.bonds[b].at)
	if i < 0 {
		return
	}
	m.bonds[b].at = unqueued
	last := len(m.queue) - 1
	moved := m.queue[last]
	m.queue = m.queue[:last]
	if i == last {
		return
	}
	m.place(moved, i)
	m.up(i)
	m.down(int(m.bonds[moved].at))
}

func (m *merger) place(b int32, i int) {
	m.queue[i] = b
	m.bonds[b].at = int32(i)
}

func (m *merger) up(i int) {
	b := m.queue[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !m.before(b, m.queue[parent]) {
			break
		}
		m.place(m.queue[parent], i)
		i = parent
	}
	m.place(b, i)
}

func (m *merger) down(i int) {
	b := m.queue[i]
	for {
		child := 2*i + 1
		if child >= len(m.queue) {
			break
		}
		if child+1 < len(m.queue) && m.before(m.queue[child+1], m.queue[child]) {
			child++
		}
		if !m.before(m.queue[child], b) {
			break
		}
		m.place(m.queue[child], i)
		i = child
	}
	m.place(b, i)
}
