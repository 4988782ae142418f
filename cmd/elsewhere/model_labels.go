package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Bounds of a file of labels.
const (
	maxLabels      = 10_000
	maxLabelErrors = 20
	maxLabelBytes  = 64 << 10 // of a line
)

// labels are judged pairs with where they stand.
type labels struct {
	name  string
	pairs []*elsewherev1.JudgedPair
	lines []int // of pairs
}

// readLabels reads a file of labels, stdin for "-", and says what is wrong with it.
func (a *app) readLabels(ctx context.Context, name string) (labels, error) {
	in, shown := interruptible(ctx, a.stdin), "stdin"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return labels{}, err
		}
		defer f.Close()
		in, shown = f, name
	}
	judged, wrong := parseLabels(shown, in)
	if len(wrong) == 0 {
		return judged, nil
	}
	return labels{}, a.complain(wrong)
}

// complain writes errors a line each.
func (a *app) complain(wrong []error) error {
	for _, err := range wrong {
		a.warn("elsewhere: %s", safe(err.Error(), messageWidth))
	}
	return exitError(exitFailed)
}

// parseLabels reads JSON lines {"a", "b", "same"}, with "weight" where there is one,
// and returns what is wrong with every line that cannot be read, up to a bound.
func parseLabels(name string, r io.Reader) (judged labels, wrong []error) {
	judged.name = name
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 4096), maxLabelBytes)
	n := 0
	for in.Scan() {
		n++
		line := in.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		pair, err := parseLabel(line)
		switch {
		case err != nil && len(wrong) == maxLabelErrors:
			return labels{}, append(wrong, fmt.Errorf("%s: and more", name))
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s:%d: %w", name, n, err))
			continue
		case len(judged.pairs) == maxLabels:
			return labels{}, append(wrong, fmt.Errorf("%s:%d: more than %d labels", name, n, maxLabels))
		}
		judged.pairs, judged.lines = append(judged.pairs, pair), append(judged.lines, n)
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		wrong = append(wrong, fmt.Errorf("%s:%d: the line is longer than %d KiB", name, n+1, maxLabelBytes>>10))
	case err != nil:
		wrong = append(wrong, fmt.Errorf("%s:%d: %w", name, n+1, err))
	}
	return judged, wrong
}

func parseLabel(line []byte) (*elsewherev1.JudgedPair, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("the line is not UTF-8")
	}
	var label struct {
		A      *string  `json:"a"`
		B      *string  `json:"b"`
		Same   *bool    `json:"same"`
		Weight *float64 `json:"weight"`
	}
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(&label); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return nil, fmt.Errorf("%q is a %s; want two texts, true or false, and a number as weight", wrong.Field, wrong.Value)
		}
		return nil, fmt.Errorf("want {\"a\", \"b\", \"same\"}: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value on a line")
	}
	switch {
	case label.A == nil || label.B == nil || label.Same == nil:
		return nil, errors.New("want \"a\", \"b\" and \"same\"")
	case label.Weight != nil && !(*label.Weight > 0 && !math.IsInf(*label.Weight, 0)):
		return nil, errors.New("a weight is above 0")
	}
	for _, ref := range []string{*label.A, *label.B} {
		if err := checkRef(ref); err != nil {
			return nil, err
		}
	}
	pair := elsewherev1.JudgedPair_builder{A: *label.A, B: *label.B, Same: *label.Same}
	if label.Weight != nil {
		pair.Weight = *label.Weight
	}
	return pair.Build(), nil
}

// explain says of the server's violations which line they are about; false where
// they are not about a line.
func (l *labels) explain(invalid *client.InvalidError) (out []error, ok bool) {
	for _, v := range invalid.Violations {
		rest, ok := strings.CutPrefix(v.Path, "judged[")
		index, field, found := strings.Cut(rest, "]")
		i, err := strconv.Atoi(index)
		if !ok || !found || err != nil || i < 0 || i >= len(l.lines) {
			return nil, false
		}
		at := fmt.Sprintf("%s:%d", l.name, l.lines[i])
		if field = strings.TrimPrefix(field, "."); field != "" {
			at += ": " + field
		}
		out = append(out, fmt.Errorf("%s: %s", at, v.Message))
	}
	if more := invalid.Total - len(invalid.Violations); more > 0 {
		out = append(out, fmt.Errorf("%s: and %d more", l.name, more))
	}
	return out, len(out) > 0
}
