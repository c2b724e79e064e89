package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/connect"
	"kindred/internal/job/publish"
	"kindred/internal/lab/shopsystem"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

var (
	connectOrders = flag.Int("connect-orders", 2500, "orders of each shop that connect brings live")
	connectAll    = flag.Bool("connect-all", false, "connect every version of every shop system, not the newest of three")
)

// connectCases are shops whose ids are integers, integers with a store, and binary(16).
func connectCases() (cases [][2]string) {
	if !*connectAll {
		for _, system := range []string{"woocommerce", "magento2", "shopware6"} {
			versions := shopsystem.Versions(system)
			cases = append(cases, [2]string{system, versions[len(versions)-1]})
		}
		return cases
	}
	for _, system := range shopsystem.Systems() {
		for _, version := range shopsystem.Versions(system) {
			cases = append(cases, [2]string{system, version})
		}
	}
	return cases
}

// mustConnectEnv is what connect needs: the shop, a vector database and folders of a test's own.
func mustConnectEnv(t *testing.T, stack Stack, dsn string) map[string]string {
	t.Helper()
	folder := t.TempDir()
	return map[string]string{"MYSQL_DSN": dsn, "PGVECTOR_DSN": stack.mustVectorDatabase(t),
		"LAKE_BUCKET": "file://" + folder + "/lake", "ARTIFACTS_BUCKET": "file://" + folder + "/artifacts",
		"KINDRED_STATE": folder + "/state", "MYSQL_SECRET_ARN": "", "ETL_MAPPING": "", "ETL_PRESET": "auto",
		"AWS_ENDPOINT_URL": ""}
}

// TestConnectBringsKnownShopsLive gives connect nothing but a DSN. What is live then recommends what
// the customers were made to like.
func TestConnectBringsKnownShopsLive(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	for _, c := range connectCases() {
		t.Run(c[0]+"/"+c[1], func(t *testing.T) {
			t.Parallel()
			dsn := stack.mustDatabase(t)
			plan := mustLoadSystem(t, mustOpen(t, dsn), shopsystem.Config{System: c[0], Version: c[1],
				Prefix: shopsystem.DefaultPrefix(c[0]), Seed: 11, Orders: *connectOrders})
			env := mustConnectEnv(t, stack, dsn)
			p := mustPrograms(t, env, "connect", "etl", "train", "publish")
			var r connect.Result
			start := time.Now()
			p.mustRun(t, &r, "connect")
			t.Logf("live after %.1f s: %+v", time.Since(start).Seconds(), r.Steps)
			if r.Shop.System != c[0] || !r.Live || len(r.Samples) == 0 {
				t.Fatalf("connect: %+v", r)
			}
			model, popularity := row(r.Report, modelversion.RowModel), row(r.Report, modelversion.RowPopularity)
			if model.Low <= popularity.NDCG10 {
				t.Errorf("the model has NDCG@10 %.3f (from %.3f), popularity %.3f", model.NDCG10, model.Low, popularity.NDCG10)
			}
			share, chance := tasteOf(t, env["PGVECTOR_DSN"], plan.Truth())
			if t.Logf("%.0f %% of what is recommended is in liked categories, by chance %.0f %%", 100*share,
				100*chance); share < 4*chance {
				t.Errorf("%.3f of the recommended products are in liked categories, want 4 times the chance of %.3f", share, chance)
			}
			wantSchedule(t, filepath.Join(env["KINDRED_STATE"], "shops"))

			var catalogue publish.CatalogueResult
			if p.mustRun(t, &catalogue, "publish", "catalogue"); catalogue.New == 0 || catalogue.Gone > 0 ||
				catalogue.Available == 0 ||
				catalogue.LeftOut > 0 {
				t.Errorf("its catalogue: %+v", catalogue)
			}

			var again connect.Result
			p.mustRun(t, &again, "connect")
			for _, s := range again.Steps {
				if !s.NoOp && s.Name != "etl check" {
					t.Errorf("a second run did %s again", s.Name)
				}
			}
			if again.ModelVersion != r.ModelVersion || again.Description != nil {
				t.Errorf("a second run: version %s after %s, description %v", again.ModelVersion, r.ModelVersion, again.Description)
			}
		})
	}
}

func row(r modelversion.Report, name string) modelversion.Row {
	i := slices.IndexFunc(r.Rows, func(row modelversion.Row) bool { return row.Name == name })
	if i < 0 {
		return modelversion.Row{}
	}
	return r.Rows[i]
}

// tasteOf asks for 200 customers, and returns the share of the recommended products that are in a
// category that their customer likes, and the same share of all products.
func tasteOf(t *testing.T, dsn string, truth shopsystem.Truth) (share, chance float64) {
	t.Helper()
	var events []*activity.Event
	var likes [][]string
	for customer, liked := range truth.Customers {
		id := activity.ID(customer)
		events = append(events, &activity.Event{SessionID: "taste-" + customer, CustomerID: &id})
		if likes = append(likes, liked); len(events) == 200 {
			break
		}
	}
	answers, err := recommend.New(mustVectorStore(t, dsn)).Batch(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	matches := func(liked, categories []string) bool {
		return slices.ContainsFunc(categories, func(c string) bool { return slices.Contains(liked, c) })
	}
	var hits, shown, fit, pairs float64
	for i, a := range answers {
		for _, item := range a.Items {
			if shown++; matches(likes[i], truth.Products[item.ID]) {
				hits++
			}
		}
		for _, categories := range truth.Products {
			if pairs++; matches(likes[i], categories) {
				fit++
			}
		}
	}
	if shown == 0 {
		t.Fatal("nothing was recommended")
	}
	return hits / shown, fit / pairs
}

// wantSchedule checks what connect writes for regular runs: variables that only the owner reads, and
// units that name programs that are there, for the nights and for the catalogue.
func wantSchedule(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", "*"))
	if err != nil || len(files) != 6 {
		t.Fatalf("connect wrote %v, %v, want mapping.sql, env, two services and two timers", files, err)
	}
	for _, file := range files {
		switch text, info := mustReadFile(t, "", file), mustStat(t, file); filepath.Ext(file) {
		case ".service":
			runs := strings.Contains(text, "publish catalogue\n")
			if runs != strings.HasSuffix(file, "-catalogue.service") {
				t.Errorf("%s: %s", file, text)
			}
			for line := range strings.Lines(text) {
				if program, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart="); ok {
					mustStat(t, strings.TrimSuffix(program, " catalogue"))
				}
			}
		case "":
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s holds passwords and has mode %v", file, info.Mode())
			}
			if _, err := envconfig.ParseFile([]byte(text)); err != nil {
				t.Error(err)
			}
		}
	}
}

func mustStat(t *testing.T, name string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestConnectKeepsAnEditedMapping edits the mapping file between two runs.
func TestConnectKeepsAnEditedMapping(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustDatabase(t)
	mustLoadSystem(t, mustOpen(t, dsn), shopsystem.Config{System: "opencart", Version: shopsystem.Versions("opencart")[0],
		Prefix: shopsystem.DefaultPrefix("opencart"), Seed: 5, Orders: 300})
	env := mustConnectEnv(t, stack, dsn)
	p := mustPrograms(t, env, "connect", "etl", "train", "publish")
	var first, second connect.Result
	p.mustRun(t, &first, "connect", "--dry-run")
	edited := strings.Replace(mustReadFile(t, "", first.Mapping), "-- kindred: products\n",
		"-- kindred: products\n-- by hand\n", 1)
	if err := os.WriteFile(first.Mapping, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	p.mustRun(t, &second, "connect", "--dry-run")
	if mustReadFile(t, "", first.Mapping) != edited || second.Description != nil {
		t.Error("connect wrote over an edited mapping")
	}
	if p.mustRun(t, &second, "connect", "--dry-run", "--renew"); strings.Contains(mustReadFile(t, "", first.Mapping),
		"by hand") {
		t.Error("--renew kept the mapping")
	}
}

// TestConnectSaysWhatItCannotRecognise: tables of no known shop, and two shops in one database.
func TestConnectSaysWhatItCannotRecognise(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustDatabase(t)
	db := mustOpen(t, dsn)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE article (sku int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	p := mustPrograms(t, mustConnectEnv(t, stack, dsn), "connect", "etl")
	if code, stderr := p.run(t, nil, "connect"); code != 2 || !strings.Contains(stderr, "mapping") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for i, prefix := range []string{"one_", "two_"} {
		mustLoadSystem(t, db, shopsystem.Config{System: "woocommerce", Version: shopsystem.Versions("woocommerce")[0],
			Prefix: prefix, Seed: uint64(i), Orders: 100})
	}
	if code, stderr := p.run(t, nil, "connect"); code != 2 || !strings.Contains(stderr, "one_") ||
		!strings.Contains(stderr, "two_") {
		t.Errorf("two shops: exit %d: %s", code, stderr)
	}
	var r connect.Result
	p.mustRun(t, &r, "connect", "--dry-run", "--prefix", "two_")
	if r.Shop.Prefix != "two_" {
		t.Error(fmt.Sprint(r.Shop))
	}
}
