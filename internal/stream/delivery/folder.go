package delivery

import (
	"strings"
	"time"

	"kindred/internal/platform/envconfig"
)

// layouts are the folders below the prefix into which Firehose puts an object, by the hour in which its first record
// came, in UTC: as terraform/modules/stream says, and Firehose's own, which the local stack has.
var layouts = [...]string{"dt=2006-01-02/hour=15/", "2006/01/02/15/"}

// Folders are the prefixes under which the objects of an hour may lie.
func Folders(hour time.Time) (prefixes []string) {
	for _, layout := range layouts {
		prefixes = append(prefixes, envconfig.RecommendationPrefix+hour.UTC().Format(layout))
	}
	return prefixes
}

// Hour is the hour in whose folder an object lies. ok is false for a key that lies in none.
func Hour(key string) (hour time.Time, ok bool) {
	rest, found := strings.CutPrefix(key, envconfig.RecommendationPrefix)
	for _, layout := range layouts {
		if n := len(layout); found && len(rest) > n {
			if at, err := time.Parse(layout, rest[:n]); err == nil {
				return at, true
			}
		}
	}
	return hour, false
}
