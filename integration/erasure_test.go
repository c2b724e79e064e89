package integration

import (
	"slices"
	"testing"

	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/erasure"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

// TestTheVectorDatabaseForgetsAPerson erases a customer from the tables of two versions and from the state, and checks
// that the versions are whole, and that everybody else is there.
func TestTheVectorDatabaseForgetsAPerson(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store, conn := mustVectorStore(t, dsn), mustVectorConn(t, dsn)
	versions := []string{"m0123456789abcde", "m0123456789abcdf"}
	for i, id := range versions {
		v := vectorstoretest.Version(id, uint64(i), vectorstoretest.Shape{Items: 20, Customers: 9, RatedEach: 3, Dim: 4})
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		err := store.Promote(t.Context(), id, vectorstore.PromoteOptions{Actor: "test", Force: true, Reason: "test"})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{
		`INSERT INTO kindred.interaction VALUES ('7', 's7', 'p', 'purchase', '[1,0,0]'), ('8', 's7', 'p', 'purchase', '[1,0,0]')`,
		`INSERT INTO kindred.customer_state VALUES ('7', 'forgotten', '', 'true', '[1,0,0]'), ('8', 'city', '', '"x"', '[1,0,0]')`,
		`INSERT INTO kindred.visit VALUES ('s7', 'e1', NULL, '{p}', '{view}', '[1,0,0]', '[1,0,0]'),
			('s8', 'e2', '7', '{p}', '{view}', '[1,0,0]', '[1,0,0]'), ('s8', 'e3', NULL, '{p}', '{view}', '[1,0,0]', '[1,0,0]')`,
		`INSERT INTO kindred.exposure VALUES ('x', 'customer 7', 'control'), ('x', 'session s7', 'control'), ('x', 'customer 77', 'control')`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	db, err := erasure.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if who, err := db.Forgotten(t.Context()); err != nil || !slices.Equal(who, []string{"7"}) {
		t.Errorf("to be forgotten: %v, %v", who, err)
	}
	theirs := func(p erasure.Person) bool { return p.Customer == "7" || p.Customer == "" && p.Session == "s7" }
	names, unknown, err := db.Tables(t.Context())
	if err != nil || len(unknown) > 0 || len(names) != 6 {
		t.Fatalf("tables %v, unknown %v, %v", names, unknown, err)
	}
	for _, name := range names {
		found, err := db.Find(t.Context(), name, theirs)
		if err != nil || found.Rows == 0 {
			t.Fatalf("%s: %+v, %v", name, found, err)
		}
		rows, err := db.Rows(t.Context(), found)
		if err != nil || int64(len(rows)) != found.Rows {
			t.Errorf("%s: %d rows of %d, %v", name, len(rows), found.Rows, err)
		}
		if err := db.Delete(t.Context(), found); err != nil {
			t.Fatal(err)
		}
		if found, err = db.Find(t.Context(), name, theirs); err != nil || found.Rows > 0 {
			t.Errorf("%s still has %+v, %v", name, found, err)
		}
		everybody, err := db.Find(t.Context(), name, func(erasure.Person) bool { return true })
		want := map[string]int64{"kindred.interaction": 1, "kindred.customer_state": 1, "kindred.visit": 1,
			"kindred.exposure": 1}[name]
		if want == 0 {
			want = 8 // the other customers of a version
		}
		if err != nil || everybody.Rows != want {
			t.Errorf("%s has %d rows, want %d, %v", name, everybody.Rows, want, err)
		}
	}
	all, err := store.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		faults, err := store.Damage(t.Context(), v)
		if err != nil || len(faults) > 0 || v.Customers != 8 || v.Rated != 24 || v.Live != (v.ID == versions[1]) {
			t.Errorf("version %+v: %v, %v", v, faults, err)
		}
	}
	if _, err := conn.Exec(t.Context(), `CREATE TABLE kindred.new_table (customer text)`); err != nil {
		t.Fatal(err)
	}
	if _, unknown, err = db.Tables(t.Context()); err != nil || !slices.Equal(unknown, []string{"kindred.new_table"}) {
		t.Errorf("unknown: %v, %v", unknown, err)
	}
}
