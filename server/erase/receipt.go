package erase

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// Format is what a receipt says that it is.
const Format = "elsewhere erasure receipt 1"

// maxReceipt bounds a signed receipt that is read, in bytes.
const maxReceipt = 4 << 20

// Receipt says what was taken out, what was not, and when.
type Receipt struct {
	Format  string    `json:"format"`
	Tenant  string    `json:"tenant"`
	AskedBy string    `json:"asked_by,omitempty"`
	Asked   time.Time `json:"asked"`
	// Erased is when no answer told anything of the tenant any more.
	Erased time.Time `json:"erased"`
	// Purged is when no file of the store held an old copy any more; nil if that was
	// not asked for.
	Purged  *time.Time `json:"purged"`
	Removed []Tally    `json:"removed"`
	// Stays is what was not taken out, and Backups which copies may hold what was.
	Stays   []string `json:"stays"`
	Backups string   `json:"backups"`
	// Models are the versions of the model that were learned from reviews of links of
	// its cases.
	Models []uint32 `json:"models_learned_from_it"`
}

// signed is a receipt as it is handed out. The signature is over signedBytes.
type signed struct {
	Receipt   json.RawMessage `json:"receipt"`
	PublicKey string          `json:"public_key"` // Ed25519, in hexadecimal digits as the signature
	Signature string          `json:"signature"`
}

// Signer signs receipts with an Ed25519 key. It is that of the audit trail.
type Signer interface {
	Public() audit.PublicKey
	SignReceipt(receipt []byte) []byte
}

// signedBytes are what a signature is over: what it is for, and the receipt without
// white space.
func signedBytes(receipt []byte) ([]byte, error) {
	b := bytes.NewBufferString(Format + "\n")
	err := json.Compact(b, receipt)
	return b.Bytes(), err
}

// sign returns a receipt as a signed document in JSON.
func (r *Receipt) sign(s Signer) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	message, err := signedBytes(raw)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(signed{raw, string(s.Public()), hex.EncodeToString(s.SignReceipt(message))}, "", "  ")
}

// Errors of Verify.
var (
	// ErrNoReceipt is returned for what is no signed receipt.
	ErrNoReceipt = errors.New("this is no signed receipt")
	// ErrSignature is returned for a receipt that is not as it was signed.
	ErrSignature = errors.New("the receipt is not what was signed")
)

// Verify reads a signed receipt and returns it with the key that it was signed with.
// Whose key that is the document cannot say.
func Verify(document []byte) (Receipt, audit.PublicKey, error) {
	if len(document) > maxReceipt {
		return Receipt{}, "", ErrNoReceipt
	}
	var s signed
	if err := strictly(document, &s); err != nil {
		return Receipt{}, "", ErrNoReceipt
	}
	public, err := audit.ParsePublicKey(s.PublicKey)
	if err != nil {
		return Receipt{}, "", ErrNoReceipt
	}
	key, keyErr := hex.DecodeString(string(public))
	signature, err := hex.DecodeString(s.Signature)
	if keyErr != nil || err != nil || len(signature) != ed25519.SignatureSize {
		return Receipt{}, "", ErrNoReceipt
	}
	message, err := signedBytes(s.Receipt)
	if err != nil {
		return Receipt{}, "", ErrNoReceipt
	}
	if !ed25519.Verify(key, message, signature) {
		return Receipt{}, "", ErrSignature
	}
	var r Receipt
	if err := strictly(s.Receipt, &r); err != nil || r.Format != Format {
		return Receipt{}, "", ErrNoReceipt
	}
	return r, public, nil
}

// strictly reads JSON that is one value of a form, with nothing beside it.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrNoReceipt
	}
	return nil
}
