package misp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Write writes a bundle as an event, {"Event": {...}}. Attributes are written as
// they are made; not all are held.
func Write(ctx context.Context, w io.Writer, b *export.Bundle, o Options) error {
	c := NewContent(b, o)
	return c.write(ctx, w, c.Attributes(), c.Objects())
}

// write writes an event with some of its attributes and objects.
func (c *Content) write(ctx context.Context, w io.Writer, attributes iter.Seq2[Attribute, error], objects iter.Seq2[Object, error]) error {
	out := bufio.NewWriterSize(w, 64<<10)
	header, err := json.Marshal(c.Event)
	if err != nil {
		return err
	}
	out.WriteString(`{"Event":`)
	out.Write(header[:len(header)-1])
	out.WriteString(",\"Attribute\":[")
	if err := writeList(ctx, out, attributes); err != nil {
		return err
	}
	out.WriteString("],\"Object\":[")
	if err := writeList(ctx, out, objects); err != nil {
		return err
	}
	out.WriteString("]}}\n")
	return out.Flush()
}

// writeList writes elements, each on a line of its own.
func writeList[T any](ctx context.Context, out *bufio.Writer, elements iter.Seq2[T, error]) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	first := true
	for element, err := range elements {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.WriteByte('\n')
		line.Reset()
		if err := encoder.Encode(&element); err != nil {
			return err
		}
		out.Write(bytes.TrimSuffix(line.Bytes(), []byte{'\n'}))
	}
	return nil
}
