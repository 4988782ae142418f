package link

import (
	"strings"
	"sync"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// naming is what a spelling of a mail-rule name says by its words.
type naming struct {
	// words is the number of words, at most 3, of a name that consists of words
	// of the security lexicon only; else 0.
	words uint8
	// themed says that one of the words is of the lexicon.
	themed bool
}

func (m *Model) naming(name string) naming {
	if n, ok := m.namings.get(name); ok {
		return n
	}
	words := evidence.RuleWords(name)
	n := naming{words: uint8(min(len(words), len(m.lexiconOnly)))}
	for _, w := range words {
		if m.lexicon[w] {
			n.themed = true
		} else {
			n.words = 0
		}
	}
	// Or all that the name was read from stays.
	m.namings.put(strings.Clone(name), n)
	return n
}

// wordsShare returns the background share of a name of that many words of the
// lexicon, 0 for 0.
func (m *Model) wordsShare(words uint8) float64 {
	if words == 0 {
		return 0
	}
	return m.lexiconOnly[words-1]
}

// spellings returns how ordinary the most ordinary spelling of a mail-rule name
// is (see sight), and whether one has a word of the security lexicon.
func (m *Model) spellings(sg *evidence.Sighting) (words uint8, themed bool) {
	themed = m.naming(sg.Text).themed
	for _, name := range sg.Written {
		n := m.naming(name)
		themed = themed || n.themed
		if n.words > 0 && (words == 0 || n.words < words) {
			words = n.words
		}
	}
	return words, themed
}

// maxNamings bounds the spellings that a model remembers, about 8 MB.
const maxNamings = 1 << 16

// namings remembers what names say: finding their words costs more than all
// else about them, and the same names come again and again.
type namings struct {
	mu    sync.RWMutex
	known map[string]naming
}

func (c *namings) get(name string) (naming, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, ok := c.known[name]
	return n, ok
}

func (c *namings) put(name string, n naming) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxNamings {
		c.known = make(map[string]naming)
	}
	c.known[name] = n
}
