package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/lab/shadow"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// TestShadowAsksBothVersions: also one that is not live; and nothing of the traffic changes.
func TestShadowAsksBothVersions(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	ids := threeVersions(t, store)
	if _, err := store.StartExperiment(t.Context(), experimentOf("runs", ids[1], 0.5), byTest); err != nil {
		t.Fatal(err)
	}
	var events bytes.Buffer
	for i := range 30 {
		fmt.Fprintf(&events, `{"session_id":"s%d","customer_number":%d,"browse_history":[]}`+"\n", i, i%5)
	}
	name := filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(name, events.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context, control, treatment string) (string, error) {
		var out bytes.Buffer
		err := (&shadow.Command{PGVector: envconfig.PGVector{DSN: dsn}, Control: control, Treatment: treatment,
			Files: []string{name}, Events: 100}).Run(ctx, &program.Output{Stdout: &out, Stderr: &out})
		return out.String(), err
	}
	same, err := ask(t.Context(), ids[0], ids[0])
	if err != nil || !strings.Contains(same, "      30     0.0%      1.000") {
		t.Errorf("a version and itself: %v\n%s", err, same)
	}
	other, err := ask(t.Context(), ids[2], ids[1])
	if err != nil || strings.Contains(other, "     0.0%") || !strings.Contains(other, "all                30") {
		t.Errorf("two versions: %v\n%s", err, other)
	}
	if _, err := ask(t.Context(), ids[0], "m999999999999999"); err == nil {
		t.Error("a version that nobody loaded answers")
	}
	kept, err := store.Arms(t.Context(), "runs", []string{"session s1", "customer 1"})
	if err != nil || len(kept) > 0 {
		t.Errorf("visitors were drawn: %v, %v", kept, err)
	}
	if live := mustLive(t, store); live != ids[0] {
		t.Errorf("%s is live", live)
	}
	if x, err := store.Experiment(t.Context(), "runs"); err != nil || x.EndedAt != nil {
		t.Errorf("the experiment: %+v, %v", x, err)
	}
}
