package deadletter

import (
	"fmt"
	"strconv"
	"strings"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/objectkey"
	"kindred/internal/stream/activity"
)

// Prefixes are where letters lie, the quarantine first.
var Prefixes = [...]string{envconfig.QuarantinePrefix, envconfig.FailurePrefix}

// Quarantines says whether a key is one of the quarantine.
func Quarantines(key string) bool { return strings.HasPrefix(key, envconfig.QuarantinePrefix) }

// Key names the object of the event that was read at p, which CheckPosition accepts. Streams may
// share a bucket: shards of two have the same names.
func Key(p activity.Position) string {
	key := envconfig.QuarantinePrefix + p.Stream + "/" + p.Shard + "/" + p.SequenceNumber
	if p.SubSequenceNumber > 0 {
		key += "." + strconv.Itoa(p.SubSequenceNumber)
	}
	return key + ".json"
}

// CheckKey says whether a listed object can be a letter at all, before anybody opens it. The error is
// ErrStrange. It asks the rule that writers ask.
func CheckKey(key string) error {
	if err := objectkey.Check(key); err != nil {
		return fmt.Errorf("%w: %w", ErrStrange, err)
	}
	return nil
}

// CheckPosition says whether a record names its place on a stream, as an event needs for its id, and a
// letter for its key. The error is ErrPosition.
func CheckPosition(p activity.Position) error {
	for _, part := range [...]struct{ name, value string }{
		{"stream (eventSourceARN)", p.Stream}, {"shard (eventID)", p.Shard}, {"sequence number", p.SequenceNumber},
	} {
		if part.value == "" {
			return fmt.Errorf("%w: it has no %s", ErrPosition, part.name)
		}
		if part.value == "." || part.value == ".." || strings.ContainsFunc(part.value, isForeign) {
			return fmt.Errorf("%w: its %s is %.100q, which no stream has", ErrPosition, part.name, part.value)
		}
	}
	return nil
}

// isForeign reports what the names of streams and shards never contain:
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StreamDescription.html.
func isForeign(r rune) bool {
	letter, digit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z', r >= '0' && r <= '9'
	return !letter && !digit && r != '_' && r != '.' && r != '-'
}

// StreamOf is a stream's name in the ARN of the stream, or of one of its consumers:
// "arn:aws:kinesis:region:account:stream/NAME" and "…stream/NAME/consumer/…".
func StreamOf(arn string) string {
	_, stream, _ := strings.Cut(arn, ":stream/")
	stream, _, _ = strings.Cut(stream, "/")
	return stream
}
