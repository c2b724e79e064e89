package pgcopy

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func rows(n int) io.Reader {
	i := 0
	return NewReader(4, func(r *Row) bool {
		if i == n {
			return false
		}
		r.Text(strings.Repeat("x", i%100))
		r.Int16(int16(-i))
		r.Int32(int32(i))
		r.Vector([]float32{1.5, -2})
		i++
		return true
	})
}

func TestOneRowByteForByte(t *testing.T) {
	t.Parallel()
	got, err := io.ReadAll(NewReader(4, func() func(*Row) bool {
		done := false
		return func(r *Row) bool {
			if done {
				return false
			}
			done = true
			r.Text("ab")
			r.Int16(-2)
			r.Int32(7)
			r.Vector([]float32{1})
			return true
		}
	}()))
	want := "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x04" + "\x00\x00\x00\x02ab" +
		"\x00\x00\x00\x02\xff\xfe" +
		"\x00\x00\x00\x04\x00\x00\x00\x07" + "\x00\x00\x00\x08\x00\x01\x00\x00\x3f\x80\x00\x00" + "\xff\xff"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

// However the reader is asked, the stream is the same and whole.
func TestTheStreamDoesNotDependOnTheReads(t *testing.T) {
	t.Parallel()
	whole, err := io.ReadAll(rows(5000))
	if err != nil {
		t.Fatal(err)
	}
	const fixed = 2 + 4 + 6 + 8 + 16
	if want := 19 + 5000*fixed + 50*(99*100/2) + 2; len(whole) != want || binary.BigEndian.Uint16(whole[19:]) != 4 {
		t.Errorf("%d bytes, want %d", len(whole), want)
	}
	for name, r := range map[string]io.Reader{"bytes": iotest.OneByteReader(rows(5000)),
		"halves":           iotest.HalfReader(rows(5000)),
		"errors with data": iotest.DataErrReader(rows(5000))} {
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: another stream: %v", name, err)
		}
	}
	for _, size := range []int{1 << 16, 1 << 18, 65531} {
		var got bytes.Buffer
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, rows(5000), make([]byte, size)); err != nil ||
			!bytes.Equal(got.Bytes(), whole) {
			t.Errorf("reads of %d: another stream: %v", size, err)
		}
	}
}
