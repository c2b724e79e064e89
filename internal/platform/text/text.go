// Package text owns the one rule for text that enters kindred: every door (etl, import, events,
// HTTP) asks it, so that what one part accepts every later part can store and read. It changes
// nothing: text is accepted as it is, or refused.
//
// Text is valid UTF-8 (RFC 3629) without a NUL, which PostgreSQL cannot store. RFC 3629 also
// forbids surrogates, paired (CESU-8) or not (WTF-8); the package only gives them a name of their
// own. It decides no length: the caller knows it.
package text

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What can be wrong with a text; errors.Is finds them in the error of Check.
var (
	ErrInvalidUTF8 = errors.New("is not valid UTF-8")
	ErrSurrogate   = errors.New("holds a surrogate, which is not valid UTF-8,")
	ErrNUL         = errors.New("holds a NUL")
	ErrTooLong     = errors.New("is too long")
)

// NoLimit as a length accepts text of any length.
const NoLimit = 0

// Error says what is wrong with a text and where. Its message continues a sentence: "customer 7:
// city holds a NUL at byte 3". Of the text itself it shows at most the three bytes at the fault, so
// it may be logged.
type Error struct {
	Fault  error  // one of the errors above
	Offset int    // the first byte that is wrong, counted from 0; for ErrTooLong the first byte too many
	Bytes  string // the bytes at Offset that are wrong; empty for ErrTooLong
	Length int    // the whole text's bytes
}

func (e *Error) Error() string {
	switch {
	case errors.Is(e.Fault, ErrTooLong):
		return fmt.Sprintf("%s: %d bytes, at most %d are allowed", ErrTooLong, e.Length, e.Offset)
	case errors.Is(e.Fault, ErrNUL):
		return fmt.Sprintf("%s at byte %d", ErrNUL, e.Offset)
	default:
		return fmt.Sprintf("%s at byte %d (0x%X)", e.Fault, e.Offset, e.Bytes)
	}
}

func (e *Error) Unwrap() error { return e.Fault }

// Check returns nil if s is text of at most maxBytes bytes (NoLimit: of any length), else an *Error
// for its first fault. The length is judged last: a text that is both damaged and too long is
// called damaged. It allocates only for a fault.
func Check(s string, maxBytes int) error {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && (maxBytes <= NoLimit || len(s) <= maxBytes) {
		return nil
	}
	return describe(s, maxBytes)
}

// CheckBytes is Check for bytes.
func CheckBytes(b []byte, maxBytes int) error {
	if Valid(b) && (maxBytes <= NoLimit || len(b) <= maxBytes) {
		return nil
	}
	return describe(string(b), maxBytes)
}

// Valid reports whether b is text, of any length. It never allocates.
func Valid(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// describe finds the first fault of s, which has one.
func describe(s string, maxBytes int) error {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == 0:
			return &Error{Fault: ErrNUL, Offset: i, Bytes: s[i : i+1], Length: len(s)}
		case r == utf8.RuneError && size == 1 && isSurrogate(s[i:]):
			return &Error{Fault: ErrSurrogate, Offset: i, Bytes: s[i : i+3], Length: len(s)}
		case r == utf8.RuneError && size == 1:
			return &Error{Fault: ErrInvalidUTF8, Offset: i, Bytes: s[i : i+1], Length: len(s)}
		}
		i += size
	}
	return &Error{Fault: ErrTooLong, Offset: maxBytes, Length: len(s)}
}

// isSurrogate reports whether s begins with U+D800 to U+DFFF in the three bytes that UTF-8 would
// give them.
func isSurrogate(s string) bool {
	const lead, lowest, continuation, mask = 0xED, 0xA0, 0x80, 0xC0
	return len(s) >= 3 && s[0] == lead && s[1] >= lowest && s[1]&mask == continuation && s[2]&mask == continuation
}
