package linefile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLinesArePlainOrGzipped(t *testing.T) {
	t.Parallel()
	const text = "{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}"
	var packed bytes.Buffer
	for part := range strings.Lines(text) { // Firehose may deliver several gzip streams one after the other
		z := gzip.NewWriter(&packed)
		if _, err := z.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]io.Reader{"plain": strings.NewReader(text), "gzipped": &packed} {
		var got []string
		for line, err := range Lines(r) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(line))
		}
		if !slices.Equal(got, []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	for name, r := range map[string]io.Reader{
		"cut gzip":   bytes.NewReader([]byte{0x1f, 0x8b, 8, 0}),
		"read error": io.MultiReader(strings.NewReader("{}\n{"), iotest.ErrReader(broken)),
	} {
		failed := false
		for _, err := range Lines(r) {
			failed = err != nil
		}
		if !failed {
			t.Errorf("%s: no error", name)
		}
	}
}
