package enrich

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxKept is the size of a kept answer in bytes; the bound of a Store.
const maxKept = 64 << 10

// answerSpace is where answers are kept.
const answerSpace = "answer"

// cache keeps what third parties answered. Only answers are kept: a quota or an
// error says nothing about the value and would read as one later.
type cache struct{ store Store }

// storeKey returns a key of a value under a name space. Long values, and the
// bytes that would blur where a part ends, are replaced by their hash.
func storeKey(space, source string, v Value) string {
	text := v.Text
	if len(text) > 256 {
		sum := sha256.Sum256([]byte(text))
		text = "sha256:" + hex.EncodeToString(sum[:])
	}
	return space + "/" + source + "/" + string(v.Kind) + "/" + text
}

// get returns the kept answer about v, marked stale where it is; ok is false if
// there is none that may still be served.
func (c cache) get(ctx context.Context, about About, v Value) (ans Answer, ok bool, err error) {
	data, err := c.store.Get(ctx, storeKey(answerSpace, about.Name, v))
	if err != nil || data == nil {
		return Answer{}, false, err
	}
	ans, err = decodeAnswer(data)
	if err != nil || ans.Source != about.Name {
		// Asking again repairs an entry that cannot be read.
		return Answer{}, false, nil
	}
	age := time.Since(ans.LookedUpAt)
	if age >= about.Fresh+about.Stale || age < -time.Minute {
		return Answer{}, false, nil
	}
	ans.Stale = age >= about.Fresh
	return ans, true, nil
}

// put keeps an answer.
func (c cache) put(ctx context.Context, about About, v Value, ans Answer) error {
	if !ans.Status.Answered() {
		return nil
	}
	ans.Stale = false
	data, err := json.Marshal(ans)
	if err != nil {
		return err
	}
	if len(data) > maxKept {
		return fmt.Errorf("an answer of %d bytes is not kept; %d at most", len(data), maxKept)
	}
	return c.store.Put(ctx, storeKey(answerSpace, about.Name, v), data, ans.LookedUpAt.Add(about.Fresh+about.Stale))
}

// decodeAnswer reads what put wrote and refuses everything that put cannot have
// written.
func decodeAnswer(data []byte) (Answer, error) {
	if len(data) > maxKept {
		return Answer{}, errors.New("the kept answer is too long")
	}
	var ans Answer
	if err := json.Unmarshal(data, &ans); err != nil {
		return Answer{}, err
	}
	if !ans.Status.Answered() || ans.LookedUpAt.IsZero() {
		return Answer{}, errors.New("what is kept is no answer")
	}
	for _, c := range ans.Claims {
		if err := c.check(); err != nil {
			return Answer{}, err
		}
	}
	return ans.sanitize(), nil
}
