package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"kindred/integration/lambdaruntime"
	"kindred/internal/stream/activity/activitytest"
)

// starts measures from exec to the first request for work, by turns, in milliseconds.
func (c *command) starts(ctx context.Context, functions map[string]string) (map[string][]float64, error) {
	taken := map[string][]float64{}
	for range c.Starts {
		for name, program := range functions {
			begin := time.Now()
			process, err := lambdaruntime.Start(newCommand(ctx, program, "postgres://nobody@127.0.0.1:1/nothing?sslmode=disable",
				"http://127.0.0.1:1"))
			if err != nil {
				return nil, err
			}
			select {
			case <-process.Ready():
				taken[name] = append(taken[name], milliseconds(time.Since(begin)))
			case <-process.Ended():
				return nil, fmt.Errorf("start %s: it ended", name)
			}
			end(ctx, process)
		}
	}
	return sorted(taken), nil
}

// firstAnswers measures from exec to the delivery of the answer to one event, by turns, in milliseconds: of a
// function that asks the database, of one that may keep the version in memory, which it loads after its
// first answers, and of one whose database is a round trip away.
func (c *command) firstAnswers(ctx context.Context, dsn string, shop activitytest.Shop, function string,
) (map[string][]float64, error) {
	taker, artifacts := newFirehose(), c.artifacts()
	defer taker.Close()
	defer artifacts.Close()
	distant, err := newFar(ctx, dsn, c.RoundTrip)
	if err != nil {
		return nil, err
	}
	defer func() { _ = distant.listener.Close() }() // ends with the process
	event, err := json.Marshal(shop.Batch(0, 1))
	if err != nil {
		return nil, err
	}
	taken := map[string][]float64{}
	for range c.Starts {
		for subject, dsn := range map[string]string{kindred: dsn, inMemory: dsn, farAway: distant.dsn} {
			cmd := newCommand(ctx, function, dsn, taker.URL)
			if subject == inMemory {
				holding(cmd, artifacts.URL, &watched{})
			}
			begin := time.Now()
			process, err := lambdaruntime.Start(cmd)
			if err != nil {
				return nil, err
			}
			err = invoke(process, event)
			end(ctx, process)
			if err != nil {
				return nil, fmt.Errorf("first answer of %s: %w", subject, err)
			}
			taken[subject] = append(taken[subject], milliseconds((<-taker.arrived).Sub(begin)))
		}
	}
	return sorted(taken), nil
}

// end ends a function, in the end by force.
func end(ctx context.Context, process *lambdaruntime.Process) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_ = process.Stop(ctx) // it is killed then
}

// sorted sorts each subject's times.
func sorted(taken map[string][]float64) map[string][]float64 {
	for _, times := range taken {
		slices.Sort(times)
	}
	return taken
}
