package link

import "github.com/elsewhere-project/elsewhere/server/evidence"

// alike are the constants of evidence that is alike but not equal, and of what two
// cases should share and do not. Its zero value is that of version 1: none counts.
type alike struct {
	// names says that names of mail rules are compared word by word and letter by
	// letter where they are not equal.
	names bool
	// sameWords and sameLetters are what such a match weighs of an exact one;
	// letters is the share of common trigrams from which names match.
	sameWords, sameLetters, letters float64
	// content is the share of common keywords from which rules match; 0: never.
	content float64
	// network, as and domain are the rows of different addresses of one network and
	// of one autonomous system, and of different names under one domain. One with m 0
	// is off.
	network, as, domain row
	// logins is how many addresses of the actor both sides need for it to say
	// something that none is shared.
	logins int
	// noLogin and noContent are what that says, and that no content of mail rules is
	// alike where both sides have some; millibits, 0 or below.
	noLogin, noContent int32
}

// Version2 returns model version 2: version 1 with evidence that is alike but not
// equal, and with negative evidence. Origin of every number: elicited (SCORING.md
// A2, A4, A11); the numbers of version 1 stay as they are.
//
// Addresses of one autonomous system are off: no store counts the cases of a system,
// so that 3 bits went to customers of every large one, and two thirds more pairs than
// before were leads on made-up cases of 300 systems.
func Version2() *Model {
	m := Version1()
	m.version, m.base = 2, 2
	m.kinds[evidence.KindRuleWords] = &row{family: Tooling, m: .30, alpha: .3, halfLife: 365, length: 4}
	m.alike = alike{
		names: true, sameWords: .8, sameLetters: .5, letters: .7,
		content: .6,
		network: row{family: Infra, m: .30, alpha: 1, halfLife: 90, cap: 3000, length: 8},
		as:      row{family: Infra, alpha: 1, halfLife: 180, cap: 3000, length: 8},
		domain:  row{family: Infra, m: .20, alpha: 3, halfLife: 730, cap: 4000, length: 32},
		logins:  3, noLogin: -500, noContent: -500,
	}
	// Who lists what others have seen brings addresses by the hundred and names by
	// the dozen: the dozen is no better than the hundred.
	m.listed = map[evidence.Kind]bool{
		evidence.KindIP: true, evidence.KindCIDR: true, evidence.KindASN: true, evidence.KindDomain: true,
		evidence.KindHostname: true, evidence.KindURL: true, evidence.KindFileHash: true,
	}
	m.agents = agents{library: .05, browser: .01}
	m.nameRows()
	m.alike.network.name, m.alike.as.name, m.alike.domain.name = "near.network", "near.autonomous_system", "near.domain"
	return m
}

// alike adds the constants that version 1 does not have.
func (b *book) alike(m *Model) {
	if m.base < 2 {
		return
	}
	a := &m.alike
	b.row(&a.network)
	b.row(&a.as)
	for i := range b.all {
		if c := &b.all[i]; c.Name == a.as.name+".m" {
			c.Min = 0 // off
		}
	}
	b.row(&a.domain)
	add(b, "alike.names.same_words", unitFactor, &a.sameWords, 0, 1)
	add(b, "alike.names.same_letters", unitFactor, &a.sameLetters, 0, 1)
	add(b, "alike.names.letters", unitShare, &a.letters, .5, 1)
	add(b, "alike.content.keywords", unitShare, &a.content, .5, 1)
	add(b, "negative.login.values", unitValues, &a.logins, 1, 64)
	add(b, "negative.login", unitMillibits, &a.noLogin, -8000, 0)
	add(b, "negative.content", unitMillibits, &a.noContent, -8000, 0)
	add(b, "user_agent.library.background", unitShare, &m.agents.library, 0, 1)
	add(b, "user_agent.browser.background", unitShare, &m.agents.browser, 0, 1)
}
