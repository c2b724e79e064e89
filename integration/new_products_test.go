package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/inmemory"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// encodes is a made-up version that gives vectors to products that it does not know: those of brand i lie
// along line i.
func encodes(id string) *modelversion.Version {
	v := recommendtest.Version(id)
	v.Products = &modelversion.ProductEncoder{Bias: make([]float32, v.Solver.Dim), Weights: map[string][]float32{}}
	for line := range 4 {
		direction := make([]float32, v.Solver.Dim)
		direction[line] = 0.9
		v.Products.Weights[fmt.Sprint("brand=", line)] = direction
	}
	return v
}

// newcomers asks for products that are not in the live version, by both paths.
type newcomers struct {
	stage

	memory *inmemory.Store
	base   string // of serve, which answers from memory too
}

func mustNewcomers(t *testing.T) newcomers {
	t.Helper()
	n, v := newcomers{stage: mustStage(t, mustStack(t))}, encodes("m700000000000003")
	mustGoLive(t, n.vectors, v)
	folder := mustKeep(t, v)
	n.memory = inmemory.New(n.vectors, folder, math.MaxInt64, slog.New(slog.DiscardHandler))
	mustBringIn(t, n.memory, v.ID)
	n.base = mustServe(t, n.dsn, "ARTIFACTS_BUCKET=file://"+string(folder))
	return n
}

// say sends a product event by the function.
func (n newcomers) say(t *testing.T, code, fields string) {
	t.Helper()
	data := fmt.Appendf(nil, `{"type":"product","product_code":%q,%s}`, code, fields)
	newMemoryStream([]click{{code, data}}).mustDrain(t, n.function, 10)
}

// paths are the ways of asking.
func (n newcomers) paths() map[string]*recommend.Recommender {
	return map[string]*recommend.Recommender{"pgvector": recommend.New(n.vectors).Exploring(0.1),
		"memory": recommend.New(n.memory).Exploring(0.1)}
}

// seen says of the ways whether a product has similar products, is similar to one, and is in the top ten of
// a session with line 2. Of a top ten it checks how much is explored.
func (n newcomers) seen(t *testing.T, code string) map[string][3]bool {
	t.Helper()
	all := map[string][3]bool{}
	for name, r := range n.paths() {
		var is [3]bool
		similar, err := r.Similar(t.Context(), code, nil, nil)
		is[0] = err == nil && len(similar.Items.SimilarItems) == 5
		near, err := r.Similar(t.Context(), "L2_07", nil, &activity.Control{Limit: new(50)})
		if err != nil {
			t.Fatal(err)
		}
		is[1] = slices.ContainsFunc(near.Items.SimilarItems, func(s activity.SimilarItem) bool { return s.ID == code })
		answers, err := r.Batch(t.Context(), []*activity.Event{{SessionID: "A",
			BrowseHistory: []activity.Browse{{ProductCode: "L2_07"}}}})
		if err != nil {
			t.Fatal(err)
		}
		explored := 0
		for _, it := range answers[0].Items {
			is[2] = is[2] || it.ID == code
			if it.Explored {
				explored++
			}
		}
		if len(answers[0].Items) != 10 || explored > 1 {
			t.Errorf("%s: %d products, %d of them explored", name, len(answers[0].Items), explored)
		}
		all[name] = is
	}
	return all
}

// want waits until a product is seen in every way, or in none.
func (n newcomers) want(t *testing.T, when, code string, want bool) {
	t.Helper()
	begin := time.Now()
	for {
		seen := n.seen(t, code)
		var server struct {
			SimilarItems []activity.SimilarItem `json:"similar_items"`
		}
		response, err := http.Get(n.base + "/products/" + url.PathEscape("L2_07") + "/similar?limit=50")
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(response.Body).Decode(&server)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		served := slices.ContainsFunc(server.SimilarItems, func(s activity.SimilarItem) bool { return s.ID == code })
		right := served == want
		for _, is := range seen {
			right = right && is[1] == want && is[2] == want && (is[0] || !want)
		}
		if right {
			t.Logf("%s: %v after %v", when, want, time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("%s: %s is seen %v, by serve %v; want %v", when, code, seen, served, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestANewProductIsSeenAtOnce says something of products that no version knows, by the stream and by a
// catalogue: they are similar products and in a top ten, by the database, by the memory and over HTTP,
// whichever version is live. What cannot be bought is not.
func TestANewProductIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	n := mustNewcomers(t)
	n.say(t, "sold out", `"brand":"2","stock":0`)
	n.say(t, "hidden", `"brand":"2","stock":5,"hidden":true`)
	n.say(t, "unknown stock", `"brand":"2"`)
	for _, code := range []string{"sold out", "hidden", "unknown stock"} {
		n.want(t, "cannot be bought", code, false)
	}
	n.say(t, "new", `"brand":"2","stock":5`)
	n.want(t, "by an event", "new", true)
	n.say(t, "new", `"stock":0`)
	n.want(t, "sold out again", "new", false)
	catalogue := vectorstore.Catalogue{ReadAt: time.Now()}
	for _, it := range recommendtest.Version("m700000000000001").Items {
		catalogue.Products = append(catalogue.Products, vectorstore.Product{ID: it.Code, Available: true})
	}
	catalogue.Products = append(catalogue.Products, vectorstore.Product{ID: "listed", Available: true, Brand: "2"})
	if _, err := n.vectors.WriteCatalogue(t.Context(), catalogue, vectorstore.CatalogueOptions{MaxShrink: 1}); err != nil {
		t.Fatal(err)
	}
	n.want(t, "by a catalogue", "listed", true)
}

// TestEachVersionEncodesNewProducts: a version has a new product when it goes live, as a canary too, with a
// vector of its own. One that knows the product uses what it learned. A rollback brings back the vector
// of before; a version without an encoder knows nothing new.
func TestEachVersionEncodesNewProducts(t *testing.T) {
	t.Parallel()
	n := mustNewcomers(t)
	n.say(t, "new", `"brand":"2","stock":5`)
	of := func(id string) []float32 {
		t.Helper()
		if _, err := n.vectors.Traffic(t.Context()); err != nil { // which notices that there is something new
			t.Fatal(err)
		}
		found, err := n.vectors.Lookup(t.Context(), &recommend.Model{Version: id}, []string{"new"}, nil, nil,
			activity.Order{})
		if err != nil {
			t.Fatal(err)
		}
		return found.Items["new"].Vector
	}
	other, knows := encodes("m700000000000004"), encodes("m700000000000005")
	other.Products.Weights["brand=2"][1] = 0.5
	known := knows.Items[0]
	known.Code, known.QuantityInStock, known.Vector = "new", 5, slices.Clone(knows.Items[45].Vector)
	knows.Items = append(knows.Items, known)
	knows.Solver.Items++
	for r, a := range known.Vector {
		for c, b := range known.Vector {
			knows.Solver.Gram[r*len(known.Vector)+c] += a * b
		}
	}
	if _, err := n.vectors.Load(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := of(other.ID); !slices.Equal(got, other.Products.Weights["brand=2"]) {
		t.Errorf("a version that is not live yet has %v", got)
	}
	if err := n.vectors.StartCanary(t.Context(), other.ID, 0.5, byTest); err != nil {
		t.Fatal(err)
	}
	n.say(t, "new", `"brand":"1"`)
	for id, v := range map[string]*modelversion.Version{other.ID: other, "m700000000000003": encodes("m700000000000003")} {
		if got := of(id); !slices.Equal(got, v.Products.Weights["brand=1"]) {
			t.Errorf("after another event, version %s has %v", id, got)
		}
	}
	if _, err := n.vectors.StopCanary(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	mustGoLive(t, n.vectors, knows)
	n.say(t, "new", `"brand":"3"`)
	if got := of(knows.ID); !slices.Equal(got, known.Vector) {
		t.Errorf("a version that knows it has %v, want %v", got, known.Vector)
	}
	for name, r := range n.paths() {
		answers, err := r.Batch(t.Context(), []*activity.Event{{SessionID: "A",
			BrowseHistory: []activity.Browse{{ProductCode: "L2_07"}}}})
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(answers[0].Items, func(it activity.RecommendedItem) bool { return it.Explored }) {
			t.Errorf("%s: a known product is explored: %v", name, answers[0].Items)
		}
	}
	if _, err := n.vectors.Rollback(t.Context(), vectorstore.PromoteOptions{Actor: "test", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	n.say(t, "new", `"brand":"2"`)
	n.want(t, "after a rollback", "new", true)
	mustGoLive(t, n.vectors, recommendtest.Version("m700000000000006"))
	n.want(t, "by a version of before", "new", false)
}

// TestTheNewestProductsHaveAPlace: a version has 10,000 new products. Hidden ones give way to others, and old
// ones to newer ones, when the version is loaded and afterwards.
func TestTheNewestProductsHaveAPlace(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	say := func(prefix string, from, to int, hidden bool) {
		execPostgres(t, t.Context(), dsn, fmt.Sprintf(`INSERT INTO kindred.product_state (id, hidden, first_seen, changed, written)
			SELECT '%s' || n, %v, timestamptz 'epoch' + n * interval '1 second', now(), '{}' FROM generate_series(%d, %d) n`,
			prefix, hidden, from, to))
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	want := func(when string, counts map[string]int) {
		t.Helper()
		for prefix, n := range counts {
			var got int
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM model_m700000000000003.new_item
				WHERE code ~ ('^' || $1 || '[0-9]')`, prefix).Scan(&got); err != nil || got != n {
				t.Errorf("%s: %d of %s have a place, want %d: %v", when, got, prefix, n, err)
			}
		}
	}
	say("gone", 20001, 32000, true)
	say("old", 1, 6000, false)
	if _, err := store.Load(t.Context(), encodes("m700000000000003")); err != nil {
		t.Fatal(err)
	}
	want("when loaded", map[string]int{"gone": 4000, "old": 6000})
	say("today", 10001, 13000, false)
	want("when there are others", map[string]int{"gone": 1000, "old": 6000, "today": 3000})
	say("later", 15001, 20000, false)
	say("delisted", 40001, 40100, true)
	want("when it is full", map[string]int{"gone": 0, "delisted": 0, "old": 2000, "today": 3000, "later": 5000})
	execPostgres(t, t.Context(), dsn, `UPDATE kindred.product_state SET hidden = false WHERE id = 'delisted40001'`)
	want("when one is back", map[string]int{"delisted": 1, "old": 1999})
}
