package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	"kindred/internal/model/modelversion"
)

// describedBy gives the shop's products the embeddings.
func describedBy(t *testing.T, data *Data, embeddings [][]float32, ids []string) *Data {
	t.Helper()
	n := Named{File: "embeddings.csv", Dim: len(embeddings[0]), IDs: ids}
	for _, e := range embeddings {
		n.Values = append(n.Values, e...)
	}
	described := *data
	described.Products = slices.Clone(data.Products)
	counts, err := described.embed(&n, 0)
	if err != nil || counts.Used != len(ids) {
		t.Fatalf("%+v, %v", counts, err)
	}
	return &described
}

// coldRows is NDCG@10 of new products by row.
func coldRows(t *testing.T, data *Data) map[string]modelversion.Row {
	t.Helper()
	cfg := hasty()
	cfg.Dim, cfg.Epochs = 16, 6
	v := mustTrain(t, Trainer{Config: cfg}, data)
	if v.Report.ColdStart == nil {
		t.Fatal("new products are not measured")
	}
	rows := map[string]modelversion.Row{}
	for _, r := range v.Report.ColdStart.Rows {
		rows[r.Name] = r
	}
	return rows
}

// TestDescriptionsTellNewProducts: embeddings of descriptions rank products without history better than
// their other features do. Those of other products' descriptions do no harm.
func TestDescriptionsTellNewProducts(t *testing.T) {
	t.Parallel()
	shop, data := mustShop(t, 0.3)
	var ids []string
	for _, p := range shop.Products() {
		ids = append(ids, p.Code)
	}
	right := coldRows(t, describedBy(t, data, shop.Descriptions(64), ids))
	if a, b := right[modelversion.RowModel], right[RowFeatures]; a.NDCG10 < 1.05*b.NDCG10 {
		t.Errorf("with descriptions %.4f, without %.4f", a.NDCG10, b.NDCG10)
	}
	rand.New(rand.NewPCG(5, 5)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	wrong := coldRows(t, describedBy(t, data, shop.Descriptions(64), ids))
	if a, b := wrong[modelversion.RowModel], wrong[RowFeatures]; a.NDCG10 < 0.97*b.NDCG10 {
		t.Errorf("with others' descriptions %.4f, without %.4f", a.NDCG10, b.NDCG10)
	}
	t.Logf("right: %+v, wrong: %+v", right, wrong)
	if none := coldRows(t, data); none[RowFeatures].Name != "" {
		t.Error("without embeddings there is a row for what they add")
	}
}

// TestEmbeddingsAreCentredOnce: the fits of a training share them, and other embeddings take their place.
func TestEmbeddingsAreCentredOnce(t *testing.T) {
	t.Parallel()
	shop, data := mustShop(t, 0.05)
	var ids []string
	for _, p := range shop.Products() {
		ids = append(ids, p.Code)
	}
	first := describedBy(t, data, shop.Descriptions(2*mostEmbedding), ids)
	if a, b := first.dense(), first.dense(); a != b || a.dim != mostEmbedding {
		t.Errorf("they are projected to %d components, once: %t", a.dim, a == b)
	}
	if second := describedBy(t, first, shop.Descriptions(8), ids).dense(); second.dim != 8 {
		t.Errorf("other embeddings have %d components, not 8", second.dim)
	}
}

// TestEmbeddingsAreALinearMap: vectors that are a linear map of the embeddings are told exactly, but for
// the ridge, whatever the length of the embeddings; longer ones are projected.
func TestEmbeddingsAreALinearMap(t *testing.T) {
	t.Parallel()
	for _, dim := range []int{8, 40, 2 * mostEmbedding} {
		rng := rand.New(rand.NewPCG(1, uint64(dim)))
		const rows, to = 600, 4
		hidden := min(dim, 5)
		all := &dense{dim: dim, x: make([]float32, rows*dim)}
		vectors := make([][]float32, rows)
		lift := make([]float64, hidden*dim)
		for i := range lift {
			lift[i] = rng.NormFloat64()
		}
		for i := range vectors {
			vectors[i] = make([]float32, to)
			for h := range hidden {
				z := rng.NormFloat64()
				for j := range dim {
					all.row(i)[j] += float32(100 * z * lift[h*dim+j])
				}
				for j := range to {
					vectors[i][j] += float32(z * float64(h+1) * float64(1-2*(j%2)))
				}
			}
			for _, x := range all.row(i) {
				all.length += float64(x) * float64(x) / rows
			}
		}
		var known []int
		for i := range rows - 50 {
			known = append(known, i)
		}
		features := make([][]string, rows)
		m := fitMixed(to, known, vectors[:rows-50], features[:rows-50], all.projected())
		var off, size float64
		for i := rows - 50; i < rows; i++ {
			for j, x := range m.vector(i, nil) {
				d := float64(x - vectors[i][j])
				off, size = off+d*d, size+float64(vectors[i][j])*float64(vectors[i][j])
			}
		}
		if off > 0.01*size {
			t.Errorf("dimension %d: %.3g of the variance of unseen rows is missed", dim, off/size)
		}
	}
}
