package integration

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"kindred/internal/job/connect"
	"kindred/internal/lab/shopsystem"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// TestASecondShopLivesBesideTheFirst connects two shops with the same lake, artifacts and vector
// database. The second gets places of its own, and the first stays live as it was. A program that is
// led into the other shop's places refuses, and names both.
func TestASecondShopLivesBesideTheFirst(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	var shops [2]connect.Result
	var dsns [2]string
	for i := range dsns {
		dsns[i] = stack.mustDatabase(t)
		mustLoadSystem(t, mustOpen(t, dsns[i]), shopsystem.Config{System: "woocommerce",
			Version: shopsystem.Versions("woocommerce")[0],
			Prefix:  shopsystem.DefaultPrefix("woocommerce"), Seed: uint64(i + 11), Orders: *connectOrders})
	}
	env := mustConnectEnv(t, stack, dsns[0])
	p := mustPrograms(t, env, "connect", "etl", "train", "publish")
	own, err := vectorstore.Beside(envconfig.PGVector{DSN: env["PGVECTOR_DSN"]}, "second")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustDropDatabase(t, env["PGVECTOR_DSN"], own.DSN) })
	p.mustRun(t, &shops[0], "connect", "--name", "first")
	p.mustRun(t, &shops[1], "connect", "--name", "second", "--mysql-dsn", dsns[1])
	if shops[0].Beside != "" || shops[1].Beside != "first" || shops[0].ModelVersion == shops[1].ModelVersion {
		t.Fatalf("first %q, second %q beside %q", shops[0].ModelVersion, shops[1].ModelVersion, shops[1].Beside)
	}
	at := [2]string{env["PGVECTOR_DSN"], own.DSN}
	wantShop(t, at[0], "first", shops[0].ModelVersion)
	wantShop(t, at[1], "second", shops[1].ModelVersion)
	var again connect.Result
	if p.mustRun(t, &again, "connect", "--name", "second", "--mysql-dsn",
		dsns[1]); again.ModelVersion != shops[1].ModelVersion {
		t.Errorf("connected again: version %s, was %s", again.ModelVersion, shops[1].ModelVersion)
	}

	artifacts := env["ARTIFACTS_BUCKET"] + "/shop=second"
	for _, c := range [][]string{
		{"etl", "--name", "second", "--mysql-dsn", dsns[1]},
		{"etl", "check", "--name", "second", "--mysql-dsn", dsns[1]},
		{"train", "--lake", env["LAKE_BUCKET"] + "/shop=second"},
		{"publish", "--artifacts", artifacts},
		{"publish", "canary", "--artifacts", artifacts},
	} {
		code, stderr := p.run(t, nil, c[0], c[1:]...)
		if code == 0 || !strings.Contains(stderr, "shop first") || !strings.Contains(stderr, "shop second") ||
			strings.Contains(stderr, "columns changed") {
			t.Errorf("%v in the places of the first shop: exit %d: %s", c, code, stderr)
		}
	}
	wantShop(t, at[0], "first", shops[0].ModelVersion)
	p.mustRun(t, nil, "publish", "--artifacts", artifacts, "--replace-shop")
	wantShop(t, at[0], "second", shops[1].ModelVersion)
	p.mustRun(t, nil, "publish", "rollback")
	wantShop(t, at[0], "first", shops[0].ModelVersion)
	wantOneShopAnswered(t, stack, at[0], "first", "second")
}

// wantOneShopAnswered starts serve and recommend for the live shop, and for another one that
// SHOP_NAME names: they answer for the live shop alone, and the other's events stay on the stream.
func wantOneShopAnswered(t *testing.T, stack Stack, dsn, live, other string) {
	t.Helper()
	status := func(base, path string) int {
		t.Helper()
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for _, c := range []struct {
		shop     string
		status   int
		comeBack int
	}{{live, http.StatusOK, 0}, {other, http.StatusServiceUnavailable, 1}} {
		name := "SHOP_NAME=" + c.shop
		base := mustServe(t, dsn, name)
		for _, path := range []string{"/health", "/customers/nobody/recommendations"} {
			if got := status(base, path); got != c.status {
				t.Errorf("%s: serve answers %s with %d, want %d", name, path, got, c.status)
			}
		}
		clicks := newMemoryStream([]click{{"s", []byte(`{"session_id":"s","browse_history":[]}`)}})
		failures := mustFunction(t, stack, dsn, stack.mustBucket(t), name).mustInvoke(t, clicks.batch(0, 1))
		if len(failures) != c.comeBack {
			t.Errorf("%s: recommend gives %d events back, want %d", name, len(failures), c.comeBack)
		}
	}
}

// wantShop asks a vector database as a program that answers for one shop, and as one of another shop.
func wantShop(t *testing.T, dsn, shop, version string) {
	t.Helper()
	event := []*activity.Event{{SessionID: "s"}}
	store := mustVectorStore(t, dsn)
	store.OnlyShop(shop)
	answers, err := recommend.New(store).Batch(t.Context(), event)
	if err != nil || answers[0].ModelVersion != version {
		t.Errorf("the shop %s: %+v, %v, want version %s", shop, answers, err, version)
	}
	if _, err := store.Check(t.Context()); err != nil {
		t.Errorf("the shop %s: check: %v", shop, err)
	}
	other := mustVectorStore(t, dsn)
	other.OnlyShop("other")
	_, err = recommend.New(other).Batch(t.Context(), event)
	_, unhealthy := other.Check(t.Context())
	unwritten := other.WriteState(t.Context(),
		recommend.State{Purchases: []recommend.Purchase{{Customer: "c", Session: "s", Product: "p"}}})
	for _, err := range []error{err, unhealthy, unwritten} {
		if !errors.Is(err, vectorstore.ErrOtherShop) {
			t.Errorf("a program of another shop: %v", err)
		}
	}
	if rows := mustInteractions(t, dsn); len(rows) > 0 {
		t.Errorf("another shop's purchases are written: %q", rows)
	}
}

// mustDropDatabase drops the database of dsn, by a connection to another one.
func mustDropDatabase(t *testing.T, admin, dsn string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Error("the address of the database is no URL")
		return
	}
	execPostgres(t, context.WithoutCancel(t.Context()), admin, `DROP DATABASE IF EXISTS "`+strings.TrimPrefix(u.Path, "/")+
		`" WITH (FORCE)`)
}
