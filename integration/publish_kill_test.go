package integration

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/publish"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/platform/envconfig"
)

// killSeeds: go test ./integration -run TestKilledLoaderHeals -kill-seeds 30
var killSeeds = flag.Int("kill-seeds", 3, "how many times the loader is killed")

// TestKilledLoaderHeals kills the program's process at random moments of publishing a version that
// is large enough for an index.
func TestKilledLoaderHeals(t *testing.T) {
	t.Parallel()
	dsn, folder := mustStack(t).mustVectorDatabase(t), t.TempDir()
	store := mustVectorStore(t, dsn)
	models := commit.NewRepository(objectstore.NewFolder(folder), envconfig.ModelPrefix)
	binary := mustProgram(t, "publish")
	start := func(ctx context.Context, id string) (result publish.Result, stderr string, err error) {
		command := exec.CommandContext(ctx, binary, "run", id, "--json", "--artifacts", "file://"+folder, "--pgvector-dsn",
			dsn, "--actor", "test")
		var stdout, problems bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &problems
		err = command.Run() // the context's end is SIGKILL
		if err == nil {
			err = readResult(stdout.String(), &result)
		}
		return result, problems.String(), err
	}
	write := func(n int) string {
		v := randomVersion(fmt.Sprintf("m17000000000%04d", n), uint64(n), 3100, 300, 8)
		if _, err := modelfile.Write(t.Context(), models, v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
		return v.ID
	}
	live := write(0)
	begin := time.Now()
	if result, stderr, err := start(t.Context(), live); err != nil || !result.Promoted {
		t.Fatalf("publish: %v, %s", err, stderr)
	}
	whole := time.Since(begin)
	killed := 0
	for seed := 1; killed < *killSeeds; seed++ {
		id := write(seed)
		after := time.Duration(rand.New(rand.NewPCG(uint64(seed), 7)).Int64N(int64(whole)))
		ctx, cancel := context.WithTimeout(t.Context(), after)
		begin = time.Now()
		_, stderr, err := start(ctx, id)
		cancel()
		want := live
		switch {
		case err == nil:
			want, whole = id, min(whole, time.Since(begin))/2 // it was done sooner, so the next one is killed sooner
		case strings.Contains(err.Error(), "killed"):
			killed++
		default:
			t.Errorf("seed %d: %v, %s", seed, err, stderr)
		}
		if got := mustLive(t, store); got != want && got != id { // the last statement may have been done, and not answered
			t.Errorf("seed %d, killed after %v: %s is live, want %s", seed, after, got, want)
		}
		result, stderr, err := start(t.Context(), id)
		if err != nil || result.Items != 3100 || mustLive(t, store) != id {
			t.Errorf("seed %d, killed after %v, the next run: %+v, %v, %s", seed, after, result, err, stderr)
		}
		live = id
	}
}
