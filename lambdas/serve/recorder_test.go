package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/platform/logkey"
)

// kept is a recorder that keeps the lines, unless it is told to refuse them.
type kept struct {
	mu     sync.Mutex
	lines  [][]byte
	refuse atomic.Bool
}

func (k *kept) record(_ context.Context, line []byte) bool {
	if k.refuse.Load() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines = append(k.lines, line)
	return true
}

func (k *kept) all() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.lines)
}

// flaky is a delivery stream that says which of a batch it takes.
type flaky struct {
	take func(lines [][]byte) (failed []int)
	mu   sync.Mutex
	got  map[string]int
}

func (f *flaky) Put(_ context.Context, lines [][]byte) ([]int, error) {
	failed := f.take(lines)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, line := range lines {
		if !slices.Contains(failed, i) {
			f.got[string(line)]++
		}
	}
	if len(failed) > 0 {
		return failed, errors.New("slow down")
	}
	return nil, nil
}

// TestOutboxDeliversWhatItTakes: whatever the stream refuses for a time, and however small the outbox is, what was
// taken arrives once and nothing else does.
func TestOutboxDeliversWhatItTakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		refused := rapid.SliceOfN(rapid.SliceOf(rapid.IntRange(0, 9)), 0, 4).Draw(rt, "refused in each call")
		limit := rapid.IntRange(1, 400).Draw(rt, "limit")
		gaps := rapid.SliceOfN(rapid.IntRange(0, 300), 1, 60).Draw(rt, "milliseconds between answers")
		synctest.Test(t, func(t *testing.T) {
			call := 0
			stream := &flaky{got: map[string]int{}, take: func(lines [][]byte) (failed []int) {
				if call < len(refused) {
					for _, i := range refused[call] {
						if i < len(lines) && !slices.Contains(failed, i) {
							failed = append(failed, i)
						}
					}
				}
				call++
				slices.Sort(failed)
				return failed
			}}
			box := newOutbox(stream, slog.New(slog.DiscardHandler))
			box.limit = limit
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- box.run(ctx) }()
			promised := map[string]int{}
			for i, gap := range gaps {
				if line := fmt.Sprintf("record %d", i); box.record(ctx, []byte(line)) {
					promised[line] = 1
				} else if box.bytes+len(line) <= limit {
					rt.Fatalf("refused with room for it: %d of %d bytes are taken", box.bytes, limit)
				}
				time.Sleep(time.Duration(gap) * time.Millisecond)
			}
			cancel()
			if err := <-ended; err != nil {
				rt.Fatal(err)
			}
			if fmt.Sprint(stream.got) != fmt.Sprint(promised) || box.bytes != 0 {
				rt.Fatalf("delivered %v, promised %v; %d bytes are left", stream.got, promised, box.bytes)
			}
			if box.record(t.Context(), []byte("late")) {
				rt.Fatal("it takes what nobody will deliver")
			}
		})
	})
}

// TestOutboxSaysWhatIsLost: the stream is down until the end.
func TestOutboxSaysWhatIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		stream := &flaky{got: map[string]int{}, take: func(lines [][]byte) (all []int) {
			for i := range lines {
				all = append(all, i)
			}
			return all
		}}
		box := newOutbox(stream, slog.New(slog.NewJSONHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- box.run(ctx) }()
		for i := range 3 {
			box.record(ctx, fmt.Appendf(nil, "record %d", i))
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "3 records") {
			t.Errorf("it ends with %v", err)
		}
		if !strings.Contains(log.String(), `"records":3`) || !strings.Contains(log.String(), "slow down") {
			t.Errorf("the log says %s", &log)
		}
	})
}

// hanging is a delivery stream that answers when it is too late.
type hanging struct{}

func (hanging) Put(ctx context.Context, lines [][]byte) ([]int, error) {
	<-ctx.Done()
	return make([]int, len(lines)), ctx.Err()
}

func TestAtOnceWaitsNoLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log, metrics bytes.Buffer
		d := atOnce{hanging{}, slog.New(slog.NewJSONHandler(&log, nil)), &metrics, "kindred-dev-serve",
			&sample{kinds: map[string]*sampled{}}, time.Now}
		start := time.Now()
		if d.record(t.Context(), []byte("a")) || time.Since(start) != atOnceTime {
			t.Errorf("it waited %v", time.Since(start))
		}
		var line struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
			Function   string
			Unrecorded int
		}
		if err := json.Unmarshal(metrics.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if m := line.AWS.CloudWatchMetrics[0]; line.Unrecorded != 1 || line.Function != "kindred-dev-serve" ||
			m.Namespace != "kindred" || m.Dimensions[0][0] != logkey.Function || m.Metrics[0].Name != logkey.Unrecorded {
			t.Errorf("metrics %s", &metrics)
		}
		if !strings.Contains(log.String(), "answer not recorded") {
			t.Errorf("log %s", &log)
		}
		stream := &flaky{got: map[string]int{}, take: func([][]byte) []int { return nil }}
		d.delivery = stream
		if !d.record(t.Context(), []byte("b")) || stream.got["b"] != 1 {
			t.Errorf("delivered %v", stream.got)
		}
	})
}
