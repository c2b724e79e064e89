package integration

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
)

// beforePlacementsExperiments takes a database back to what the programs of commit ea4b6da made, which compared
// versions alone.
const beforePlacementsExperiments = `
	DROP FUNCTION kindred.end_placements_experiment() CASCADE;
	ALTER TABLE kindred.live DROP COLUMN placements_experiment;
	ALTER TABLE kindred.experiment DROP COLUMN compares`

// beforePlacements takes a database back to what programs made that knew no placements.
const beforePlacements = beforePlacementsExperiments + `;
	ALTER TABLE kindred.live DROP COLUMN placements;
	DROP TABLE kindred.placements, kindred.placements_move`

// beforeExperiments takes a database back to what programs made that knew no experiments.
const beforeExperiments = beforePlacements + `;
	DROP FUNCTION kindred.keep_arms(text, text[], text[]), kindred.end_experiment() CASCADE;
	DROP FUNCTION kindred.forget_arms() CASCADE;
	DROP TABLE kindred.experiment, kindred.exposure;
	ALTER TABLE kindred.live DROP COLUMN experiment`

// beforeAnswering takes a database back to what the programs of commit 5ebc858 made: migrations 1 and
// 2, a reader with its grants, tables without marks.
const beforeAnswering = beforeExperiments + `;
	DROP FUNCTION kindred.canary_failed(text, text);
	DROP TABLE kindred.canary_error, kindred.reader;
	DROP TABLE kindred.product_state, kindred.catalogue, kindred.catalogue_product, kindred.interaction,
		kindred.customer_state, kindred.visit, kindred.trend, kindred.trend_event;
	DELETE FROM public.kindred_migration WHERE version_id > 2;
	ALTER TABLE kindred.model_version DROP COLUMN shop;
	DROP TABLE model_m310000000000001.map;
	COMMENT ON TABLE model_m310000000000001.item IS NULL;
	COMMENT ON TABLE model_m310000000000001.customer IS NULL;
	COMMENT ON TABLE model_m310000000000001.rated IS NULL`

// TestADatabaseOfYesterdayServesAndIsMigrated lets the functions of today answer from it before it is
// migrated, and moves its pointer. Migrating finds the reader and marks the tables, and what the
// functions of yesterday read is still there.
func TestADatabaseOfYesterdayServesAndIsMigrated(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := d.answers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second := randomVersion("m310000000000002", 2, 40, 6, 4)
	if _, err := d.store.Load(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, t.Context(), d.owner, beforeAnswering)
	if err := d.check(t.Context()); err != nil {
		t.Errorf("before the migration: %v", err)
	}
	if got, err := d.answers(t.Context()); err != nil || len(got) != len(want) {
		t.Errorf("before the migration: %v, %v", got, err)
	}
	if err := d.store.Promote(t.Context(), second.ID, byTest); err != nil {
		t.Errorf("promote before the migration: %v", err)
	}
	if back, err := d.store.Rollback(t.Context(), byTest); err != nil || back != "m310000000000001" {
		t.Errorf("roll back before the migration: %s, %v", back, err)
	}
	if err := d.store.StartCanary(t.Context(), second.ID, 0.5, vectorstore.PromoteOptions{Actor: "test", Force: true,
		Reason: "try"}); err != nil {
		t.Error(err)
	}
	// no function counts its errors yet
	execPostgres(t, t.Context(), d.owner, "DROP SCHEMA model_m310000000000002 CASCADE")
	for range 2 * recommend.CanaryErrors {
		if got, err := d.answers(t.Context()); err != nil || len(got) != len(want) {
			t.Fatalf("a broken canary before the migration: %v, %v", got, err)
		}
	}
	if _, err := d.publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustMigrated(t, d, second.ID)
}

// mustMigrated looks at what the migration made, and lets the broken canary end itself.
func mustMigrated(t *testing.T, d served, canary string) {
	t.Helper()
	conn := mustVectorConn(t, d.owner)
	var roles, marks int
	err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM kindred.reader WHERE role = $1),
		(SELECT count(*) FROM pg_class WHERE obj_description(oid, 'pg_class') = 'kindred model version m310000000000001')`,
		d.role).Scan(&roles, &marks)
	if err != nil || roles != 1 || marks != 3 {
		t.Errorf("%d readers and %d marked tables: %v", roles, marks, err)
	}
	reader := mustVectorConn(t, d.reader)
	var live string // as the functions of yesterday ask
	if err := reader.QueryRow(t.Context(), `SELECT version FROM kindred.live`).Scan(&live); err != nil ||
		live != "m310000000000001" {
		t.Errorf("live is %s: %v", live, err)
	}
	for range recommend.CanaryErrors + 1 { // each asks as the serving role, which may write nothing
		if _, err := d.answers(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var reason string
	err = conn.QueryRow(t.Context(),
		`SELECT reason FROM kindred.promotion WHERE action = 'canary-off' AND from_version = $1 AND actor = $2`, canary,
		d.role).Scan(&reason)
	if errors.Is(err, pgx.ErrNoRows) {
		t.Fatal("the canary did not end")
	}
	t.Logf("the history says: %s", reason)
	if err != nil {
		t.Error(err)
	}
	versions, err := d.store.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		faults, err := d.store.Damage(t.Context(), v)
		if err != nil || (len(faults) > 0) != (v.ID == canary) || v.Canary > 0 {
			t.Errorf("version %s: %v, %v", v.ID, faults, err)
		}
	}
}
