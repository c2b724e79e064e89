package objectkey_test

import (
	"strings"
	"testing"

	"kindred/internal/platform/objectkey"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "a/b.json", "CURRENT", "run=1/..x/é.parquet", strings.Repeat("k", 1024)} {
		if err := objectkey.Check(key); err != nil {
			t.Error(err)
		}
	}
	for _, key := range []string{"", "/", "a//b", "/a", "a/", "a/../b", "./a", ".objectstore/lock", "a\x00b", "a\xff",
		strings.Repeat("k", 1025)} {
		if objectkey.Check(key) == nil {
			t.Errorf("key %q was accepted", key)
		}
	}
}
