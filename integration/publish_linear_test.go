package integration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"kindred/internal/serving/vectorstore"
)

const (
	pointerVersions = 3
	pointerNothing  = -1
)

// pointerState is what the live pointer must be, by numbers of versions.
type pointerState struct {
	live, previous int
	rolled         [pointerVersions]bool // rolled back, and not live since
}

// pointerOp is one call: kind "promote" of version, "rollback" or "read".
type pointerOp struct {
	kind    string
	version int
}

// pointerResult is what it returned: the version for rollback and read. A conflict changes nothing.
type pointerResult struct {
	version           int
	conflict, refused bool
	nothing           bool // rollback found no previous version
}

// pointerModel is the pointer of one process alone: what eight at once must look like.
func pointerModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return pointerState{live: pointerNothing, previous: pointerNothing} },
		Step: func(state, input, output any) (bool, any) {
			s, op, result := state.(pointerState), input.(pointerOp), output.(pointerResult)
			moved := s
			switch {
			case result.conflict:
				return true, s
			case op.kind == "read":
				return s.live == result.version, s
			case op.kind == "promote" && s.live == op.version:
				return !result.refused, s
			case op.kind == "promote" && s.rolled[op.version]:
				return result.refused, s
			case op.kind == "promote":
				moved.live, moved.previous = op.version, s.live
				return !result.refused, moved
			case s.previous == pointerNothing:
				return result.nothing, s
			}
			moved.live, moved.previous = s.previous, s.live
			moved.rolled[s.live], moved.rolled[s.previous] = true, false
			return result.version == s.previous && !result.nothing, moved
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
	}
}

func TestConcurrentPromotersMakeALinearHistory(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, withSettings(t, dsn, "pool_max_conns", "8"))
	const promoters, tries = 8, 15
	var ids []string
	numbers := map[string]int{}
	for i := range pointerVersions {
		v := randomVersion(fmt.Sprintf("m60000000000000%d", i), uint64(i), 10, 2, 4)
		numbers[v.ID], ids = i, append(ids, v.ID)
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	p := pointer{store, ids, numbers}
	var all sync.WaitGroup
	var mu sync.Mutex
	var operations []porcupine.Operation
	begin := time.Now()
	for client := range promoters {
		all.Go(func() {
			for n := range tries {
				op := pointerOp{kind: []string{"promote", "promote", "read", "rollback", "read"}[(3*client+n)%5],
					version: (client + n) % pointerVersions}
				call := time.Since(begin).Nanoseconds()
				result, err := p.do(t.Context(), op)
				back := time.Since(begin).Nanoseconds()
				if err != nil {
					t.Errorf("%+v: %v", op, err)
					return
				}
				mu.Lock()
				operations = append(operations, porcupine.Operation{ClientId: client, Input: op, Call: call, Output: result,
					Return: back})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	check := func(more ...porcupine.Operation) porcupine.CheckResult {
		history := append(append([]porcupine.Operation{}, operations...), more...)
		return porcupine.CheckOperationsTimeout(pointerModel(), history, 2*time.Minute)
	}
	if got := check(); got != porcupine.Ok {
		t.Errorf("the pointer's history is not linear: %s", got)
	}
	conflicts := 0
	for _, o := range operations {
		if o.Output.(pointerResult).conflict {
			conflicts++
		}
	}
	t.Logf("%d calls of %d promoters, %d conflicts", len(operations), promoters, conflicts)

	// The checker itself: histories that must not pass.
	live := numbers[mustLive(t, store)]
	after := func(kind string, version int, result pointerResult, at int64) porcupine.Operation {
		at += time.Since(begin).Nanoseconds()
		return porcupine.Operation{Input: pointerOp{kind, version}, Output: result, Call: at, Return: at + 1}
	}
	other := (live + 1) % pointerVersions
	if check(after("read", 0, pointerResult{version: live}, 0)) != porcupine.Ok {
		t.Error("a right read at the end does not pass")
	}
	if check(after("read", 0, pointerResult{version: other}, 0)) != porcupine.Illegal {
		t.Error("a read of a version that is not live passes")
	}
	if check(after("promote", live, pointerResult{}, 0),
		after("rollback", 0, pointerResult{version: live}, 10)) != porcupine.Illegal {
		t.Error("a rollback to what is live passes")
	}
	p.mustJoin(t)
}

// pointer is the live pointer of a store, with its versions by number.
type pointer struct {
	store   *vectorstore.Store
	ids     []string
	numbers map[string]int
}

// do makes one call. Only an answer that the model does not know is an error.
func (p pointer) do(ctx context.Context, op pointerOp) (r pointerResult, err error) {
	switch op.kind {
	case "read":
		traffic, err := p.store.Traffic(ctx)
		if errors.Is(err, vectorstore.ErrNoLiveVersion) {
			return pointerResult{version: pointerNothing}, nil
		}
		if err != nil {
			return r, err
		}
		return pointerResult{version: p.numbers[traffic.Live.Version]}, nil
	case "promote":
		err = p.store.Promote(ctx, p.ids[op.version], byTest)
	default:
		var version string
		version, err = p.store.Rollback(ctx, byTest)
		r.version = p.numbers[version]
	}
	r.conflict, r.refused, r.nothing = errors.Is(err, vectorstore.ErrConflict), errors.Is(err, vectorstore.ErrRefused),
		errors.Is(err, vectorstore.ErrNoPrevious)
	if r.conflict || r.refused || r.nothing {
		err = nil
	}
	return r, err
}

// mustJoin fails unless each move in the history begins where the one before ended.
func (p pointer) mustJoin(t *testing.T) {
	t.Helper()
	history, err := p.store.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := ""
	for i, move := range history {
		if move.Action == vectorstore.ActionRefuse {
			continue
		}
		if move.From != at || move.To == at {
			t.Errorf("move %d goes from %q to %q, but %q was live", i, move.From, move.To, at)
		}
		at = move.To
	}
	if got := mustLive(t, p.store); got != at || len(history) < pointerVersions {
		t.Errorf("%s is live, the history of %d moves ends at %s", got, len(history), at)
	}
}
