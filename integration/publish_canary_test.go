package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

func TestCanaryTakesItsShareAndGivesItBack(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	ids := mustRefuseCanaries(t, store)
	if err := store.StartCanary(t.Context(), ids[2], 0.3, byTest); err != nil {
		t.Fatal(err)
	}
	var events []*activity.Event
	for i := range 200 {
		events = append(events, &activity.Event{SessionID: fmt.Sprint("session ", i),
			BrowseHistory: []activity.Browse{{ProductCode: "S000001"}}})
	}
	count := func() map[string]int {
		answers, err := recommend.New(store).Batch(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		for _, a := range answers {
			n[a.ModelVersion]++
		}
		return n
	}
	if n := count(); n[ids[2]] < 30 || n[ids[2]] > 90 || n[ids[1]] != 200-n[ids[2]] {
		t.Errorf("answers by version: %v", n)
	}
	dropped, err := store.Prune(t.Context(), 0)
	if err != nil || !slices.Equal(dropped, []string{ids[4], ids[3]}) {
		t.Errorf("except live, previous and canary were dropped %v: %v", dropped, err)
	}
	versions, err := store.Versions(t.Context())
	if err != nil || versions[slices.IndexFunc(versions,
		func(v vectorstore.Version) bool { return v.ID == ids[2] })].Canary != 0.3 {
		t.Errorf("listed: %+v, %v", versions, err)
	}
	if err := store.StartCanary(t.Context(), ids[0], 0.5, byTest); err != nil { // in its place
		t.Fatal(err)
	}
	if was, err := store.StopCanary(t.Context(), byTest); err != nil || was != ids[0] {
		t.Errorf("ended %s: %v", was, err)
	}
	if n := count(); n[ids[1]] != 200 {
		t.Errorf("after the canary's end: %v", n)
	}
	if err := store.StartCanary(t.Context(), ids[2], 0.5, byTest); err != nil {
		t.Fatal(err)
	}
	if err := store.Promote(t.Context(), ids[2], byTest); err != nil { // to all
		t.Fatal(err)
	}
	if n := count(); n[ids[2]] != 200 {
		t.Errorf("after the canary's promotion: %v", n)
	}
	mustHistory(t, store, "promote >0", "promote 0>1", "canary 1>2", "canary 1>0", "canary-off 0>1", "canary 1>2",
		"promote 1>2")
	history, err := store.History(t.Context())
	if err != nil || history[2].Share != 0.3 || history[3].Share != 0.5 || history[4].Share != 0 {
		t.Errorf("history: %+v, %v", history, err)
	}
}

// mustRefuseCanaries loads five versions, of which the second is live and the first came before it,
// and tries what is no canary.
func mustRefuseCanaries(t *testing.T, store *vectorstore.Store) (ids []string) {
	t.Helper()
	for i := range 5 {
		v := randomVersion(fmt.Sprintf("m12000000000000%d", i), uint64(i), 40, 5, 4)
		ids = append(ids, v.ID)
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.StartCanary(t.Context(), ids[1], 0.3, byTest); !errors.Is(err, vectorstore.ErrNoLiveVersion) {
		t.Errorf("a canary while nothing is live: %v", err)
	}
	for _, id := range ids[:2] {
		if err := store.Promote(t.Context(), id, byTest); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.StopCanary(t.Context(), byTest); !errors.Is(err, vectorstore.ErrNoCanary) {
		t.Errorf("end no canary: %v", err)
	}
	for _, share := range []float64{0, 1, -1} {
		if err := store.StartCanary(t.Context(), ids[2], share, byTest); err == nil {
			t.Errorf("a share of %g was taken", share)
		}
	}
	if err := store.StartCanary(t.Context(), ids[1], 0.3, byTest); err == nil {
		t.Error("the live version became a canary of itself")
	}
	return ids
}

func TestGateAndRollbackRefuseACanaryToo(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	live, back, bad := randomVersion("m130000000000000", 1, 20, 3, 4), randomVersion("m130000000000001", 2, 20, 3,
		4), randomVersion("m130000000000002", 3, 20, 3, 4)
	bad.Report.Verdict.Pass = false
	mustGoLive(t, store, live)
	mustGoLive(t, store, back)
	if _, err := store.Rollback(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{back.ID, bad.ID} {
		if err := store.StartCanary(t.Context(), id, 0.1, byTest); !errors.Is(err, vectorstore.ErrRefused) {
			t.Errorf("canary %s: %v", id, err)
		}
	}
	forced := vectorstore.PromoteOptions{Actor: "test", Force: true, Reason: "to see"}
	if err := store.StartCanary(t.Context(), bad.ID, 0.1, forced); err != nil {
		t.Error(err)
	}
	mustHistory(t, store, "promote >0", "promote 0>1", "rollback 1>0", "refuse 0>1", "refuse 0>2", "canary 0>2")
}

// Somebody makes the version live and rolls it back just when it is promoted again: after its
// rollbacks were looked for, before the pointer moves.
func TestPromotionNoticesARollbackThatEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	a, b := randomVersion("m140000000000000", 1, 20, 3, 4), randomVersion("m140000000000001", 2, 20, 3, 4)
	mustGoLive(t, store, a)
	if _, err := store.Load(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), `WITH rolled AS (INSERT INTO kindred.promotion (actor, action, from_version, to_version, reason)
			VALUES ('ann', 'rollback', 'm140000000000001', 'm140000000000000', '') RETURNING id)
		UPDATE kindred.live SET moves = moves + 2`)
	if err != nil {
		t.Fatal(err)
	}
	promoted := make(chan error, 1)
	go func() { promoted <- store.Promote(t.Context(), b.ID, byTest) }()
	watch := mustVectorConn(t, dsn)
	for deadline := time.Now().Add(cleanupTime); ; time.Sleep(10 * time.Millisecond) {
		var waiting bool
		err := watch.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
			AND wait_event_type = 'Lock' AND query LIKE 'UPDATE kindred.live%')`).Scan(&waiting)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the promotion does not wait for the pointer: %v", err)
		}
		if waiting {
			break
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-promoted; !errors.Is(err, vectorstore.ErrConflict) || mustLive(t, store) != a.ID {
		t.Errorf("promoted a version that was rolled back: %v", err)
	}
}

func mustVectorConn(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		conn.Close(ctx)
	})
	return conn
}

// The course's own tables have the names of our views.
func TestATableInTheViewsPlaceIsNamed(t *testing.T) {
	t.Parallel()
	for _, taken := range []string{"item_emb", "user_emb"} {
		dsn := mustStack(t).mustVectorDatabase(t)
		store := mustVectorStore(t, dsn)
		execPostgres(t, t.Context(), dsn, `CREATE TABLE public.`+taken+` (id text, embedding vector(32))`)
		v := randomVersion("m150000000000000", 1, 20, 3, 4)
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		err := store.Promote(t.Context(), v.ID, byTest)
		if !errors.Is(err, vectorstore.ErrNameTaken) || !strings.Contains(err.Error(), "ALTER TABLE public."+taken) {
			t.Errorf("%s: %v", taken, err)
		}
		if _, err := store.Traffic(t.Context()); !errors.Is(err, vectorstore.ErrNoLiveVersion) {
			t.Errorf("%s: half a promotion: %v", taken, err)
		}
		execPostgres(t, t.Context(), dsn, `ALTER TABLE public.`+taken+` RENAME TO mine`)
		if err := store.Promote(t.Context(), v.ID, byTest); err != nil {
			t.Errorf("%s, renamed: %v", taken, err)
		}
	}
}
