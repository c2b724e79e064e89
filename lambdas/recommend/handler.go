package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kindred/internal/platform/logkey"
	"kindred/internal/platform/parallel"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"
)

const (
	// chunkEvents are answered and delivered together: one call to Firehose takes so many. A batch
	// that does not fit into the time limit makes progress by chunks.
	chunkEvents = 500
	// quarantineWriters bounds the S3 requests at the same time, for a batch that is all broken.
	quarantineWriters = 8
	// countTime bounds how long the counting of clicks may hold the answers of a chunk back.
	countTime = 500 * time.Millisecond
)

// recommender decides. An error means that no event was answered and a retry may help.
type recommender interface {
	// Check says what is wrong with the control of each event: nobody can ever answer it.
	Check(ctx context.Context, events []*activity.Event) (by recommend.Checked, faults []error, err error)
	// BatchChecked answers events by the placements that Check looked at.
	BatchChecked(ctx context.Context, by recommend.Checked, events []*activity.Event) ([]recommend.Answer, error)
}

// stateWriter writes what events say, together or not at all; what was written before changes nothing. A
// retry may help, unless the error is a *recommend.RefusedError.
type stateWriter interface {
	WriteState(ctx context.Context, state recommend.State) error
}

// counter counts clicks for what trends; what was counted before changes nothing.
type counter interface {
	Count(ctx context.Context, clicks []recommend.Counted) error
}

// deliverer takes records; it returns the indexes of those it did not take, ascending, with a reason.
type deliverer interface {
	Put(ctx context.Context, records [][]byte) (failed []int, err error)
}

// keeper keeps a broken event, once however often it is told. Every error is transient.
type keeper interface {
	Write(ctx context.Context, q activity.Quarantined) error
}

// handler answers Kinesis batches. It is safe for concurrent use.
//
// A panic is not caught: it is a fault of this program and not of the event, so the batch fails
// loudly, is retried and bisected by the mapping, and the event ends in its OnFailure destination,
// from where it can be sent again after a fix.
type handler struct {
	shops       activity.Shops
	recommender recommender
	state       stateWriter
	counter     counter
	load        func(ctx context.Context) // does a little of what makes later answers faster
	delivery    deliverer
	quarantine  keeper
	log         *slog.Logger
	metrics     io.Writer
	name        string        // the function's own
	headRoom    time.Duration // kept free before the deadline
	now         func() time.Time
	warm        atomic.Bool               // it has answered
	connect     func(ctx context.Context) // opens a connection that the first batch finds
	connecting  sync.WaitGroup            // what the first batch waits for, instead of a login of its own
}

// item is one event of the batch, or what stands in its place. A fault is permanent.
type item struct {
	activity.Item
	index int // of its record in the batch
}

// Invoke reads a batch and writes what of it is left to do. An error means that the batch is no KinesisEvent.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var batch events.KinesisEvent
	// What comes from other producers, as the partition key, is taken as encoding/json takes it: a
	// refusal would hold the whole shard.
	if err := json.Unmarshal(payload, &batch, jsontext.AllowInvalidUTF8(true),
		jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	// Such a batch is the console's test event, or comes from another service: it must not be
	// answered.
	for i, r := range batch.Records {
		if err := deadletter.CheckPosition(position(r)); err != nil {
			return nil, fmt.Errorf("record %d of the batch %w", i, err)
		}
	}
	return json.Marshal(h.handle(ctx, batch))
}

// handle answers a batch of one shard. Permanent faults go to quarantine. On a transient fault it
// names the first record that is not done; Lambda sends that one and all after it again, so
// everything before it is delivered or in quarantine by then, and what was delivered after it will
// be delivered again under the same ids. Firehose judges each record of a call on its own: it may
// refuse one and take a later one of the same session. No later call is made; readers order a session
// by recommendation.position.
func (h *handler) handle(ctx context.Context, batch events.KinesisEvent) events.KinesisEventResponse {
	start := h.now()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-h.headRoom))
		defer cancel()
	}
	read := parse(batch)
	items := h.own(read)
	sum := summary{events: len(items), otherShop: len(read) - len(items)}
	h.connecting.Wait()
	h.timed(&sum.parse, start)
	done, err := h.answer(ctx, items, &sum) // records before this index of the batch are done
	if err == nil {
		done = len(batch.Records)
	}
	keeping := h.now()
	done, quarantineErr := h.keep(ctx, items, done, &sum)
	h.timed(&sum.quarantine, keeping)
	err = errors.Join(err, quarantineErr)

	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	if done < len(batch.Records) {
		first := batch.Records[done].Kinesis.SequenceNumber
		response.BatchItemFailures = append(response.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: first})
	}
	for _, it := range items {
		if it.index >= done {
			sum.retried++
		}
	}
	h.report(ctx, batch, &sum, start, err)
	if err == nil {
		h.load(ctx)
	}
	return response
}

// parse reads the events of all records of the batch, in their order.
func parse(batch events.KinesisEvent) []*item {
	first, all := make([]activity.Item, len(batch.Records)), make([][]activity.Item, len(batch.Records))
	parallel.Each(len(all), func(i int) {
		all[i] = activity.Read(first[i:i:i+1], position(batch.Records[i]), batch.Records[i].Kinesis.Data)
	})
	count := 0
	for _, of := range all {
		count += len(of)
	}
	room, items := make([]item, 0, count), make([]*item, 0, count)
	for i, of := range all {
		for _, it := range of {
			room = append(room, item{it, i})
			items = append(items, &room[len(room)-1])
		}
	}
	return items
}

// own are the items of the function's shop. The others have functions of their own, by the same list of
// shops.
func (h *handler) own(items []*item) []*item {
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return h.shops.Of(&it.Item) != h.shops.Own() })
}

// sound are the items without a fault.
func sound(items []*item) []*item {
	var found []*item
	for _, it := range items {
		if it.Fault == nil {
			found = append(found, it)
		}
	}
	return found
}

// position reads where on the stream a record was: the stream's ARN and
// "shardId-000000000000:SEQUENCE".
func position(r events.KinesisEventRecord) activity.Position {
	shard, _, _ := strings.Cut(r.EventID, ":")
	return activity.Position{
		Stream: deadletter.StreamOf(r.EventSourceArn), Shard: shard, SequenceNumber: r.Kinesis.SequenceNumber,
		PartitionKey: r.Kinesis.PartitionKey,
		// a float on the way, of whole milliseconds
		ArrivedAt: r.Kinesis.ApproximateArrivalTimestamp.Round(time.Millisecond).UTC(),
	}
}

// answer recommends and delivers, chunk by chunk, and gives a fault to each event that proves to be
// broken. With an error it returns the batch's index of the first record that is not delivered; no
// later chunk was begun.
func (h *handler) answer(ctx context.Context, items []*item, sum *summary) (first int, err error) {
	by, err := h.check(ctx, items)
	if err != nil {
		return items[0].index, err
	}
	for left := sound(items); len(left) > 0; {
		chunk := left[:min(chunkEvents, len(left))]
		if failed, err := h.answerChunk(ctx, by, chunk, sum); err != nil {
			return failed.index, err
		}
		left = left[len(chunk):]
	}
	return 0, nil
}

// check gives a fault to each event whose control nobody can answer, before anything that it says is written. by is how
// the others are answered. The error is transient.
func (h *handler) check(ctx context.Context, items []*item) (by recommend.Checked, err error) {
	var asked []*item
	var list []*activity.Event
	for _, it := range items {
		if it.Fault == nil && it.Event.Control != nil {
			asked, list = append(asked, it), append(list, it.Event)
		}
	}
	if len(asked) == 0 {
		return by, nil
	}
	by, faults, err := h.recommender.Check(ctx, list)
	if err != nil {
		return by, fmt.Errorf("check the controls of %d events: %w", len(list), err)
	}
	for i, fault := range faults {
		if fault != nil {
			asked[i].Fault = &activity.Fault{Reason: activity.ReasonSchema, Message: fault.Error()}
		}
	}
	return by, nil
}

// answerChunk is answer for one chunk; failed is the first event that is not delivered.
func (h *handler) answerChunk(ctx context.Context, by recommend.Checked, chunk []*item,
	sum *summary) (failed *item, err error) {
	var counting sync.WaitGroup
	clicked := chunk
	count := func() { counting.Go(func() { h.count(ctx, clicked) }) }
	defer counting.Wait()
	cold := !h.warm.Swap(true)
	if !cold {
		count()
	}
	start := h.now()
	answers, err := h.recommend(ctx, by, chunk)
	now := h.now()
	sum.recommend += now.Sub(start)
	if cold { // the first answer does not wait for a second login
		count()
	}
	if err != nil {
		return chunk[0], err
	}
	defer h.timed(&sum.deliver, now)
	chunk = sound(chunk)
	lines, of, err := h.lines(chunk, answers, now)
	if err != nil {
		return chunk[0], err
	}
	missing, err := h.delivery.Put(ctx, lines)
	refused := make(map[int]bool, len(missing))
	for _, n := range missing {
		refused[of[n]] = true
	}
	for i := range answers {
		if !refused[i] { // an event is done when all its records are delivered
			sum.delivered(answers[i])
		}
	}
	if err == nil {
		return nil, nil
	}
	return chunk[of[missing[0]]], err
}

// lines are the records of answered events, in their order; of are the indexes of their events.
func (h *handler) lines(chunk []*item, answers []recommend.Answer, now time.Time) (lines [][]byte, of []int,
	err error) {
	each, faults := make([][][]byte, len(chunk)), make([]error, len(chunk))
	parallel.Each(len(chunk), func(i int) {
		r := chunk[i]
		for _, record := range answers[i].Records(r.Data, r.Event, r.Position, now) {
			record.Recommendation.Shop = h.shops.Own()
			line, err := record.AppendSealed(nil)
			each[i], faults[i] = append(each[i], line), errors.Join(faults[i], err)
		}
	})
	lines, of = make([][]byte, 0, len(chunk)), make([]int, 0, len(chunk))
	for i, own := range each {
		if faults[i] != nil {
			return nil, nil, fmt.Errorf("write record %s: %w", chunk[i].Position.SequenceNumber, faults[i])
		}
		for _, line := range own {
			lines, of = append(lines, line), append(of, i)
		}
	}
	return lines, of, nil
}

// recommend writes what the events say of products and customers. Then it answers the events of sessions
// in their order: each without the purchases behind its own place, so that a retry gives
// the same answers. An event whose values the store can never accept gets a fault and no answer: it is
// found by splitting the batch in half, and the others are answered without it. Every other error is
// transient, and of all events.
func (h *handler) recommend(ctx context.Context, by recommend.Checked, items []*item) ([]recommend.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("begin the next %d events: %w", len(items), err)
	}
	answers, err := h.writeAndAnswer(ctx, by, items)
	var refused *recommend.RefusedError
	switch {
	case err == nil:
		return answers, nil
	case !errors.As(err, &refused):
		return nil, fmt.Errorf("recommend for %d events: %w", len(items), err)
	case len(items) == 1:
		items[0].Fault = &activity.Fault{Reason: activity.ReasonRefused, Message: refused.Error()}
		return nil, nil
	}
	half := len(items) / 2
	if answers, err = h.recommend(ctx, by, items[:half]); err != nil {
		return nil, err
	}
	rest, err := h.recommend(ctx, by, items[half:])
	return append(answers, rest...), err
}

// writeAndAnswer is recommend for events that are all accepted.
func (h *handler) writeAndAnswer(ctx context.Context, by recommend.Checked,
	items []*item) ([]recommend.Answer, error) {
	list, at := make([]*activity.Event, 0, len(items)), make([]int, 0, len(items)) // those that are answered
	var state recommend.State
	answers := make([]recommend.Answer, len(items))
	for i, it := range items {
		state.Add(it.Event)
		if !it.Event.Answered() {
			answers[i].Source = activity.SourceState
			continue
		}
		list, at = append(list, it.Event), append(at, i)
	}
	if !state.Empty() {
		if err := h.state.WriteState(ctx, state); err != nil {
			return nil, err
		}
	}
	answered, err := h.recommender.BatchChecked(ctx, by, list)
	for n, a := range answered {
		answers[at[n]] = a
	}
	return answers, err
}

// count counts the clicks of events. If that fails, they trend a little less: no answer waits for another try.
func (h *handler) count(ctx context.Context, items []*item) {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	var clicks []recommend.Counted
	for _, it := range items {
		clicks = recommend.Clicks(clicks, it.Event)
	}
	if err := h.counter.Count(ctx, clicks); err != nil {
		h.log.WarnContext(ctx, "clicks are not counted", logkey.Error, err.Error())
	}
}

// keep brings the faulty items of the first done records into quarantine. With an error it returns
// how many records before the first failure are done.
func (h *handler) keep(ctx context.Context, items []*item, done int, sum *summary) (int, error) {
	failures := make([]error, len(items))
	var group errgroup.Group
	group.SetLimit(quarantineWriters)
	for i, it := range items {
		if it.Fault == nil || it.index >= done {
			continue
		}
		group.Go(func() error {
			failures[i] = h.quarantine.Write(ctx, activity.Quarantined{
				Reason: it.Fault.Reason, Message: it.Fault.Message, EventID: activity.EventID(it.Event, it.Position),
				Position: it.Position, QuarantinedAt: h.now().UTC(), Data: it.Data,
			})
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	var first error
	for i, it := range slices.Backward(items) {
		switch {
		case failures[i] != nil:
			done, first = it.index, failures[i]
		case it.Fault != nil && it.index < done:
			sum.quarantined++
		}
	}
	return done, first
}
