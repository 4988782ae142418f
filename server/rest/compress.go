package rest

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// compress compresses answers for who asks for it, by gzip or zstd, but for events,
// which have to arrive one by one.
func compress(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.ExceptContentTypes([]string{eventStream}))
	if err != nil {
		return nil, err
	}
	return wrap(next), nil
}
