// Package replay plays clicks into the activity stream, of simulated visitors or from recorded
// files: at a rate, in order for each session, with poison records among them. Visitors may wait
// for the recommendations that are delivered, and react to them. It owns sending and waiting; who
// clicks on what is package visitor's.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"kindred/internal/lab/visitor"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/shardwriter"
)

// tick is how often what has become due is sent. Shorter ones make more calls, longer ones make the
// rate lumpy.
const tick = 50 * time.Millisecond

// fullQueue is how many records may wait before sending goes first.
const fullQueue = 2 * shardwriter.MaxRecords

// Plan says how much to send, and how fast.
type Plan struct {
	Events int
	Poison int     // bad records among the events, spread evenly at random
	Rate   float64 // events a second, poison not counted; 0: as fast as the stream takes them
	Seed   uint64
	Run    string // in the partition keys of poison records
	// Delivered, if not nil, is where recommendations arrive, which are then shown to the visitors.
	Delivered objectstore.Store
	// Save, if not nil, gets every event, a line each.
	Save io.Writer
}

// Result says what was sent.
type Result struct {
	EventsSent int `json:"events_sent"`
	PoisonSent int `json:"poison_sent"`
	NoEvents   int `json:"no_events,omitempty"` // of recorded files: lines that hold no event, sent as they are
	Erased     int `json:"erased,omitempty"`    // of recorded files: events of persons who were erased, left out
	visitor.Totals
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"events_per_second"`
	PutRetries      int     `json:"put_retries"` // records that the stream refused at first
}

// Play sends a plan to a stream and returns when the stream has taken every record, or when ctx
// ends. progress is called with the number of records after each call of the stream.
func Play(ctx context.Context, stream *shardwriter.Writer, plan Plan, c crowd,
	progress func(records int)) (Result, error) {
	p := newPlayer(plan, c, stream, progress)
	if plan.Delivered == nil {
		return p.run(ctx)
	}
	ctx, stop := context.WithCancel(ctx)
	answers := make(chan answer, fullQueue)
	p.answers = answers
	var watching sync.WaitGroup
	watching.Go(func() { watch(ctx, plan.Delivered, time.Now(), answers) })
	defer watching.Wait()
	defer stop()
	return p.run(ctx)
}

// player sends one plan.
type player struct {
	plan     Plan
	crowd    crowd
	sender   *shardwriter.Writer
	random   *rand.Rand
	now      func() time.Time
	pause    func(context.Context, time.Duration) error
	progress func(records int)
	answers  <-chan answer // nil: nobody waits for any
	events   int           // queued
	poison   int           // queued
}

// crowd is where clicks come from. Clicks of one session come in order.
type crowd interface {
	// Next gives the next click; none when everybody waits to be shown something, io.EOF when nobody
	// will click any more.
	Next(now time.Time) (click visitor.Click, clicked bool, err error)
	// Show tells the visitor of an event what is recommended.
	Show(eventID string, products []string) (seen bool)
	Totals() visitor.Totals
}

func newPlayer(plan Plan, c crowd, w *shardwriter.Writer, progress func(int)) *player {
	random := rand.New(rand.NewPCG(plan.Seed, 0x7265706c6179))
	return &player{plan: plan, crowd: c, sender: w, random: random, now: time.Now, pause: retry.Sleep,
		progress: progress}
}

// run sends the whole plan.
func (p *player) run(ctx context.Context) (Result, error) {
	start := p.now()
	for p.events < p.plan.Events || p.poison < p.plan.Poison || p.sender.Pending() > 0 {
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("replay stopped after %d of %d events: %w", p.events, p.plan.Events, err)
		}
		if err := p.showAnswers(); err != nil {
			return Result{}, err
		}
		idle, err := p.queueDue(p.now().Sub(start))
		if err != nil {
			return Result{}, err
		}
		taken, err := p.sender.Flush(ctx)
		if err != nil {
			return Result{}, err
		}
		p.progress(taken)
		if idle && p.sender.Pending() == 0 {
			if err := p.pause(ctx, tick); err != nil {
				return Result{}, fmt.Errorf("replay stopped after %d of %d events: %w", p.events, p.plan.Events, err)
			}
		}
	}
	r := Result{
		EventsSent: p.events, PoisonSent: p.poison, Totals: p.crowd.Totals(),
		Seconds: p.now().Sub(start).Seconds(), PutRetries: p.sender.Retries(),
	}
	if r.Seconds > 0 {
		r.EventsPerSecond = float64(r.EventsSent) / r.Seconds
	}
	return r, nil
}

// showAnswers shows the visitors what has been delivered.
func (p *player) showAnswers() error {
	for {
		select {
		case a := <-p.answers:
			if a.err != nil {
				return fmt.Errorf("read delivered recommendations: %w", a.err)
			}
			p.crowd.Show(a.eventID, a.products)
		default:
			return nil
		}
	}
}

// queueDue queues what should have been sent since the start, as far as the queue has room. It is
// idle when more will be due later.
func (p *player) queueDue(elapsed time.Duration) (idle bool, err error) {
	due := p.plan.Events
	if p.plan.Rate > 0 {
		due = min(due, 1+int(elapsed.Seconds()*p.plan.Rate))
	}
	for p.sender.Pending() < fullQueue {
		left, poisonLeft := p.plan.Events-p.events, p.plan.Poison-p.poison
		if left+poisonLeft == 0 {
			return false, nil
		}
		if left > 0 && p.events >= due {
			return true, nil
		}
		click, clicked, err := p.crowd.Next(p.now())
		if errors.Is(err, io.EOF) {
			p.plan.Events, p.plan.Poison = p.events, p.poison
			return false, nil
		}
		if err != nil || !clicked {
			return true, err
		}
		isPoison := p.random.IntN(left+poisonLeft) < poisonLeft
		if err := p.queue(click, isPoison); err != nil {
			return false, err
		}
	}
	return false, nil
}

// queue adds a click, or one bad record made from it; then it is lost.
func (p *player) queue(click visitor.Click, isPoison bool) error {
	if isPoison {
		p.sender.Add(shardwriter.Record{Key: fmt.Sprintf("poison-%s-%d", p.plan.Run, p.poison),
			Data: poison(p.poison, click.Data)})
		p.poison++
		return nil
	}
	p.sender.Add(shardwriter.Record{Key: click.SessionID, Data: click.Data})
	p.events++
	if p.plan.Save == nil {
		return nil
	}
	if _, err := p.plan.Save.Write(append(click.Data, '\n')); err != nil {
		return fmt.Errorf("save event %s: %w", click.EventID, err)
	}
	return nil
}
