package netclass

import "strings"

// fragmentKey is how many leading bytes of a fragment it is found by. Shorter
// fragments are in too many names to say anything, and are not taken.
const fragmentKey = 4

// fragments finds which of many strings is part of a name.
type fragments struct {
	byStart map[string][]string
}

func (f *fragments) add(s string) bool {
	if len(s) < fragmentKey || len(s) > maxName {
		return false
	}
	if f.byStart == nil {
		f.byStart = make(map[string][]string)
	}
	f.byStart[s[:fragmentKey]] = append(f.byStart[s[:fragmentKey]], s)
	return true
}

// in returns the first fragment that is part of the name.
func (f *fragments) in(name string) (string, bool) {
	if len(f.byStart) == 0 {
		return "", false
	}
	for i := 0; i+fragmentKey <= len(name); i++ {
		for _, s := range f.byStart[name[i:i+fragmentKey]] {
			if strings.HasPrefix(name[i:], s) {
				return s, true
			}
		}
	}
	return "", false
}
