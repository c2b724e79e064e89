package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/job/publish"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
)

var byTest = vectorstore.PromoteOptions{Actor: "test"}

// trained holds model versions in memory; the last one is the newest.
type trained []*modelversion.Version

func (a trained) Current(context.Context) (string, modelversion.Verdict, error) {
	return a[len(a)-1].ID, a[len(a)-1].Report.Verdict, nil
}

func (a trained) Read(_ context.Context, id string) (*modelversion.Version, error) {
	for _, v := range a {
		if v.ID == id {
			return v, nil
		}
	}
	return nil, errors.New("no such version")
}

func mustLive(t *testing.T, store *vectorstore.Store) string {
	t.Helper()
	traffic, err := store.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return traffic.Live.Version
}

func TestPublishTakesVersionsLiveAndBack(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	var versions trained
	for i := range 5 {
		// each of its own dimension
		versions = append(versions, randomVersion(fmt.Sprintf("m10000000000000%d", i), uint64(i), 30, 5, 4+i))
		result, err := publish.Run(t.Context(), publish.Database{Store: store}, versions, "", byTest)
		if err != nil {
			t.Fatal(err)
		}
		want := versions[i].ID
		if !result.Promoted || result.NoOp || result.ModelVersion != want || mustLive(t, store) != want ||
			result.Items != 30 {
			t.Fatalf("version %d: %+v", i, result)
		}
	}
	again, err := publish.Run(t.Context(), publish.Database{Store: store}, versions, "", byTest)
	if err != nil || again.Promoted || !again.NoOp {
		t.Errorf("second run: %+v, %v", again, err)
	}
	listed, err := store.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, v := range listed {
		states = append(states, string(v.State))
	}
	want := []string{"ready", "ready", "ready", "dropped", "dropped"}
	if !slices.Equal(states, want) || !listed[0].Live || !listed[1].Previous {
		t.Errorf("versions: %v, want %v with the first live", states, want)
	}

	back, err := store.Rollback(t.Context(), vectorstore.PromoteOptions{Actor: "operator", Reason: "it recommends socks"})
	if err != nil || back != versions[3].ID || mustLive(t, store) != versions[3].ID {
		t.Fatalf("rolled back to %q, %v", back, err)
	}
	if got := viewRows(t, dsn); got != "30 products of 7, 5 customers of 7" {
		t.Errorf("views show %s", got)
	}
	// the nightly run finds the same newest version
	_, err = publish.Run(t.Context(), publish.Database{Store: store}, versions, "", byTest)
	if !errors.Is(err, vectorstore.ErrRefused) || !strings.Contains(err.Error(), "socks") ||
		mustLive(t, store) != versions[3].ID {
		t.Errorf("a run after the rollback: %v", err)
	}
	forced := vectorstore.PromoteOptions{Actor: "operator", Reason: "socks are fine", Force: true}
	if _, err := publish.Run(t.Context(), publish.Database{Store: store}, versions, "", forced); err != nil ||
		mustLive(t, store) != versions[4].ID {
		t.Errorf("forced: %v", err)
	}
	if got := viewRows(t, dsn); got != "30 products of 8, 5 customers of 8" {
		t.Errorf("views show %s", got)
	}
	mustHistory(t, store, "promote >0", "promote 0>1", "promote 1>2", "promote 2>3", "promote 3>4",
		"rollback 4>3", "refuse 3>4", "force 3>4")
}

// A shop that comes back brings its model back: no loading again, and no force, unless somebody
// rolled it back.
func TestPublishAgainOfAnEarlierVersionNeedsNeitherLoadNorForce(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	a, b := randomVersion("m110000000000000", 1, 20, 3, 4), randomVersion("m110000000000001", 2, 20, 3, 4)
	var loadedAt *time.Time
	for i, newest := range []*modelversion.Version{a, b, a, b} {
		result, err := publish.Run(t.Context(), publish.Database{Store: store}, trained{newest}, "", byTest)
		if err != nil || !result.Promoted || mustLive(t, store) != newest.ID {
			t.Fatalf("run %d: %+v, %v", i, result, err)
		}
		versions, err := store.Versions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := versions[slices.IndexFunc(versions, func(v vectorstore.Version) bool { return v.ID == a.ID })].LoadedAt
		if loadedAt == nil {
			loadedAt = at
		}
		if at == nil || !at.Equal(*loadedAt) {
			t.Errorf("run %d: the first version was loaded at %v and then at %v", i, loadedAt, at)
		}
	}
	mustHistory(t, store, "promote >0", "promote 0>1", "promote 1>0", "promote 0>1")
}

// viewRows asks the views as somebody with SQL of their own would.
func viewRows(t *testing.T, dsn string) (text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	err = conn.QueryRow(t.Context(), `SELECT format('%s products of %s, %s customers of %s', (SELECT count(*) FROM item_emb),
		(SELECT vector_dims(embedding) FROM item_emb ORDER BY embedding <-> embedding, id LIMIT 1), (SELECT count(*) FROM user_emb),
		(SELECT max(vector_dims(embedding)) FROM user_emb WHERE id >= '100'))`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// mustHistory compares the history, with versions by their last digit.
func mustHistory(t *testing.T, store *vectorstore.Store, want ...string) {
	t.Helper()
	history, err := store.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := func(id string) string { return id[max(0, len(id)-1):] }
	var got []string
	for _, p := range history {
		got = append(got, string(p.Action)+" "+last(p.From)+">"+last(p.To))
	}
	if !slices.Equal(got, want) {
		t.Errorf("history %q, want %q", got, want)
	}
}

// A database user named like our schema has that schema first in its search path as soon as it exists.
func TestMigrateAgainAsAUserNamedKindred(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, withSettings(t, mustStack(t).mustVectorDatabase(t), "search_path", "kindred,public"))
	var all sync.WaitGroup
	for range 2 { // at once, too
		all.Go(func() {
			if err := migration.Up(t.Context(), store); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	mustGoLive(t, store, randomVersion("m700000000000000", 1, 10, 2, 4))
}

// TestPublishProgram runs the program's command line on model versions in a folder.
func TestPublishProgram(t *testing.T) {
	t.Parallel()
	dsn, folder := mustStack(t).mustVectorDatabase(t), t.TempDir()
	models := commit.NewRepository(objectstore.NewFolder(folder), envconfig.ModelPrefix)
	run := func(result any, args ...string) (code int, stderr string) {
		var stdout, problems bytes.Buffer
		args = append(args, "--json", "--pgvector-dsn", dsn)
		code = program.Run(t.Context(), "publish", publish.Description, &publish.Command{}, args, &stdout, &problems)
		if code == 0 && readResult(stdout.String(), result) != nil {
			t.Errorf("publish %v printed %s", args, &stdout)
		}
		return code, problems.String()
	}
	artifacts := "--artifacts=file://" + folder
	var result publish.Result
	if code, stderr := run(&result, "list"); code != 1 || !strings.Contains(stderr, "never migrated") {
		t.Errorf("list of an empty database: exit %d, %s", code, stderr)
	}
	if code, stderr := run(&result, artifacts); code != 1 || !strings.Contains(stderr, "train a model first") {
		t.Errorf("publish nothing: exit %d, %s", code, stderr)
	}
	good, bad := randomVersion("m800000000000000", 1, 40, 6, 4), randomVersion("m800000000000001", 2, 40, 6, 4)
	bad.Report.Verdict = modelversion.Verdict{Reasons: []string{"popularity ranks better"}}
	for _, v := range []*modelversion.Version{good, bad} {
		if _, err := modelfile.Write(t.Context(), models, v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	if code, stderr := run(&result, artifacts); code != 5 || !strings.Contains(stderr, "popularity ranks better") {
		t.Errorf("publish a refused version: exit %d, %s", code, stderr)
	}
	if code, _ := run(&result, artifacts, "--force"); code != 2 {
		t.Errorf("force without a reason: exit %d", code)
	}
	if code, stderr := run(&result, artifacts, good.ID); code != 0 || !result.Promoted || result.Items != 40 ||
		!result.Verdict.Pass {
		t.Errorf("publish a version by name: exit %d, %+v, %s", code, result, stderr)
	}
	if code, stderr := run(&result, artifacts, "run", good.ID); code != 0 || !result.NoOp || result.Promoted {
		t.Errorf("publish it again: exit %d, %+v, %s", code, result, stderr)
	}
	if code, stderr := run(&result, artifacts, "--force", "--reason", "a try", "--actor", "ann"); code != 0 ||
		result.ModelVersion != bad.ID {
		t.Errorf("force: exit %d, %+v, %s", code, result, stderr)
	}
	var back struct {
		ModelVersion string `json:"model_version"`
	}
	if code, stderr := run(&back, "rollback", "--reason", "it was bad"); code != 0 || back.ModelVersion != good.ID {
		t.Errorf("roll back: exit %d, %+v, %s", code, back, stderr)
	}
	testCanaryCommand(t, run, artifacts, bad.ID)
	var live vectorstore.Version
	if code, stderr := run(&live, "show"); code != 0 || live.ID != good.ID || !live.Live {
		t.Errorf("show: exit %d, %+v, %s", code, live, stderr)
	}
	var list struct {
		Versions []vectorstore.Version
		History  []vectorstore.Promotion
	}
	if code, stderr := run(&list, "list"); code != 0 || len(list.Versions) != 2 || len(list.History) != 7 ||
		list.History[2].Actor != "ann" {
		t.Errorf("list: exit %d, %+v, %s", code, list, stderr)
	}
}

// testCanaryCommand runs `publish canary` with a version that the gate refuses.
func testCanaryCommand(t *testing.T, run func(result any, args ...string) (code int, stderr string), artifacts,
	bad string) {
	t.Helper()
	var canary publish.CanaryResult
	if code, stderr := run(&canary, "canary", artifacts); code != 5 ||
		!strings.Contains(stderr, "popularity ranks better") {
		t.Errorf("canary of a refused version: exit %d, %s", code, stderr)
	}
	if code, stderr := run(&canary, "canary", artifacts, bad, "--share", "0.25", "--force", "--reason",
		"a look"); code != 0 || canary.Share != 0.25 {
		t.Errorf("canary: exit %d, %+v, %s", code, canary, stderr)
	}
	if code, stderr := run(&canary, "canary", "--off"); code != 0 || canary.ModelVersion != bad || canary.Share != 0 {
		t.Errorf("canary's end: exit %d, %+v, %s", code, canary, stderr)
	}
	for _, wrong := range [][]string{{"--off", bad}, {bad, "--share", "1"}, {bad, "--force"}} {
		if code, _ := run(&canary, append([]string{"canary", artifacts}, wrong...)...); code != 2 {
			t.Errorf("canary %v: exit %d", wrong, code)
		}
	}
}

func TestGateRefusalLeavesThePointer(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	good, bad := randomVersion("m200000000000000", 1, 20, 3, 4), randomVersion("m200000000000001", 2, 20, 3, 4)
	bad.Report.Verdict = modelversion.Verdict{Reasons: []string{"it is no better than popularity"}}
	_, err := publish.Run(t.Context(), publish.Database{Store: store}, trained{bad}, "", byTest)
	if _, live := store.Traffic(t.Context()); !errors.Is(err, vectorstore.ErrRefused) ||
		!errors.Is(live, vectorstore.ErrNoLiveVersion) {
		t.Errorf("first version refused: %v; then live: %v", err, live)
	}
	mustGoLive(t, store, good)
	_, err = publish.Run(t.Context(), publish.Database{Store: store}, trained{good, bad}, "", byTest)
	var refusal *vectorstore.Refusal
	if !errors.As(err, &refusal) || !slices.Equal(refusal.Reasons, bad.Report.Verdict.Reasons) ||
		mustLive(t, store) != good.ID {
		t.Errorf("refused: %v", err)
	}
	if err := store.Promote(t.Context(), bad.ID, vectorstore.PromoteOptions{Actor: "test", Force: true}); err == nil {
		t.Error("force without a reason was taken")
	}
	if _, err := store.Rollback(t.Context(), byTest); !errors.Is(err, vectorstore.ErrNoPrevious) {
		t.Errorf("roll back with nothing before: %v", err)
	}
	if err := store.Promote(t.Context(), "m2000000000000ff", byTest); !errors.Is(err, vectorstore.ErrUnknownVersion) {
		t.Errorf("unknown version: %v", err)
	}
	mustHistory(t, store, "refuse >1", "promote >0", "refuse 0>1")
}

func TestBrokenVersionIsRefusedBeforeAnythingShows(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	live := mustGoLive(t, store, randomVersion("m300000000000000", 1, 20, 3, 4))
	tests := map[string]func(v *modelversion.Version){
		"NaN in an item":            func(v *modelversion.Version) { v.Items[3].Vector[1] = float32(math.NaN()) },
		"infinity in a customer":    func(v *modelversion.Version) { v.Customers[1].Vector[0] = float32(math.Inf(1)) },
		"wrong dimension":           func(v *modelversion.Version) { v.Items[0].Vector = v.Items[0].Vector[:3] },
		"item twice":                func(v *modelversion.Version) { v.Items[4].Code = v.Items[3].Code },
		"customer twice":            func(v *modelversion.Version) { v.Customers[1].ID = v.Customers[0].ID },
		"rated twice":               func(v *modelversion.Version) { v.Customers[1].Rated = []string{"S000001", "S000001"} },
		"Gram matrix of wrong size": func(v *modelversion.Version) { v.Solver.Gram = v.Solver.Gram[1:] },
		"Gram matrix of others":     func(v *modelversion.Version) { v.Solver.Gram[0] *= 2 },
		"no items":                  func(v *modelversion.Version) { v.Items = nil; setGram(v) },
		"no identifier":             func(v *modelversion.Version) { v.ID = `m"; DROP SCHEMA kindred` },
	}
	for name, spoil := range tests {
		v := randomVersion("m300000000000001", 2, 20, 3, 4)
		spoil(v)
		if _, err := store.Load(t.Context(), v); !errors.Is(err, vectorstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if err := store.Promote(t.Context(), v.ID, byTest); !errors.Is(err, vectorstore.ErrUnknownVersion) {
			t.Errorf("%s: promoted: %v", name, err)
		}
	}
	if got := mustLive(t, store); got != live.Version {
		t.Errorf("%s is live", got)
	}
	if _, err := store.Load(t.Context(), randomVersion("m300000000000001", 2, 20, 3, 4)); err != nil {
		t.Errorf("whole version after broken ones: %v", err)
	}
}

func TestInterruptedLoadHeals(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	live := mustGoLive(t, store, randomVersion("m400000000000000", 1, 20, 3, 4))
	v := randomVersion("m400000000000001", 2, 3000, 500, 32)
	interrupted := 0
	for _, ms := range []time.Duration{1, 3, 8, 20, 40} {
		after := ms * time.Millisecond
		ctx, stop := context.WithTimeout(t.Context(), after)
		_, err := store.Load(ctx, v)
		stop()
		if err == nil {
			break // faster than this limit
		}
		interrupted++
		if errors.Is(err, vectorstore.ErrInvalid) {
			t.Errorf("stopped after %v: the version is blamed: %v", after, err)
		}
		if err := store.Promote(t.Context(), v.ID, byTest); !errors.Is(err, vectorstore.ErrUnknownVersion) {
			t.Errorf("stopped after %v: promoted: %v", after, err)
		}
	}
	if interrupted == 0 {
		t.Fatal("no load was interrupted")
	}
	// What a loader of another build might leave: tables without the rows, state loading.
	w := randomVersion("m400000000000002", 3, 50, 5, 4)
	execPostgres(t, t.Context(), dsn, `CREATE SCHEMA model_m400000000000002; CREATE TABLE model_m400000000000002.item (code int);
		INSERT INTO kindred.model_version (version, state, training_run, trainer_version, trained_at, dim, solver, gram, encoder, report, items,
			customers, rated, index_kind) VALUES ('m400000000000002', 'loading', '', '', now(), 1, '{}', '', '{}', '{}', 0, 0, 0, 'exact')`)
	if got := mustLive(t, store); got != live.Version {
		t.Errorf("%s is live", got)
	}
	for _, whole := range []*modelversion.Version{v, w} {
		m := mustGoLive(t, store, whole)
		search := recommend.Search{Vector: whole.Customers[1].Vector, Limit: 20}
		candidates, _, err := store.Retrieve(t.Context(), m, []recommend.Search{search}, nil)
		if err != nil || m.Version != whole.ID || len(candidates[0]) != 20 ||
			candidates[0][0].Code != bruteForce(whole, search)[0] {
			t.Errorf("healed version %s: %v, %v", whole.ID, candidates, err)
		}
	}
}

// TestReadersSeeOneLiveVersionWhileTheyChange reads with four clients while versions are loaded,
// promoted, rolled back and dropped. No read fails except for a version that was dropped after its
// pointer was read, no answer is empty, and each comes from one version.
func TestReadersSeeOneLiveVersionWhileTheyChange(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	writer, readers := mustVectorStore(t, dsn), mustVectorStore(t, withSettings(t, dsn, "pool_max_conns", "4"))
	mustGoLive(t, writer, likedVersion(1))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	var mu sync.Mutex
	var reads int
	seen, gone := map[string]bool{}, map[string]bool{}
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				traffic, err := readers.Traffic(t.Context())
				if err != nil {
					t.Errorf("read pointer: %v", err)
					return
				}
				m := traffic.Live
				query := make([]float32, 8)
				query[0] = 1
				candidates, _, err := readers.Retrieve(t.Context(), m,
					[]recommend.Search{{Limit: 5}, {Vector: query, Limit: 5}}, nil)
				mu.Lock()
				reads++
				seen[m.Version] = true
				switch {
				case errors.Is(err, vectorstore.ErrVersionGone):
					gone[m.Version] = true
				case err != nil:
					t.Errorf("retrieve from %s: %v", m.Version, err)
				case len(candidates[0]) != 5 || len(candidates[1]) != 5:
					t.Errorf("answers of %d and %d candidates", len(candidates[0]), len(candidates[1]))
				default:
					for _, c := range candidates[0] {
						if want := m.Version[len(m.Version)-2:]; fmt.Sprintf("%02.0f", c.Score) != want {
							t.Errorf("an answer of version %s came from %v", want, c.Score)
						}
					}
				}
				mu.Unlock()
			}
		})
	}
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return reads >= 200 && len(seen) >= 4
	}
	moves, least := 0, time.Now().Add(2*time.Second)
	for i := 2; i < 99 && !t.Failed() && (time.Now().Before(least) || !enough()); i++ {
		v := likedVersion(i)
		mustGoLive(t, writer, v)
		if _, err := writer.Rollback(t.Context(), byTest); err != nil {
			t.Fatal(err)
		}
		forced := vectorstore.PromoteOptions{Actor: "test", Reason: "forward again", Force: true}
		if err := writer.Promote(t.Context(), v.ID, forced); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Prune(t.Context(), publish.KeepVersions); err != nil {
			t.Fatal(err)
		}
		moves += 3
	}
	stop()
	clients.Wait()
	t.Logf("%d reads, %d moves of the pointer, %d versions seen, %d dropped under a read", reads, moves, len(seen),
		len(gone))
	if !enough() {
		t.Errorf("%d reads saw %d versions: too little happened", reads, len(seen))
	}
	mustExplain(t, writer, seen, gone)
}

// likedVersion is version i, each product of which is liked by i customers.
func likedVersion(i int) *modelversion.Version {
	v := randomVersion(fmt.Sprintf("m5000000000000%02d", i), uint64(i), 200, 10, 8)
	for n := range v.Items {
		v.Items[n].Positives, v.Items[n].QuantityInStock = int32(i), 1
	}
	return v
}

// mustExplain checks that the versions which answered were live, and that those which were not found
// had been dropped.
func mustExplain(t *testing.T, store *vectorstore.Store, seen, gone map[string]bool) {
	t.Helper()
	history, err := store.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for version := range seen {
		if !slices.ContainsFunc(history, func(p vectorstore.Promotion) bool { return p.To == version }) {
			t.Errorf("%s answered, but never was live", version)
		}
	}
	versions, err := store.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		if gone[v.ID] && v.State != vectorstore.StateDropped {
			t.Errorf("a read did not find version %s, which is %s", v.ID, v.State)
		}
	}
}
