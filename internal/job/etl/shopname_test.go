package etl

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/shop/mysqlsource"
)

// of is a small shop that is read from a database; n makes its rows others.
func of(database string, n int) *table {
	s := small()
	s.position = mysqlsource.Position{Database: database}
	s.ratings = s.ratings[:len(s.ratings)-n]
	return s
}

// TestALakeHoldsOneShop lets two shops, of any names and databases, write into one lake: the second is
// refused by both names unless it is the same shop, and with ReplaceShop it takes the place.
func TestALakeHoldsOneShop(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		database := rapid.SampledFrom([]string{"a", "b", "a.b", "a b"})
		given := rapid.SampledFrom([]string{"", "a", "b", "c"})
		firstDB, first := database.Draw(t, "first database"), given.Draw(t, "first name")
		secondDB, second := database.Draw(t, "second database"), given.Draw(t, "second name")
		repo := commit.NewRepository(objectstore.NewFolder(mustFolder(t, folder)), "training-set")
		o := Options{ScratchDir: folder, Shop: first}
		one, err := Run(t.Context(), of(firstDB, 0), repo, o)
		if err != nil {
			t.Fatal(err)
		}
		was, is := o.name(firstDB), Options{Shop: second}.name(secondDB)
		if got := trainingset.ShopOf(one.Manifest); got != was {
			t.Fatalf("the set is of the shop %q, want %q", got, was)
		}
		o.Shop = second
		_, err = Run(t.Context(), of(secondDB, 1), repo, o)
		if (err == nil) != (was == is) {
			t.Fatalf("shop %s after shop %s: %v", is, was, err)
		}
		if err == nil {
			return
		}
		if text := err.Error(); !errors.Is(err, ErrOtherShop) || !strings.Contains(text, "the shop "+was) ||
			!strings.Contains(text, "the shop "+is) || strings.Contains(text, "\n") {
			t.Fatalf("%v does not name %s and %s in one line", err, was, is)
		}
		if now, err := repo.Current(t.Context()); err != nil || now.Run != one.Manifest.Run {
			t.Fatalf("after the refusal %s is current: %v", now.Run, err)
		}
		o.ReplaceShop = true
		if replaced, err := Run(t.Context(), of(secondDB, 1), repo, o); err != nil ||
			trainingset.ShopOf(replaced.Manifest) != is {
			t.Fatalf("replaced: %v", err)
		}
	})
}

// TestASetWithoutANameIsAdopted: what earlier programs wrote has no name, and belongs to whoever reads
// its database. A name changes neither a set's id nor its hash.
func TestASetWithoutANameIsAdopted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		database, shop string
		adopted        bool
	}{
		"the same database":             {"old", "", true},
		"the same database, and a name": {"old", "mine", true},
		"its name":                      {"new", "old", true},
		"another database":              {"new", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
			named, err := Run(t.Context(), of("old", 0), repo, Options{ScratchDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			before := named.Manifest
			var details map[string]any
			if err := json.Unmarshal(before.Details, &details); err != nil {
				t.Fatal(err)
			}
			delete(details, "shop")
			if before.Details, err = json.Marshal(details); err != nil {
				t.Fatal(err)
			}
			_, err = predecessor(before, test.database, Options{Shop: test.shop})
			if (err == nil) != test.adopted {
				t.Errorf("%v", err)
			}
			again, err := Run(t.Context(), of("other", 0), commit.NewRepository(objectstore.NewFolder(t.TempDir()),
				"training-set"),
				Options{ScratchDir: t.TempDir(), Shop: "another"})
			if err != nil || again.Manifest.Run != before.Run || again.Manifest.ContentHash != before.ContentHash {
				t.Errorf("the name changed the set's id: %s, %s, %v", again.Manifest.Run, before.Run, err)
			}
		})
	}
}

// TestPartitionsAreOfOneShop: a worker with another name does not write into a job.
func TestPartitionsAreOfOneShop(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	job, o := Job{Name: "nightly", Partitions: 2}, Options{ScratchDir: t.TempDir()}
	if _, _, err := RunPartition(t.Context(), of("a", 0), repo, job, 0, o); err != nil {
		t.Fatal(err)
	}
	_, _, err := RunPartition(t.Context(), of("b", 0), repo, job, 1, o)
	if !errors.Is(err, ErrPartition) || !strings.Contains(err.Error(), "shop a") ||
		!strings.Contains(err.Error(), "shop b") {
		t.Errorf("a worker of another shop: %v", err)
	}
	if _, _, err := RunPartition(t.Context(), of("a", 0), repo, job, 1, o); err != nil {
		t.Fatal(err)
	}
	out, err := CommitParts(t.Context(), repo, "nightly", o, PartsOptions{MaxSpread: 1 << 60})
	if err != nil || trainingset.ShopOf(out.Manifest) != "a" {
		t.Errorf("committed set of the shop %q: %v", trainingset.ShopOf(out.Manifest), err)
	}
	if _, _, err := MakePlan(t.Context(), of("b", 0), repo, Job{Name: "other", Partitions: 2}, o); !errors.Is(err,
		ErrOtherShop) {
		t.Errorf("a job of another shop: %v", err)
	}
}

// TestShopNamesAreSafe: whatever a database is called, its shop's name passes the check of names.
func TestShopNamesAreSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		database := rapid.String().Draw(t, "database")
		if err := (envconfig.Shop{Name: envconfig.ShopName(database)}).Check(); err != nil {
			t.Fatalf("%q: %v", database, err)
		}
	})
	for _, bad := range []string{"a/b", "a b", "..", "ä", strings.Repeat("a", 41), "a'b"} {
		if (envconfig.Shop{Name: bad}).Check() == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func mustFolder(t *rapid.T, in string) string {
	folder, err := os.MkdirTemp(in, "lake-*")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
