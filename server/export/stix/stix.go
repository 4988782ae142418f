// Package stix writes bundles as STIX 2.1.
//
// It knows the objects of the standard that importers read, and how their
// identifiers are made. It must not know where a bundle comes from, decide what is
// in it, or serve it.
package stix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Options change what is written.
type Options struct {
	// Report makes a report of what is a grouping otherwise: for what is published.
	Report bool
}

// Write writes a bundle, an object a line. Its items are walked twice and never
// held: the grouping at the end names all objects.
func Write(ctx context.Context, w io.Writer, b *export.Bundle, o Options) error {
	out := &lines{w: w}
	if err := out.open(b); err != nil {
		return err
	}
	for object, err := range Objects(ctx, b) {
		if err == nil {
			err = out.object(object)
		}
		if err != nil {
			return err
		}
	}
	if err := out.group(ctx, b, o); err != nil {
		return err
	}
	return out.end()
}

// Objects yields everything but the grouping: the producer, the label, techniques,
// the actor, then what belongs to each item. An error is the last element.
func Objects(ctx context.Context, b *export.Bundle) iter.Seq2[Object, error] {
	return newFactory(b).objects(ctx)
}

func (f *factory) objects(ctx context.Context) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for _, object := range f.header() {
			if !yield(object, nil) {
				return
			}
		}
		// A forwarding to an address and the address are one observable.
		seen := make(map[export.UUID]bool)
		for item, err := range f.b.Items {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, object := range f.item(&item) {
				if o, is := object.(observable); is && shares(item.Value.Kind) {
					id, ok := o.uuid()
					if ok && seen[id] {
						continue
					}
					seen[id] = true
				}
				if !yield(object, nil) {
					return
				}
			}
		}
	}
}

// lines writes the parts of a bundle.
type lines struct {
	w     io.Writer
	some  bool
	frame bytes.Buffer
}

func (l *lines) open(b *export.Bundle) error {
	_, err := io.WriteString(l.w, `{"type":"bundle","id":"bundle--`+b.Derive("stix", "bundle").String()+`","objects":[`)
	return err
}

func (l *lines) object(object any) error {
	l.frame.Reset()
	if l.some {
		l.frame.WriteByte(',')
	}
	l.some = true
	l.frame.WriteByte('\n')
	encoder := json.NewEncoder(&l.frame)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return err
	}
	_, err := l.w.Write(bytes.TrimRight(l.frame.Bytes(), "\n"))
	return err
}

// group writes what holds all objects together. Its references are written while
// the items are walked again.
func (l *lines) group(ctx context.Context, b *export.Bundle, o Options) error {
	l.frame.Reset()
	head, err := json.Marshal(newFactory(b).group(o.Report))
	if err != nil {
		return err
	}
	l.frame.WriteString(",\n")
	l.frame.Write(bytes.TrimSuffix(head, []byte("}")))
	l.frame.WriteString(`,"object_refs":[`)
	first := true
	names := newFactory(b)
	names.silent = true
	for object, err := range names.objects(ctx) {
		if err != nil {
			return err
		}
		id := object.ID()
		if strings.HasPrefix(id, "marking-definition--") {
			continue
		}
		if !first {
			l.frame.WriteByte(',')
		}
		first = false
		l.frame.WriteString(`"` + id + `"`)
		if l.frame.Len() > 32<<10 {
			if _, err := l.frame.WriteTo(l.w); err != nil {
				return err
			}
		}
	}
	if first {
		return errors.New("a grouping of nothing")
	}
	l.frame.WriteString("]}")
	_, err = l.frame.WriteTo(l.w)
	return err
}

func (l *lines) end() error {
	_, err := io.WriteString(l.w, "\n]}\n")
	return err
}
