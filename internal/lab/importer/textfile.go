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

// openText opens a text file after its byte order mark, gzipped or not, and refuses what is no UTF-8
// at first sight. The file may have the name with .gz behind it.
func openText(folder, file string) (in *bufio.Reader, closeFile func(), err error) {
	path := filepath.Join(folder, file)
	if _, err := os.Stat(path); err != nil {
		path += packed
	}
	f, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	head, _ := f.Peek(headBytes) // a fault shows again when the file is read
	if problem := foreign(head); problem != "" {
		return nil, nil, errors.Join(fmt.Errorf("read %s: the file is %s; save it as CSV in UTF-8", file, problem), f.Close())
	}
	return f.Reader, func() { _ = f.Close() }, nil
}

// packed ends the name of a gzipped file.
const packed = ".gz"

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
	}
	return ""
}
