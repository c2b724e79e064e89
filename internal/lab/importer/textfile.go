package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// headBytes is how much of a file is looked at to tell what it is.
const headBytes = 4096

// openText opens a text file after its byte order mark, and refuses what is no UTF-8 at first sight.
func openText(folder, file string) (in *bufio.Reader, closeFile func(), err error) {
	f, err := os.Open(filepath.Join(folder, file))
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", file, err)
	}
	in = bufio.NewReaderSize(f, 1<<16)
	head, _ := in.Peek(headBytes) // a fault shows again when the file is read
	if problem := foreign(head); problem != "" {
		return nil, nil, errors.Join(fmt.Errorf("read %s: the file is %s; save it as CSV in UTF-8", file, problem), f.Close())
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) { // Excel's byte order mark
		_, _ = in.Discard(len("\ufeff"))
	}
	return in, func() { _ = f.Close() }, nil
}

// foreign says what a file is that is not in UTF-8; "" when nothing shows.
func foreign(head []byte) string {
	even, odd := 0, 0 // NULs, as every second byte of English text in UTF-16 is
	for i, b := range head {
		if b == 0 && i%2 == 0 {
			even++
		} else if b == 0 {
			odd++
		}
	}
	switch many := len(head) / 4; {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), odd > many:
		return "UTF-16 (little-endian)"
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}), even > many:
		return "UTF-16 (big-endian)"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "a ZIP archive or an Excel workbook"
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "compressed with gzip"
	}
	return ""
}
