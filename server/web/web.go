// Package web serves the analysts' page: built files that are part of the program, under
// a policy that lets a browser load and ask nothing but this origin. It knows no case,
// key or RPC; what the page shows it asks of REST like any other client.
//
// The sources are TypeScript (src); `npm run build` here makes dist, which is committed
// so that `go build` alone works.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed all:dist
var dist embed.FS

// Policy is what a browser may do on the page: run its files and ask its origin. Nothing
// inline runs, so that text of an attacker that becomes markup does nothing.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// kinds are the media types of built files, by their ending.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".json": "application/json",
	".txt": "text/plain; charset=utf-8",
}

// file is one built file.
type file struct {
	kind  string
	text  []byte
	etag  string
	cache string
	// packed is the file in gzip, made when somebody first asks for it; nil where that
	// is no smaller.
	packed func() []byte
}

// Page are the files of the page by the path that they are asked for by.
type Page struct{ files map[string]file }

// New reads the built files.
func New() (*Page, error) {
	p := &Page{files: make(map[string]file)}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		kind, ok := kinds[path.Ext(name)]
		if !ok {
			return fmt.Errorf("the page has a file of a kind that is not served: %s", name)
		}
		at := strings.TrimPrefix(name, "dist")
		sum := sha256.Sum256(text)
		f := file{kind: kind, text: text, etag: strconv.Quote(hex.EncodeToString(sum[:12])), cache: "no-cache"}
		if strings.HasPrefix(at, "/assets/") {
			// Their names change with what they hold.
			f.cache = "public, max-age=31536000, immutable"
		}
		f.packed = sync.OnceValue(func() []byte { return packed(text) })
		if at == "/index.html" {
			at = "/"
		}
		p.files[at] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, ok := p.files["/"]; !ok {
		return nil, fmt.Errorf("the page was not built: run npm run build in server/web")
	}
	return p, nil
}

// Over answers what is asked of the page, and leaves the rest to next.
func (p *Page) Over(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := p.files[r.URL.Path]
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page is read only", http.StatusMethodNotAllowed)
			return
		}
		f.serve(w, r)
	})
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	h.Set("Vary", "Accept-Encoding")
	text, etag := f.text, f.etag
	if takesGzip(r) {
		if small := f.packed(); small != nil {
			h.Set("Content-Encoding", "gzip")
			text, etag = small, strings.TrimSuffix(f.etag, `"`)+`-gzip"`
		}
	}
	h.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method == http.MethodHead {
		return
	}
	// A reader that is gone is no fault of ours.
	_, _ = w.Write(text)
}

// takesGzip reports whether a reader unpacks gzip.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.TrimRight(strings.ReplaceAll(weight, " ", ""), "0.") != "q=" {
			return true
		}
	}
	return false
}

func packed(text []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || b.Len() >= len(text) {
		return nil
	}
	return b.Bytes()
}
