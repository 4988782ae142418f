package export

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// approvalLasts is how long an approval is taken.
const approvalLasts = 24 * time.Hour

// Approved is what a second lead agreed to.
type Approved struct {
	// Token lets somebody else export this very bundle until Expires.
	Token   string
	Expires time.Time
	Digest  string
	Title   string
	Counts  Counts
}

// Approve builds a selection as the viewer would export it and returns what lets
// another lead do so. Nothing leaves.
func (b *Builder) Approve(ctx context.Context, v access.Viewer, s Selection) (a Approved, err error) {
	if v.IsOpen() {
		return Approved{}, ErrNoSecond
	}
	if s.TLP != evidence.TLPClear {
		return Approved{}, invalid("selection.tlp", "NOT_NEEDED", "only clear bundles need an approval")
	}
	w, err := b.prepare(ctx, v, s)
	if err != nil {
		return Approved{}, err
	}
	defer func() { err = errors.Join(err, w.bundle.Close()) }()
	expires := b.c.Clock().Add(approvalLasts).UTC().Truncate(time.Second)
	body := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	body = append(body, v.Name()...)
	return Approved{
		Token: approvalText(append(b.seal(w.bundle.digest, body), body...)), Expires: expires,
		Digest: shortDigest(w.bundle), Title: w.bundle.Title, Counts: w.bundle.Counts,
	}, nil
}

// approvalPrefix begins the tokens of approvals.
const approvalPrefix = "approval_"

// sealBytes is the length of a token's keyed digest.
const sealBytes = 32

func approvalText(b []byte) string { return approvalPrefix + base64.RawURLEncoding.EncodeToString(b) }

func (b *Builder) seal(bundle, body []byte) []byte {
	return digest(b.c.Keys.approval(), string(bundle), string(body))
}

// approved returns nil if somebody else approved of a bundle.
func (b *Builder) approved(v access.Viewer, bundle *Bundle, token string) error {
	if v.IsOpen() {
		return ErrNoSecond
	}
	if token == "" {
		return &NeedsApprovalError{Digest: shortDigest(bundle)}
	}
	text, ok := strings.CutPrefix(token, approvalPrefix)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) <= sealBytes+8 {
		return ErrApproval
	}
	body := raw[sealBytes:]
	expires := time.Unix(int64(binary.BigEndian.Uint64(body)), 0)
	switch {
	case !hmac.Equal(raw[:sealBytes], b.seal(bundle.digest, body)):
		return ErrApproval
	case !b.c.Clock().Before(expires):
		return ErrApproval
	case string(body[8:]) == v.Name():
		return ErrOwnApproval
	}
	return nil
}

// shortDigest names a bundle to people.
func shortDigest(b *Bundle) string { return hex.EncodeToString(b.digest[:8]) }
