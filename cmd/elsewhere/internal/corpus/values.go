package corpus

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// value is what stands in an observable.
type value struct{ kind, text, role string }

func (v value) key() string { return v.kind + " " + v.text }

// Sizes and shapes of what cases have in common by chance.
const (
	// exits are about how many addresses of VPN services and shared hosting are
	// equally common; behind them the tail has no end.
	exits        = 300
	exitPower    = .8
	m365Hosts    = 256
	userAgents   = 400
	applications = 60
	networks     = 3_000
	poolExponent = 1
)

// common returns a value that has nothing to do with who is behind the case.
func (w *writer) common() (at int, v value) {
	switch u := w.r.IntN(100); {
	case u < 36:
		return signIn, value{"ip", w.pooled(poolExit, lomax(w.r, exits, exitPower), address), "login_source"}
	case u < 60:
		n := zipf(w.r, m365Hosts, poolExponent)
		return read, value{"ip", fmt.Sprintf("40.107.%d.%d", n/16, n%16*13+1), "referenced"}
	case u < 76:
		n := zipf(w.r, userAgents, poolExponent)
		return signIn, value{"user_agent", fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/%d.0.%d.0 Safari/537.36", 70+n%60, n), ""}
	case u < 88:
		names := ruleNames()
		return rule, value{"rule_name", names[zipf(w.r, len(names), poolExponent)], "created"}
	case u < 96:
		return read, value{"app_id", w.pooled(poolApplication, zipf(w.r, applications, poolExponent), guid), ""}
	default:
		return signIn, value{"asn", fmt.Sprintf("AS%d", 1_000+zipf(w.r, networks, poolExponent)), ""}
	}
}

// Pools of common values.
const (
	poolExit = iota
	poolApplication
)

// pooled returns member n of a pool.
func (w *writer) pooled(pool uint64, n int, form func(*rand.Rand) string) string {
	return form(w.stream(streamPool, pool<<56|uint64(n)))
}

// ruleNames are names that many rules have, the most usual first.
func ruleNames() []string {
	return []string{
		".", "Spam", "..", "rule", "Inbox", "Junk", ",", "move", "1", "RSS Feeds", "delete", "...", "archive", "a", "test",
		"New rule", "Invoices", "forward", "x", "Block Spam", "Phishing filter", "News", "Security alert", "Bank", "Payment",
	}
}

// Drift of a campaign's infrastructure: it has slotsHeld places at a time and
// moves on by slotsPerCampaign until the next.
const (
	slotsHeld        = 8
	slotsPerCampaign = 4
)

// infrastructure returns what the actor uses at this time, and others of the
// actor's cases around it have too.
func (w *writer) infrastructure() (at int, v value) {
	slot := w.campaign.n*slotsPerCampaign + w.campaign.moved + w.r.IntN(slotsHeld)
	r := w.stream(streamInfrastructure, w.campaign.actor<<24|uint64(slot))
	switch u := r.IntN(100); {
	case u < 55:
		return signIn, value{"ip", address(r), "login_source"}
	case u < 65:
		return phish, value{"domain", domain(r), "sending_infrastructure"}
	case u < 78:
		return phish, value{"hostname", "mail." + domain(r), "sending_infrastructure"}
	case u < 86:
		return rule, value{"forward_to", word(r) + "@" + domain(r), "forward_target"}
	case u < 94:
		return rule, value{"rule_name", word(r) + " " + word(r) + " " + word(r), "created"}
	case u < 97:
		return newAccount, value{"account_pattern", word(r) + "-<digits>", "created"}
	default:
		return allow, value{"spoof_pair", domain(r) + ">" + domain(r), "allow_listed"}
	}
}

// own returns a value that is in this case only, but for chance.
func (w *writer) own() (at int, v value) {
	r := w.r
	switch u := r.IntN(100); {
	case u < 22:
		return signIn, value{"ip", address(r), "login_source"}
	case u < 42:
		return signIn, value{"ip", address6(r), "login_source"}
	case u < 54:
		return read, value{"session", guid(r), ""}
	case u < 66:
		return change, value{"account", fmt.Sprintf("%s.%x@customer.example", word(r), r.Uint64()), ""}
	case u < 78:
		return phish, value{"url", fmt.Sprintf("https://%s/%x", domain(r), r.Uint32()), ""}
	case u < 92:
		return phish, value{"email", fmt.Sprintf("%s.%x@%s", word(r), r.Uint32(), domain(r)), ""}
	case u < 96:
		return phish, value{"file_hash", fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()), ""}
	default:
		return hide, value{"x_message_id", fmt.Sprintf("%016x", r.Uint64()), ""}
	}
}

// address returns an IPv4 address outside reserved space and outside the ranges
// of Microsoft 365.
func address(r *rand.Rand) string {
	// From 60 blocks of 2²⁴ in which neither lies.
	var b [4]byte
	n := r.Uint32()
	b[0] = 41 + byte(n>>24)%10
	if n&1 == 0 {
		b[0] = 60 + byte(n>>24)%36
	} else if n&2 == 0 {
		b[0] = 176 + byte(n>>24)%14
	}
	b[1], b[2], b[3] = byte(n>>16), byte(n>>8), byte(r.Uint32())
	return netip.AddrFrom4(b).String()
}

func address6(r *rand.Rand) string {
	var b [16]byte
	b[0], b[1], b[2] = 0x2a, 0x02, byte(r.Uint32())
	for i := 3; i < len(b); i++ {
		b[i] = byte(r.Uint32())
	}
	return netip.AddrFrom16(b).String()
}

func guid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&(1<<48-1))
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

// domain returns a name of which there are enough that two are seldom equal.
func domain(r *rand.Rand) string {
	return fmt.Sprintf("%s-%s%d.example", word(r), word(r), r.IntN(100_000))
}
