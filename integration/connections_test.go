package integration

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

const (
	// functionConnections are what PostgreSQL has for functions on the smallest class of RDS: of max_connections, which
	// is 75 there, the tasks, RDS and a person keep 11 (terraform/aws, function_concurrency).
	functionConnections = 75 - 11
	// functionProcesses are those of two versions of a function, 20 of each.
	functionProcesses = 40
	// batchesEach is how many batches a process answers in each round.
	batchesEach = 5
)

// TestFunctionsShareTheConnectionsOfASmallDatabase releases a new version: half of the processes answer batches, then
// the others start beside them, and all are there until the end, as Lambda keeps them. PostgreSQL refuses a connection
// more than their budget. No event may fail.
func TestFunctionsShareTheConnectionsOfASmallDatabase(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	d, drop := stack.serving(t.Context(), t)
	t.Cleanup(drop)
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := d.admin[strings.LastIndex(d.admin, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	execPostgres(t, t.Context(), stack.PGVectorDSN, fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", name,
		functionConnections))
	d.store.Close()
	first := mustFunction(t, stack, d.owner+"&pool_max_conns=1", stack.mustBucket(t), "MEMORY_SHARE=0")
	all := []*function{first}
	for len(all) < functionProcesses {
		all = append(all, first.another(t))
	}
	var failed atomic.Int64
	work := func(functions []*function) *errgroup.Group {
		var group errgroup.Group
		for i, f := range functions {
			group.Go(func() error {
				for range batchesEach {
					batch, _ := activityBatch(20, -1)
					failures, err := f.invoke(batch)
					failed.Add(int64(len(failures)))
					if err != nil {
						return fmt.Errorf("process %d: %w", i, err)
					}
				}
				return nil
			})
		}
		return &group
	}
	old, next := all[:functionProcesses/2], all[functionProcesses/2:]
	for _, round := range [][]*function{old, all, next} { // before, at and after the release
		if err := work(round).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if failed.Load() > 0 {
		t.Errorf("%d batches were not answered whole", failed.Load())
	}
	var connections int
	conn := mustVectorConn(t, d.admin)
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+
		"pid <> pg_backend_pid()").Scan(&connections); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d processes keep %d of %d connections", len(all), connections, functionConnections)
	if connections < functionProcesses {
		t.Errorf("only %d connections: the processes did not meet", connections)
	}
}
