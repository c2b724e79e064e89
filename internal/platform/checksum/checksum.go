// Package checksum writes SHA-256 in one form: lower-case hexadecimal.
package checksum

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// Bytes is the SHA-256 of data.
func Bytes(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Reader is the SHA-256 of what is left to read, and its size in bytes.
func Reader(r io.Reader) (sum string, size int64, err error) {
	hash := sha256.New()
	size, err = io.Copy(hash, r)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// File is the SHA-256 of a local file, and its size in bytes.
func File(name string) (sum string, size int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	sum, size, err = Reader(file)
	return sum, size, errors.Join(err, file.Close())
}
