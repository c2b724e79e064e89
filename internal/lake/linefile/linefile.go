// Package linefile reads files of one JSON object a line, gzipped or not, as Firehose delivers
// them. It knows nothing of the lines.
package linefile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"iter"
)

// gzipMagic opens every gzip stream. See https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1.
var gzipMagic = []byte{0x1f, 0x8b}

// Plain unpacks what is gzipped, known by its first two bytes, and passes on what is not.
func Plain(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := b.Peek(2); !bytes.Equal(magic, gzipMagic) { // a fault shows again when b is read
		return b, nil
	}
	return gzip.NewReader(b)
}

// Lines yields each line without its end, empty ones left out. A line is valid until the next one.
// After an error it ends.
func Lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		plain, err := Plain(r)
		if err != nil {
			yield(nil, err)
			return
		}
		lines := bufio.NewReader(plain)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(nil, err)
				return
			}
			if line = bytes.TrimSpace(line); len(line) > 0 && !yield(line, nil) {
				return
			}
			if err != nil {
				return
			}
		}
	}
}
