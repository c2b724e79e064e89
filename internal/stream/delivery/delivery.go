// Package delivery hands recommendation records to a Firehose delivery stream. It owns the limits
// of PutRecordBatch and the retry of the entries that Firehose refused: an HTTP 200 with
// FailedPutCount > 0 is normal. What a record holds, and what becomes of an event whose record was
// not taken, is the caller's business.
package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"kindred/internal/platform/awsenv"
)

// Limits of PutRecordBatch, see
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html.
const (
	MaxBatchRecords = 500
	MaxBatchBytes   = 4 << 20
	MaxRecordBytes  = 1000 << 10
)

// Defaults of Config. Together the pauses of one batch come to 3 s on average: long enough for a
// throttle to pass, and short compared with the time limit of the function. The stream keeps the
// events for a later try.
const (
	defaultAttempts  = 6
	defaultBasePause = 100 * time.Millisecond
	defaultMaxPause  = 2 * time.Second
)

// ErrTooLarge says that a record is larger than MaxRecordBytes. A retry cannot help.
var ErrTooLarge = errors.New("record is larger than Firehose takes")

// client makes one call of PutRecordBatch.
type client interface {
	putRecordBatch(ctx context.Context, records [][]byte) (*outcome, error)
}

// outcome is Firehose's answer: how many records it refused, and for each record in their order an
// error code or none.
type outcome struct {
	FailedPutCount   int
	RequestResponses []struct{ ErrorCode, ErrorMessage string }
}

// Config says how hard to try. The zero value has good defaults.
type Config struct {
	Attempts  int           // calls for one batch, the first included; defaults to 6
	BasePause time.Duration // upper bound of the first pause; doubles from one to the next; defaults to 100 ms
	MaxPause  time.Duration // upper bound of every pause; defaults to 2 s
}

// Delivery writes to one delivery stream. It is safe for concurrent use.
type Delivery struct {
	client client
	stream string
	config Config
}

// New makes a Delivery to the named delivery stream. It makes no request.
func New(e awsenv.Environment, stream string, config Config) (*Delivery, error) {
	c, err := newFirehose(e, stream)
	if err != nil {
		return nil, fmt.Errorf("deliver to %s: %w", stream, err)
	}
	return newDelivery(c, stream, config), nil
}

func newDelivery(c client, stream string, config Config) *Delivery {
	config.Attempts = cmp.Or(config.Attempts, defaultAttempts)
	config.BasePause = cmp.Or(config.BasePause, defaultBasePause)
	config.MaxPause = cmp.Or(config.MaxPause, defaultMaxPause)
	return &Delivery{c, stream, config}
}
