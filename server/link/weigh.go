package link

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// noDateGap is the gap assumed, in days, where a side has no date.
const noDateGap = 90

// weigh returns the weight in millibits of one common value (SCORING.md A2):
// how much likelier the coincidence is if one actor is behind both cases. d is
// quantised already, share is the measured background, na and nb are the
// numbers of values of the kind in either case.
func weigh(r *row, alpha, share, trust float64, d, n uint32, na, nb int, gap int64) int32 {
	if r.service {
		return 0
	}
	u := float64(float64(float64(d)+alpha) / float64(n))
	u = max(u, share)
	for _, values := range [2]int{na, nb} {
		u = float64(u * max(1, float64(float64(values)/r.length)))
	}
	u = min(1, u)
	if !(u > 0) {
		return 0
	}
	lr := float64(r.m / u)
	lr = float64(1 + float64(float64(lr-1)*exp2Ratio(gap, r.halfLife)))
	lr = float64(1 + float64(trust*float64(lr-1)))
	if lr <= 1 {
		return 0
	}
	w := log2Millibits(lr)
	if r.cap > 0 {
		w = min(w, r.cap)
	}
	return max(w, 0)
}

// quantise rounds a number of tenants down to 0, 1, 2, 3, 5, 9, 17, ..., so that
// the pairs on a value change their score a few times in its life.
func quantise(d uint32) uint32 {
	if d <= 3 {
		return d
	}
	q := uint32(3)
	for q*2-1 <= d {
		q = q*2 - 1
	}
	return q
}

func utcDay(t time.Time) int64 {
	s := t.Unix()
	if s < 0 {
		s -= 86399
	}
	return s / 86400
}

// actorRole reports whether an address in one of the roles was the actor's to
// use, so that its class decides its weight.
func actorRole(roles []string) bool {
	for _, r := range roles {
		switch r {
		case evidence.RoleLoginSource, evidence.RoleAllowListed, evidence.RoleSendingInfrastructure:
			return true
		}
	}
	return false
}

// weightless reports whether a value says nothing whatever its roles.
func (m *Model) weightless(v evidence.Value, class Class) bool {
	switch v.Kind {
	case evidence.KindRuleTokens:
		return !m.alike.names
	case evidence.KindRuleBand:
		return m.alike.content == 0
	case evidence.KindRuleWords:
		if !m.carries(v.Kind) {
			return true
		}
		_, telling := evidence.ReadRuleContent(v.Text)
		return !telling
	case evidence.KindIP, evidence.KindCIDR:
		return m.address(class).service
	case evidence.KindDomain, evidence.KindHostname:
		return m.service(class)
	case evidence.KindForwardTo:
		return !strings.Contains(v.Text, "@") && m.service(class)
	case evidence.KindEmail, evidence.KindAppID, evidence.KindFileHash:
		// A mailbox at a mail provider is somebody's, one of a service is not.
		return class.Name == ClassService || class.Name == ClassM365Service
	case evidence.KindURL:
		return class.Name == ClassBogon
	case evidence.KindRuleName:
		return evidence.IsPlaceholder(v.Text)
	}
	return !m.carries(v.Kind)
}

// carries reports whether values of a kind can carry weight.
func (m *Model) carries(k evidence.Kind) bool {
	switch k {
	case evidence.KindIP, evidence.KindDomain, evidence.KindHostname:
		return true
	}
	_, ok := m.kinds[k]
	return ok
}

// onService reports whether a URL lies on a host that everybody uses: then its
// path may be somebody's, but nothing follows from it alone.
func (m *Model) onService(v evidence.Value, class Class) bool {
	return v.Kind == evidence.KindURL && m.service(class)
}

// mute reports whether a value proposes no pair, however few have it.
func (m *Model) mute(v evidence.Value, class Class) bool {
	return class.Name == ClassTopDomain || m.onService(v, class) || m.weightless(v, class)
}

// weak reports whether a value is of a nature that cannot explain a third case:
// everybody's, capped, or a name of a mail rule that many use.
func (m *Model) weak(v evidence.Value, class Class) bool {
	if m.weightless(v, class) || m.onService(v, class) || v.Kind.Derived() {
		return true
	}
	switch v.Kind {
	case evidence.KindIP:
		return m.address(class).cap > 0
	case evidence.KindDomain, evidence.KindHostname:
		r := m.names[class.Name]
		return r != nil && r.cap > 0
	case evidence.KindRuleName:
		return m.ruleShare(v.Text) > 0
	case evidence.KindUserAgent:
		if m.agentShare(v.Text) > 0 {
			return true
		}
	}
	r := m.kinds[v.Kind]
	return r != nil && r.cap > 0
}

func (m *Model) address(class Class) *row {
	if r, ok := m.addresses[class.Name]; ok {
		return r
	}
	return m.addresses[ClassUnknown]
}

// rows returns the rows that may weigh a value seen in these roles; the heaviest
// counts, and nil rows do not. None means the value carries no weight.
func (m *Model) rows(v *value, x, y roleSet) [2]*row {
	if v.weightless {
		return [2]*row{}
	}
	onlySpoofed := (x|y)&roleOnlySpoofed != 0
	switch v.Kind {
	case evidence.KindIP:
		if (x|y)&roleActor == 0 {
			if r, ok := m.referenced[v.class.Name]; ok {
				return [2]*row{r}
			}
			return [2]*row{m.referenced[ClassUnknown]}
		}
		return [2]*row{m.address(*v.class)}
	case evidence.KindDomain, evidence.KindHostname:
		// A name that one side only saw spoofed is a victim or a brand there,
		// whatever the other side thinks of it.
		if onlySpoofed {
			return [2]*row{&m.spoofedName}
		}
		if r, ok := m.names[v.class.Name]; ok {
			return [2]*row{r}
		}
		var rows [2]*row
		if (x|y)&roleSending != 0 {
			rows[0] = &m.sendingName
		}
		if (x|y)&roleOther != 0 {
			rows[1] = &m.otherName
		}
		return rows
	case evidence.KindForwardTo:
		if !strings.Contains(v.Text, "@") {
			return [2]*row{&m.forwardDomain}
		}
	case evidence.KindEmail:
		if onlySpoofed {
			return [2]*row{&m.spoofedName}
		}
	case evidence.KindURL:
		if m.onService(v.Value, *v.class) {
			return [2]*row{m.names[ClassTopDomain]}
		}
	case evidence.KindSpoofPair:
		// A shared mail provider as the sender leaves only the spoofed name.
		if m.service(*v.class) {
			return [2]*row{&m.spoofedPair}
		}
	}
	return [2]*row{m.kinds[v.Kind]}
}

// service reports whether names of a class are everybody's.
func (m *Model) service(class Class) bool {
	r := m.names[class.Name]
	return r != nil && r.service
}

// group returns the key under which values are not independent of each other.
func (m *Model) group(v evidence.Value, class Class) string {
	switch v.Kind {
	case evidence.KindIP:
		if m.address(class).cap > 0 && class.ASN != 0 {
			return asnGroup(class.ASN)
		}
		return networkGroup(v.Text)
	case evidence.KindCIDR:
		return networkGroup(v.Text)
	case evidence.KindDomain, evidence.KindHostname:
		return evidence.RegistrableDomain(v.Text)
	case evidence.KindURL:
		return hostGroup(urlHost(v.Text))
	case evidence.KindEmail, evidence.KindForwardTo:
		// Strangers share the domain of a mail provider.
		_, domain, isAddress := strings.Cut(v.Text, "@")
		if !isAddress {
			return evidence.RegistrableDomain(v.Text)
		}
		if m.service(class) {
			return v.Text
		}
		return evidence.RegistrableDomain(domain)
	case evidence.KindSpoofPair:
		_, sender, _ := strings.Cut(v.Text, ">")
		return hostGroup(sender)
	case evidence.KindRuleName, evidence.KindRuleWords:
		return rulesGroup
	case evidence.KindASN:
		return v.Text
	case evidence.KindRuleTokens, evidence.KindRuleBand:
		return rulesGroup
	case evidence.KindUserAgent, evidence.KindAppID, evidence.KindAccountPattern,
		evidence.KindJA4, evidence.KindPortProfile:
		return string(v.Kind)
	}
	return string(v.Kind) + " " + v.Text
}

func asnGroup(asn uint32) string { return "AS" + strconv.FormatUint(uint64(asn), 10) }

// rulesGroup holds all evidence from mail rules.
const rulesGroup = "mail rules"

func hostGroup(host string) string {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return networkGroup(host)
	}
	if _, err := netip.ParsePrefix(host); err == nil {
		return networkGroup(host)
	}
	return evidence.RegistrableDomain(host)
}

func urlHost(u string) string {
	_, rest, _ := strings.Cut(u, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if strings.HasPrefix(rest, "[") {
		if i := strings.IndexByte(rest, ']'); i >= 0 {
			return rest[1:i]
		}
	}
	host, _, _ := strings.Cut(rest, ":")
	return host
}

// networkGroup returns the /24 (IPv4) or /48 (IPv6) of an address or prefix, and
// a wider prefix itself.
func networkGroup(s string) string {
	if p, err := netip.ParsePrefix(s); err == nil {
		if limit := networkBits(p.Addr()); p.Bits() > limit {
			p = netip.PrefixFrom(p.Addr(), limit).Masked()
		}
		return p.String()
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return netip.PrefixFrom(a, networkBits(a)).Masked().String()
}

func networkBits(a netip.Addr) int {
	if a.Is4() {
		return 24
	}
	return 48
}

// ruleShare returns the background share of a normalised rule name: how many
// unrelated cases have it. It looks at the name and at what is left of it
// without redactions, and takes the most common reading; a spelling may be more
// common still (wordsShare).
func (m *Model) ruleShare(normalised string) float64 {
	f := m.plainShare(normalised)
	if rest := evidence.WithoutPlaceholders(normalised); rest != normalised {
		f = max(f, m.plainShare(rest))
	}
	return f
}

func (m *Model) plainShare(name string) float64 {
	if f, ok := m.ruleNames[name]; ok {
		return f
	}
	if utf8.RuneCountInString(name) <= 2 || !strings.ContainsFunc(name, isWordRune) {
		return m.shortName
	}
	return m.wordsShare(m.naming(name).words)
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// SameWeight reports whether a value in x tenants weighs the same in y tenants,
// for any pair that has it, where nothing on it is explained.
func SameWeight(x, y uint32) bool {
	for own := uint32(1); own <= 2; own++ {
		if quantise(x-min(own, x)) != quantise(y-min(own, y)) {
			return false
		}
	}
	return true
}

// Generic returns why a value in that many tenants can never carry a link, ""
// if it can.
func (m *Model) Generic(v evidence.Value, class Class, tenants, scoringTenants int) string {
	switch {
	case v.Kind == evidence.KindRuleName && evidence.IsPlaceholder(v.Text):
		return "a redacted name matches nothing"
	case m.weightless(v, class) && class.Name != "" && class.Name != ClassUnknown:
		return "everybody's: " + strings.ReplaceAll(class.Name, "_", " ")
	case tenants > scoringTenants:
		return "seen in more than " + strconv.Itoa(scoringTenants) + " tenants"
	case v.Kind == evidence.KindRuleName && m.ruleShare(v.Text) >= m.shortName:
		return "a name of mail rules that many use"
	}
	return ""
}
