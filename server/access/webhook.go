package access

import (
	"crypto/hkdf"
	"crypto/sha256"
	"slices"
	"strconv"
)

// hookPrefix begins the secrets of webhooks.
const hookPrefix = "whs_"

// WebhookSecret is what a webhook signs with: derived from the 256-bit secret of the
// deployment, so that it stands in no store and no backup.
func WebhookSecret(deployment []byte, id string) (Secret, error) {
	key, err := hkdf.Key(sha256.New, deployment, nil, "elsewhere webhook "+id, secretBytes)
	if err != nil {
		return Secret{}, err
	}
	text := hookPrefix + alphabet().EncodeToString(key)
	return Secret{func() string { return text }}, nil
}

// NewWebhookID returns a random id.
func NewWebhookID() string { return "wh_" + newID() }

// Webhook is the viewer of a webhook: an analyst of some tenants, or of all. Tenants
// are sorted.
func (r *Rules) Webhook(id string, tenants []string, all bool) Viewer {
	return Viewer{name: "webhook " + id, role: RoleAnalyst, all: all, tenants: tenants, rules: r}
}

// CheckScope returns the ids of tenants that are named by id or alias, sorted, or what
// is wrong: either there are some, or all is set.
func (t *Tenants) CheckScope(path string, names []string, all bool) ([]string, error) {
	switch {
	case (len(names) == 0) != all:
		return nil, fault(path, "REQUIRED", "either tenants or all_tenants is needed")
	case len(names) > maxKeyTenants:
		return nil, fault(path, "TOO_MANY", "at most 1,000; all_tenants means every one")
	}
	ids := make([]string, len(names))
	for i, name := range names {
		r, ok := t.Get(name)
		if !ok {
			return nil, fault(path+"["+strconv.Itoa(i)+"]", "UNKNOWN", "no such tenant")
		}
		ids[i] = r.ID
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
