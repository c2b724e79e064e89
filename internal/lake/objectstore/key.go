package objectstore

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkKey accepts slash-separated names that mean the same on S3 and in a file system.
func checkKey(key string) error {
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return fmt.Errorf("key %q is not plain UTF-8", key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || part == internalDir {
			return fmt.Errorf("key %q has an empty or reserved part", key)
		}
	}
	return nil
}
