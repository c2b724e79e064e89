package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/delivery"
)

// recorder delivers the records of answers. It is safe for concurrent use.
type recorder interface {
	// record says whether the line arrives on the delivery stream. If not, the answer goes out without an id.
	record(ctx context.Context, line []byte) bool
}

// deliverer takes records; package delivery documents it.
type deliverer interface {
	Put(ctx context.Context, records [][]byte) (failed []int, err error)
}

// unrecorded delivers nothing: no delivery stream is configured.
type unrecorded struct{}

func (unrecorded) record(context.Context, []byte) bool { return false }

// atOnceTime is how long an answer of the function waits for its record at most.
const atOnceTime = 150 * time.Millisecond

// atOnceConfig has room for two refusals within atOnceTime.
var atOnceConfig = delivery.Config{Attempts: 3, BasePause: 20 * time.Millisecond, MaxPause: 40 * time.Millisecond}

// atOnce delivers each record before its answer goes out: Lambda freezes the function afterwards.
type atOnce struct {
	delivery deliverer
	log      *slog.Logger
	metrics  io.Writer // takes a line in the embedded metric format for each record that is not delivered
	name     string    // of the function: the dimension of this metric
	sample   *sample
	now      func() time.Time
}

func (d atOnce) record(ctx context.Context, line []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, atOnceTime)
	defer cancel()
	_, err := d.delivery.Put(ctx, [][]byte{line})
	if err == nil {
		return true
	}
	const message = "answer not recorded"
	if ok, suppressed := d.sample.take(message, d.now()); ok {
		d.log.ErrorContext(ctx, message, logkey.Suppressed, suppressed, logkey.Error, err.Error())
	}
	_, err = fmt.Fprintf(d.metrics, `{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"kindred","Dimensions":[["`+
		logkey.Function+`"]],"Metrics":[{"Name":"`+logkey.Unrecorded+`","Unit":"Count"}]}]},"`+logkey.Function+
		`":%q,"`+logkey.Unrecorded+`":1}`+"\n", d.now().UnixMilli(), d.name)
	if err != nil {
		d.log.WarnContext(ctx, "metrics not written", logkey.Error, err.Error())
	}
	return false
}

// Limits of outbox.
const (
	outboxBytes = 64 << 20               // some 20,000 records of usual size
	outboxPause = 100 * time.Millisecond // what comes within it goes out together
	drainOutbox = 15 * time.Second       // for what is left when the process is told to end
)

// outboxPauses are between two tries while the delivery stream refuses everything. Each try has tries of its own.
var outboxPauses = retry.Policy{FirstPause: 200 * time.Millisecond, LongestPause: 5 * time.Second, Jitter: 0.25}

// outbox delivers in the background: what it has taken, it keeps until the delivery stream has it. While the stream
// is down, it is full after a time, and then answers go out without an id.
type outbox struct {
	delivery deliverer
	log      *slog.Logger
	sample   sample
	limit    int // bytes
	pause    time.Duration
	work     chan struct{} // holds a token while lines may be waiting

	mu     sync.Mutex
	lines  [][]byte // oldest first; those that are being sent too
	bytes  int
	closed bool
}

// newOutbox makes an outbox; the caller runs it.
func newOutbox(to deliverer, log *slog.Logger) *outbox {
	return &outbox{delivery: to, log: log, sample: sample{kinds: map[string]*sampled{}}, limit: outboxBytes,
		pause: outboxPause, work: make(chan struct{}, 1)}
}

func (o *outbox) record(ctx context.Context, line []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.bytes+len(line) > o.limit || len(line) > delivery.MaxRecordBytes {
		const message = "answer not recorded"
		if ok, suppressed := o.sample.take(message, time.Now()); ok {
			o.log.ErrorContext(ctx, message, logkey.Suppressed, suppressed,
				logkey.Error, "the delivery stream is behind and no more records fit into memory, or the record is too large")
		}
		return false
	}
	o.lines, o.bytes = append(o.lines, line), o.bytes+len(line)
	select {
	case o.work <- struct{}{}:
	default:
	}
	return true
}

// run delivers until ctx ends, and then what is left, for drainOutbox at most. From then on nothing is taken. The
// error says how many records are lost.
func (o *outbox) run(ctx context.Context) error {
	pauses := outboxPauses.Pauses()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-o.work:
			if retry.Sleep(ctx, o.pause) != nil || o.send(ctx) == nil {
				pauses.Reset()
				continue
			}
			_ = retry.Sleep(ctx, pauses.Next()) // its error is that of ctx
		}
	}
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainOutbox)
	defer cancel()
	pauses.Reset()
	for o.send(ctx) != nil && retry.Sleep(ctx, pauses.Next()) == nil {
	}
	if left := len(o.waiting()); left > 0 {
		return fmt.Errorf("the delivery stream did not take %d records of answers within %v of the signal to end: "+
			"they are lost", left, drainOutbox)
	}
	return nil
}

// waiting are the lines that the stream has not taken.
func (o *outbox) waiting() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

// send delivers what is waiting. What is not taken stays, in its order.
func (o *outbox) send(ctx context.Context) error {
	lines := o.waiting()
	if len(lines) == 0 {
		return nil
	}
	failed, err := o.delivery.Put(ctx, lines)
	left, bytes := make([][]byte, 0, len(failed)), 0
	for _, i := range failed {
		left, bytes = append(left, lines[i]), bytes+len(lines[i])
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	came := o.lines[len(lines):]
	for _, line := range came {
		bytes += len(line)
	}
	o.lines, o.bytes = append(left, came...), bytes
	if err == nil {
		return nil
	}
	if len(o.lines) > 0 {
		select {
		case o.work <- struct{}{}:
		default:
		}
	}
	if ok, suppressed := o.sample.take("records of answers wait", time.Now()); ok {
		o.log.WarnContext(ctx, "records of answers wait", logkey.Records, len(o.lines), logkey.Suppressed, suppressed,
			logkey.Error, err.Error())
	}
	return err
}
