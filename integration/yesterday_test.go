package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"kindred/internal/job/publish"
	"kindred/internal/job/train"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
)

// yesterday is what the programs of commit 7ca8cf2 wrote: a training set, the model version of it,
// and a vector database in which that is live.
const (
	yesterdaysFolder  = "testdata/7ca8cf2"
	yesterdaysVersion = "m12a5dadaef99ebc"
	yesterdaysRun     = "1b86840ea1ec74eb"
)

// yesterdaysFiles are a copy of the lake or of the artifacts.
func yesterdaysFiles(t *testing.T, name string) objectstore.Store {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(yesterdaysFolder, name))); err != nil {
		t.Fatal(err)
	}
	return objectstore.NewFolder(folder)
}

func mustYesterdaysVersion(t *testing.T, artifacts objectstore.Store) *modelversion.Version {
	t.Helper()
	v, err := modelfile.Read(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), "", t.TempDir())
	if err != nil || v.ID != yesterdaysVersion {
		t.Fatalf("read yesterday's version: %+v, %v", v, err)
	}
	return v
}

// yesterdaysEvents are of known customers, of one whose id no integer is, and of nobody.
func yesterdaysEvents() []*activity.Event {
	known, other, text := activity.ID("101"), activity.ID("117"), activity.ID("a@b.example")
	return []*activity.Event{
		{SessionID: "a", CustomerID: &known}, {SessionID: "b", CustomerID: &text, Country: "France"}, {SessionID: "c"},
		{SessionID: "d", CustomerID: &other, BrowseHistory: []activity.Browse{{ProductCode: "S18_01005"},
			{ProductCode: "7"}}},
	}
}

// TestADatabaseOf7ca8cf2AnswersAllTheTime restores a dump, answers from it before and after it is
// migrated, and while today's programs load another version and take it live and back. After that the
// programs of yesterday still find what they read.
func TestADatabaseOf7ca8cf2AnswersAllTheTime(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	execPostgres(t, t.Context(), d.owner, strings.ReplaceAll(mustReadFile(t, yesterdaysFolder, "vector.sql"),
		"READER", d.role))
	lake, artifacts := yesterdaysFiles(t, "lake"), yesterdaysFiles(t, "artifacts")
	old := mustYesterdaysVersion(t, artifacts)
	want, err := recommend.New(memory.NewStore(memory.New(old))).Batch(t.Context(), yesterdaysEvents())
	if err != nil {
		t.Fatal(err)
	}
	wantAnswers := func(when string) {
		t.Helper()
		reader := mustReader(t, d)
		got, err := recommend.New(reader).Batch(t.Context(), yesterdaysEvents())
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		for i := range got {
			if diff := cmp.Diff(codesOf(want[i]), codesOf(got[i])); diff != "" || got[i].Source != want[i].Source ||
				got[i].UnknownCustomer != want[i].UnknownCustomer || got[i].UnknownProducts != want[i].UnknownProducts {
				t.Errorf("%s, event %d: %+v, want %+v", when, i, got[i], want[i])
			}
		}
		if _, err := reader.Check(t.Context()); err != nil {
			t.Errorf("%s: check: %v", when, err)
		}
	}
	wantAnswers("before the migration")
	if listed, err := d.store.Versions(t.Context()); err != nil || len(listed) != 1 || listed[0].ID != old.ID ||
		!listed[0].Live {
		t.Errorf("listed before the migration: %+v, %v", listed, err)
	}
	execPostgres(t, t.Context(), d.owner, `GRANT SELECT ON public.user_emb TO PUBLIC;
		GRANT SELECT ON public.user_emb TO `+d.role+` WITH GRANT OPTION; COMMENT ON VIEW public.user_emb IS 'theirs: 100 %'`)
	if err := migration.Up(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	wantAnswers("after the migration")
	if r, err := publish.Run(t.Context(), publish.Database{Store: d.store}, trained{old}, "", byTest); err != nil ||
		len(r.Steps) > 0 || len(r.Repaired) > 0 {
		t.Errorf("publish yesterday's version again: %+v, %v", r, err)
	}
	wantAnswers("after yesterday's version was published again")
	wantTextViews(t, d)

	job := train.Job{Lake: lake, Artifacts: artifacts, Config: train.DefaultConfig(), ScratchDir: t.TempDir()}
	job.Config.Dim, job.Config.TuneBudget, job.Config.Epochs = 6, 0.01, 4
	made, err := job.Run(t.Context())
	if err != nil {
		t.Fatalf("train on yesterday's set beside yesterday's version: %v", err)
	}
	next := mustVersion(t, artifacts, made.ModelVersion)
	if _, err := d.store.Load(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	wantAnswers("beside a version of today")
	forced := vectorstore.PromoteOptions{Actor: "test", Force: true, Reason: "upgrade"}
	if err := d.store.Promote(t.Context(), next.ID, forced); err != nil {
		t.Fatal(err)
	}
	if _, err := recommend.New(mustReader(t, d)).Batch(t.Context(), yesterdaysEvents()); err != nil {
		t.Errorf("today's version: %v", err)
	}
	wantTextViews(t, d)
	if back, err := d.store.Rollback(t.Context(), forced); err != nil || back != old.ID {
		t.Fatalf("roll back to yesterday's version: %s, %v", back, err)
	}
	wantAnswers("after the rollback")
	wantYesterdaysQuestions(t, d)
}

// mustReader is the store of a function that has just started.
func mustReader(t *testing.T, d served) *vectorstore.Store {
	t.Helper()
	store, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: d.reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func codesOf(a recommend.Answer) (codes []string) {
	for _, item := range a.Items {
		codes = append(codes, item.ID+" because of "+item.Because)
	}
	return codes
}

func mustVersion(t *testing.T, artifacts objectstore.Store, id string) *modelversion.Version {
	t.Helper()
	v, err := modelfile.Read(t.Context(), commit.NewRepository(artifacts, envconfig.ModelPrefix), id, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wantTextViews looks at the views' types, grants and comment.
func wantTextViews(t *testing.T, d served) {
	t.Helper()
	var types, comment string
	var public, grantable bool
	conn := mustVectorConn(t, d.owner)
	err := conn.QueryRow(t.Context(), `SELECT (SELECT string_agg(data_type, ',') FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name IN ('user_emb', 'item_emb') AND column_name = 'id'),
		obj_description('public.user_emb'::regclass, 'pg_class'),
		EXISTS (SELECT FROM pg_class, aclexplode(relacl) g WHERE oid = 'public.user_emb'::regclass AND g.grantee = 0),
		has_table_privilege($1, 'public.user_emb', 'SELECT WITH GRANT OPTION')`, d.role).Scan(&types, &comment, &public, &grantable)
	if err != nil || types != "text,text" || comment != "theirs: 100 %" || !public || !grantable {
		t.Errorf("ids of the views are %s, comment %q, public %v, with grant option %v: %v", types, comment, public,
			grantable, err)
	}
}

// wantYesterdaysQuestions asks as the functions of commit 7ca8cf2 ask, and makes the view as its
// publish does once the new one is dropped.
func wantYesterdaysQuestions(t *testing.T, d served) {
	t.Helper()
	reader := mustVectorConn(t, d.reader)
	const schema = "model_" + yesterdaysVersion
	var customer int32
	var found int
	err := reader.QueryRow(t.Context(), `SELECT (SELECT number FROM `+schema+`.customer WHERE number = ANY($1)),
		(SELECT count(*) FROM (SELECT i.code FROM `+schema+`.item i WHERE i.quantity_in_stock > 0 AND i.code NOT IN (
			SELECT unnest($2::text[]) UNION ALL SELECT r.code FROM `+schema+`.rated r WHERE r.customer = $3)
			ORDER BY i.positives DESC, i.code LIMIT 10) AS best)
		FROM kindred.live l JOIN kindred.model_version v ON v.version = l.version WHERE l.version = $4`,
		[]int32{101}, []string{"S18_01005"}, 101, yesterdaysVersion).Scan(&customer, &found)
	if err != nil || customer != 101 || found != 10 {
		t.Errorf("yesterday's functions find customer %d and %d products: %v", customer, found, err)
	}
	const view = `CREATE OR REPLACE VIEW public.user_emb AS SELECT number AS id, embedding::vector AS embedding FROM ` +
		schema + `.customer`
	owner := mustVectorConn(t, d.owner)
	if _, err := owner.Exec(t.Context(), view, pgx.QueryExecModeSimpleProtocol); err == nil {
		t.Error("yesterday's publish needs no DROP VIEW, which docs/databases.md asks for")
	}
	execPostgres(t, t.Context(), d.owner, "DROP VIEW public.user_emb; "+view)
	if err := d.store.ShowViews(t.Context()); err != nil {
		t.Errorf("today's publish after yesterday's: %v", err)
	}
}

// TestAViewOfTheirsIsNamed keeps a view that somebody made from user_emb.
func TestAViewOfTheirsIsNamed(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	execPostgres(t, t.Context(), d.owner, strings.ReplaceAll(mustReadFile(t, yesterdaysFolder, "vector.sql"),
		"READER", d.role))
	execPostgres(t, t.Context(), d.owner, "CREATE VIEW public.theirs AS SELECT id FROM public.user_emb")
	err := d.store.ShowViews(context.WithoutCancel(t.Context()))
	if err == nil || !strings.Contains(err.Error(), "user_emb") || !strings.Contains(err.Error(), "drop them") {
		t.Errorf("error %v", err)
	}
	if _, err := d.store.Check(t.Context()); err != nil {
		t.Errorf("the live version: %v", err)
	}
}

// TestATrainingSetOf7ca8cf2IsRead reads one whole, and a set of the same rows has the same hash.
func TestATrainingSetOf7ca8cf2IsRead(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(yesterdaysFiles(t, "lake"), envconfig.TrainingSetPrefix)
	m, err := repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := trainingset.Read(t.Context(), repo, m, t.TempDir())
	if err != nil || set.Run != yesterdaysRun || len(set.Customers) != 40 || len(set.Interactions) != 1329 ||
		set.Customers[0].ID != "101" || set.Keys != (trainingset.Keys{Customer: trainingset.Int32,
		Product: trainingset.Text}) {
		t.Fatalf("%+v, %v", set, err)
	}
	w := trainingset.NewWriter(t.TempDir(), set.Keys)
	if err := w.Customers(set.Customers); err != nil {
		t.Fatal(err)
	}
	if err := w.Products(set.Products); err != nil {
		t.Fatal(err)
	}
	for _, i := range set.Interactions {
		at := int64(trainingset.NoTime)
		if i.RatedAt != 0 {
			at = 1000 * i.RatedAt
		}
		if err := w.Rating(trainingset.Rating{Customer: i.Customer, Product: i.Product, Stars: i.Stars,
			RatedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	draft, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := commit.NewRepository(objectstore.NewFolder(t.TempDir()), envconfig.TrainingSetPrefix).
		Commit(t.Context(), draft)
	if err != nil || again.ContentHash != set.ContentHash || again.SchemaFingerprint != m.SchemaFingerprint {
		t.Errorf("written again: %s with schema %s, was %s with %s: %v", again.ContentHash, again.SchemaFingerprint,
			set.ContentHash, m.SchemaFingerprint, err)
	}
}
