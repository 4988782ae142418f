package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"

	"google.golang.org/protobuf/encoding/protojson"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// WriteNDJSON writes each case as a line of JSON.
func WriteNDJSON(w io.Writer, cases iter.Seq[*elsewherev1.Case]) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var loose []byte
	var line bytes.Buffer
	for c := range cases {
		var err error
		if loose, err = (protojson.MarshalOptions{}).MarshalAppend(loose[:0], c); err != nil {
			return err
		}
		// The library varies its white space on purpose.
		line.Reset()
		if err := json.Compact(&line, loose); err != nil {
			return err
		}
		line.WriteByte('\n')
		if _, err := out.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return out.Flush()
}
