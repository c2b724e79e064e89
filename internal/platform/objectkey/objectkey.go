// Package objectkey owns the one rule for the keys of objects: slash-separated names that mean the
// same on S3 and in a file system. Whoever writes an object asks it, and so does every reader that
// lists what others may have written.
package objectkey

import (
	"fmt"
	"strings"

	"kindred/internal/platform/text"
)

// Reserved is a name that no part of a key may have: a folder that serves as a store keeps its lock
// and its unfinished objects there.
const Reserved = ".objectstore"

// maxBytes is S3's limit of a key.
const maxBytes = 1024

// Check returns nil if key is fit for an object, else an error that quotes it.
func Check(key string) error {
	if err := text.Check(key, maxBytes); err != nil {
		return fmt.Errorf("key %q %w", key, err)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || part == Reserved {
			return fmt.Errorf("key %q has an empty or reserved part", key)
		}
	}
	return nil
}
