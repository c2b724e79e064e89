// Package replay plays the clicks of simulated shoppers into the activity stream: at a rate, in order for each session,
// with poison records among them. It owns sending; who clicks on what is package shopper's.
package replay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"kindred/internal/shardwriter"
	"kindred/internal/shopper"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// tick is how often what has become due is sent. Shorter ones make more calls, longer ones make the rate lumpy.
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
}

// Result says what was sent.
type Result struct {
	EventsSent      int     `json:"events_sent"`
	PoisonSent      int     `json:"poison_sent"`
	Sessions        int     `json:"sessions"`
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"events_per_second"`
	PutRetries      int     `json:"put_retries"` // records that the stream refused at first
}

// Play sends a plan to a stream and returns when the stream has taken every record, or when ctx ends. progress is called
// with the number of records after each call of the stream.
func Play(ctx context.Context, client *kinesis.Client, stream string, plan Plan, c crowd, progress func(records int)) (Result, error) {
	return newPlayer(plan, c, shardwriter.New(client, stream, shardwriter.Pause), progress).run(ctx)
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
	events   int // queued
	poison   int // queued
}

// crowd is where clicks come from. Clicks of one session come in order.
type crowd interface {
	Next(now time.Time) (shopper.Click, error)
	Sessions() int
}

func newPlayer(plan Plan, c crowd, w *shardwriter.Writer, progress func(int)) *player {
	random := rand.New(rand.NewPCG(plan.Seed, 0x7265706c6179))
	return &player{plan: plan, crowd: c, sender: w, random: random, now: time.Now, pause: shardwriter.Pause, progress: progress}
}

// run sends the whole plan.
func (p *player) run(ctx context.Context) (Result, error) {
	start := p.now()
	for p.events < p.plan.Events || p.poison < p.plan.Poison || p.sender.Pending() > 0 {
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("replay stopped after %d of %d events: %w", p.events, p.plan.Events, err)
		}
		if err := p.queueDue(p.now().Sub(start)); err != nil {
			return Result{}, err
		}
		taken, err := p.sender.Flush(ctx)
		if err != nil {
			return Result{}, err
		}
		p.progress(taken)
		if p.plan.Rate > 0 && p.sender.Pending() == 0 && p.events < p.plan.Events {
			if err := p.pause(ctx, tick); err != nil {
				return Result{}, fmt.Errorf("replay stopped after %d of %d events: %w", p.events, p.plan.Events, err)
			}
		}
	}
	r := Result{
		EventsSent: p.events, PoisonSent: p.poison, Sessions: p.crowd.Sessions(),
		Seconds: p.now().Sub(start).Seconds(), PutRetries: p.sender.Retries(),
	}
	if r.Seconds > 0 {
		r.EventsPerSecond = float64(r.EventsSent) / r.Seconds
	}
	return r, nil
}

// queueDue queues what should have been sent since the start, as far as the queue has room.
func (p *player) queueDue(elapsed time.Duration) error {
	due := p.plan.Events
	if p.plan.Rate > 0 {
		due = min(due, 1+int(elapsed.Seconds()*p.plan.Rate))
	}
	for p.sender.Pending() < fullQueue {
		left, poisonLeft := p.plan.Events-p.events, p.plan.Poison-p.poison
		if left+poisonLeft == 0 || (left > 0 && p.events >= due) {
			return nil
		}
		isPoison := p.random.IntN(left+poisonLeft) < poisonLeft
		if err := p.queue(isPoison); err != nil {
			return err
		}
	}
	return nil
}

// queue adds one click, or one bad record made from a click that is then lost.
func (p *player) queue(isPoison bool) error {
	click, err := p.crowd.Next(p.now())
	if err != nil {
		return err
	}
	if !isPoison {
		p.sender.Add(shardwriter.Record{Key: click.SessionID, Data: click.Data})
		p.events++
		return nil
	}
	p.sender.Add(shardwriter.Record{Key: fmt.Sprintf("poison-%s-%d", p.plan.Run, p.poison), Data: poison(p.poison, click.Data)})
	p.poison++
	return nil
}
