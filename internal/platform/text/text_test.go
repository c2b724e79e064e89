package text_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"kindred/internal/platform/text"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		max        int
		fault      error
		message    string
	}{
		{name: "empty"},
		{name: "every width", text: "aéł€𝄞", max: 12},
		{name: "the replacement character itself", text: "a\uFFFDb", max: text.NoLimit},
		{name: "as long as allowed", text: "éé", max: 4},
		{name: "too long by a byte", text: "ééa", max: 4, fault: text.ErrTooLong,
			message: "is too long: 5 bytes, at most 4 are allowed"},
		{name: "NUL", text: "Mün\x00chen", fault: text.ErrNUL, message: "holds a NUL at byte 4"},
		{name: "latin1", text: "M\xfcnchen", fault: text.ErrInvalidUTF8,
			message: "is not valid UTF-8 at byte 1 (0xFC)"},
		{name: "cut in a character", text: "Łó\xc5", fault: text.ErrInvalidUTF8,
			message: "is not valid UTF-8 at byte 4 (0xC5)"},
		{name: "overlong NUL", text: "a\xc0\x80", fault: text.ErrInvalidUTF8,
			message: "is not valid UTF-8 at byte 1 (0xC0)"},
		{name: "above U+10FFFF", text: "\xf4\x90\x80\x80", fault: text.ErrInvalidUTF8,
			message: "is not valid UTF-8 at byte 0 (0xF4)"},
		{name: "WTF-8", text: "ab\xed\xa0\x80", fault: text.ErrSurrogate,
			message: "holds a surrogate, which is not valid UTF-8, at byte 2 (0xEDA080)"},
		{name: "CESU-8 pair", text: "\xed\xa0\xb4\xed\xb4\x9e", fault: text.ErrSurrogate,
			message: "holds a surrogate, which is not valid UTF-8, at byte 0 (0xEDA0B4)"},
		{name: "half a surrogate", text: "\xed\xa0", fault: text.ErrInvalidUTF8,
			message: "is not valid UTF-8 at byte 0 (0xED)"},
		{name: "last before the surrogates", text: "\uD7FF\uE000"},
		{name: "damaged and too long", text: "aaaa\x00", max: 2, fault: text.ErrNUL, message: "holds a NUL at byte 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, err := range []error{text.Check(c.text, c.max), text.CheckBytes([]byte(c.text), c.max)} {
				if !errors.Is(err, c.fault) {
					t.Fatalf("%v, want %v", err, c.fault)
				}
				if err != nil && err.Error() != c.message {
					t.Errorf("%q, want %q", err, c.message)
				}
			}
		})
	}
}

func TestCheckDoesNotAllocateForGoodText(t *testing.T) {
	good := strings.Repeat("Łódź ", 20)
	bytes := []byte(good)
	if n := testing.AllocsPerRun(100, func() {
		if text.Check(good, len(good)) != nil || text.CheckBytes(bytes, len(bytes)) != nil || !text.Valid(bytes) {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCheck: the fault's offset is exact. All before it is text; it and the next bytes are not.
func FuzzCheck(f *testing.F) {
	f.Add("Łódź", 3)
	f.Add("\xed\xa0\x80", 1)
	f.Add("a\x00\xff", 0)
	f.Fuzz(func(t *testing.T, s string, most int) {
		err := text.Check(s, most)
		good := utf8.ValidString(s) && !strings.Contains(s, "\x00")
		if long := most > 0 && len(s) > most; (err == nil) != (good && !long) {
			t.Fatalf("%q of at most %d: %v", s, most, err)
		}
		var fault *text.Error
		if errors.As(err, &fault) && !errors.Is(err, text.ErrTooLong) {
			if text.Check(s[:fault.Offset], text.NoLimit) != nil {
				t.Errorf("%q has a fault before %d", s, fault.Offset)
			}
			if !strings.HasPrefix(s[fault.Offset:], fault.Bytes) || text.Check(fault.Bytes, text.NoLimit) == nil {
				t.Errorf("%q: no fault at %d", s, fault.Offset)
			}
		}
	})
}
