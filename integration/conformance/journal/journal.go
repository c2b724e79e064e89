// Package journal is what the function probe and the rows that use it say to each other.
package journal

import "time"

// BucketVariable names the bucket of the journal to the function.
const BucketVariable = "PROBE_BUCKET"

// Prefix is the folder of the entries, one object a batch, named by the time it began.
const Prefix = "journal/"

// First words of a record's data. Followed by Once, a word counts when the record comes for the
// first time only.
const (
	Fail   = "fail"   // the whole batch fails
	Refuse = "refuse" // the record is reported as a failure of the batch
	Nap    = "nap"    // the function sleeps for NapTime
	Once   = "-once"
)

// NapTime is long compared with a cold start.
const NapTime = 2 * time.Second

// Entry is one batch as the function got it.
type Entry struct {
	Began   time.Time
	Records []Record
}

// Record is one record of a batch.
type Record struct {
	EventID, Stream, SequenceNumber, Key, Data string
	Arrived                                    time.Time
}

// Command is the payload of a direct call.
type Command struct {
	Do   string
	N    int    // milliseconds to sleep, characters to answer with
	Text string // to print
}

// Answer is what the function says of itself.
type Answer struct {
	Process                int
	Calls                  int64 // of this process, this one too
	Left                   time.Duration
	Environment            map[string]string
	RequestID, FunctionARN string
}
