package feed

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Letters are the keys of the dead letters of a reason that the last listing found: the newest first, as far as their
// names say.
func (f *Feed) Letters(reason string) (keys []string) {
	f.mu.Lock()
	for key, of := range f.letter {
		if of == reason {
			keys = append(keys, key)
		}
	}
	f.mu.Unlock()
	slices.SortFunc(keys, func(a, b string) int { // a sequence number grows, and so does its length
		numberA, _, _ := strings.Cut(path.Base(a), ".")
		numberB, _, _ := strings.Cut(path.Base(b), ".")
		return cmp.Or(cmp.Compare(len(numberB), len(numberA)), cmp.Compare(numberB, numberA), cmp.Compare(b, a))
	})
	return keys
}
