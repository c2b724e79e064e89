package integration

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/model/projection"
	"kindred/internal/serving/vectorstore"
)

// TestTheMapIsThatOfTheLiveVersion draws products on the axes that loading has kept: where their vectors lie on
// them, the most liked ones first, and those that are asked for too.
func TestTheMapIsThatOfTheLiveVersion(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	v := randomVersion("m000000000000002", 2, 300, 10, 8)
	mustGoLive(t, store, v)
	axes := projection.Of(v.Items)
	least := slices.MinFunc(v.Items, func(a, b modelversion.Item) int { return int(a.Positives) - int(b.Positives) })
	const limit = 50
	drawn, err := store.ProductMap(t.Context(), []string{least.Code, "of no version"}, limit)
	if err != nil || len(drawn.Products) != limit+1 || drawn.Products[limit].ID != least.Code {
		t.Fatalf("%d products, %v", len(drawn.Products), err)
	}
	if drawn.Version != v.ID || drawn.Shares != [2]float64{axes[0].Share, axes[1].Share} || drawn.Shares[1] <= 0 {
		t.Errorf("version %s, shares %v", drawn.Version, drawn.Shares)
	}
	for i, m := range drawn.Products {
		number, err := strconv.Atoi(strings.TrimPrefix(m.ID, "S"))
		if err != nil {
			t.Fatal(err)
		}
		vector, length := v.Items[number].Vector, 0.0
		var along [2]float64
		for k, x := range vector {
			length += float64(x) * float64(x)
			along[0] += float64(x) * float64(axes[0].Vector[k])
			along[1] += float64(x) * float64(axes[1].Vector[k])
		}
		length = math.Sqrt(length)
		if math.Abs(m.X-along[0]/length) > 1e-5 || math.Abs(m.Y-along[1]/length) > 1e-5 || m.Category != "line" {
			t.Errorf("%+v, want %v, %v", m, along[0]/length, along[1]/length)
		}
		if i > 0 && m.Positives > drawn.Products[i-1].Positives {
			t.Errorf("%s is more liked than the one before it", m.ID)
		}
	}
	execPostgres(t, t.Context(), dsn, `DROP TABLE model_`+v.ID+`.map`) // as programs made a version that knew no maps
	if _, err := store.ProductMap(t.Context(), nil, limit); !errors.Is(err, vectorstore.ErrNoMap) {
		t.Errorf("without the table: %v", err)
	}
	if faults, err := store.Damage(t.Context(), vectorstore.Version{ID: v.ID, State: vectorstore.StateReady,
		Items: len(v.Items), Customers: len(v.Customers)}); err == nil && strings.Contains(strings.Join(faults, ";"), "map") {
		t.Errorf("a version without a map counts as damaged: %v", faults)
	}
}

// TestRecallIsMeasuredAgainstTheWidth asks an index of few products: as many candidates as products find all, and
// whatever the budget is, something is measured.
func TestRecallIsMeasuredAgainstTheWidth(t *testing.T) {
	t.Parallel()
	// So few rows would be scanned and sorted otherwise.
	dsn := withSettings(t, mustStack(t).mustVectorDatabase(t), "enable_seqscan", "off", "enable_sort", "off")
	store := mustVectorStore(t, dsn)
	v := randomVersion("m000000000000002", 2, 700, 30, 8)
	if _, err := store.Load(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if _, err := store.MeasureRecall(t.Context(), v.ID, time.Minute); !errors.Is(err, vectorstore.ErrNoIndex) {
		t.Errorf("without an index: %v", err)
	}
	execPostgres(t, t.Context(), dsn, `CREATE INDEX ON model_`+v.ID+`.item USING hnsw (embedding vector_ip_ops);
		UPDATE kindred.model_version SET index_kind = 'hnsw', ef_search = 100; ANALYZE`)
	store = mustVectorStore(t, dsn) // the other one remembers that there was none
	whole, err := store.MeasureRecall(t.Context(), v.ID, time.Hour)
	if err != nil || whole.CutShort || whole.Questions < 20 || whole.Used != 100 {
		t.Fatalf("%+v, %v", whole, err)
	}
	if exact := whole.Points[0]; exact.EFSearch != 0 || exact.Recall != 1 {
		t.Errorf("the exact scan is %+v", exact)
	}
	if widest := whole.Points[len(whole.Points)-1]; widest.EFSearch < len(v.Items) || widest.Recall != 1 {
		t.Errorf("the widest search is %+v", widest)
	}
	for _, p := range whole.Points {
		if !(p.Recall > 0.5 && p.Recall <= 1) || p.Each <= 0 {
			t.Errorf("%+v", p)
		}
	}
	short, err := store.MeasureRecall(t.Context(), v.ID, 0)
	if err != nil || !short.CutShort || short.Questions == 0 || short.Questions >= whole.Questions {
		t.Errorf("without time: %+v, %v", short, err)
	}
	if _, err := store.MeasureRecall(t.Context(), "m9", time.Minute); !errors.Is(err, vectorstore.ErrUnknownVersion) {
		t.Errorf("of no version: %v", err)
	}
}

// TestCustomersAreListedByTheBeginningOfTheirIDs compares with the ids themselves.
func TestCustomersAreListedByTheBeginningOfTheirIDs(t *testing.T) {
	t.Parallel()
	store := mustVectorStore(t, mustStack(t).mustVectorDatabase(t))
	v := randomVersion("m000000000000002", 2, 20, 40, 4)
	for i, id := range []string{"a", "a%", "a_b", "aé", "a\U0010FFFE", "b", "ä"} {
		v.Customers[i].ID = id
	}
	slices.SortFunc(v.Customers, func(a, b modelversion.Customer) int { return strings.Compare(a.ID, b.ID) })
	mustGoLive(t, store, v)
	for _, text := range []string{"", "a", "a%", "a_", "1", "10", "ä", "z", "103"} {
		var want []string
		for i := range v.Customers {
			if strings.HasPrefix(v.Customers[i].ID, text) {
				want = append(want, v.Customers[i].ID)
			}
		}
		const limit = 5
		got, err := store.SomeCustomers(t.Context(), text, limit)
		if want = want[:min(limit, len(want))]; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q, %v", text, got, want, err)
		}
	}
}
