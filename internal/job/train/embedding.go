package train

import (
	"math"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
)

// Products without history get their vectors from their features. Embeddings of their texts or images
// are such features: dense ones, with a ridge of their own.

const (
	// folds is how many parts the known products are cut into to choose the ridge.
	folds = 5
	// rounds is how often features and embeddings are fitted in turn, each to what the other leaves.
	rounds = 3
	// mostEmbedding is the largest number of components that are used as they are; longer ones are
	// projected to it at random, which keeps distances.
	mostEmbedding = 256
)

// embeddingRidges are tried: they are shares of the embeddings' mean squared length, times the number
// of products. The last one stands for leaving embeddings out.
var embeddingRidges = [...]float64{0.0001, 0.001, 0.01, 0.1, 1, math.Inf(1)}

// dense are the embeddings of rows, centred; a row without one is zero.
type dense struct {
	dim    int
	x      []float32
	length float64 // mean squared length
}

func (d *dense) row(i int) []float32 { return d.x[i*d.dim : (i+1)*d.dim] }

// embed gives products the embeddings of a file, found by id.
func (d *Data) embed(file *Named, mostUnknown float64) (Joined, error) {
	x, has, counts, _, err := file.join("products", len(d.Products), mostUnknown, 0, func(i int) (string, bool) {
		return d.Products[i].ID, true
	})
	if err != nil {
		return counts, err
	}
	d.centred = nil
	for i := range d.Products {
		if has[i] {
			d.Products[i].embedding = x[i*file.Dim : (i+1)*file.Dim]
		}
	}
	return counts, nil
}

// embedded says whether a product has an embedding.
func (d *Data) embedded() bool {
	return slices.ContainsFunc(d.Products, func(p Product) bool { return p.embedding != nil })
}

// dense are the products' embeddings; nil without any. They are centred and projected once, for all the
// fits of a training. Not safe for concurrent use.
func (d *Data) dense() *dense {
	if d.centred == nil {
		d.centred = centred(d.Products)
	}
	return d.centred
}

func centred(products []Product) *dense {
	var sum []float64
	count := 0
	for _, p := range products {
		if p.embedding == nil {
			continue
		}
		if sum == nil {
			sum = make([]float64, len(p.embedding))
		}
		count++
		for j, v := range p.embedding {
			sum[j] += float64(v)
		}
	}
	if count == 0 {
		return nil
	}
	all := &dense{dim: len(sum), x: make([]float32, len(products)*len(sum))}
	for i, p := range products {
		if p.embedding == nil {
			continue
		}
		for j, v := range p.embedding {
			x := float64(v) - sum[j]/float64(count)
			all.row(i)[j] = float32(x)
			all.length += x * x / float64(count)
		}
	}
	return all.projected()
}

// projected is d with at most mostEmbedding components.
func (d *dense) projected() *dense {
	if d.dim <= mostEmbedding {
		return d
	}
	p := &dense{dim: mostEmbedding, x: make([]float32, len(d.x)/d.dim*mostEmbedding), length: d.length}
	scale := float32(1 / math.Sqrt(mostEmbedding))
	for i := range len(d.x) / d.dim {
		row := p.row(i)
		for j, v := range d.row(i) {
			for k := range row { // a sign by hash for each pair of components
				if evaluation.Mix(uint64(j)<<32|uint64(k))&1 == 0 {
					row[k] += v * scale
				} else {
					row[k] -= v * scale
				}
			}
		}
	}
	return p
}

// mixed maps features and embeddings to vectors.
type mixed struct {
	features *ridge
	dense    *dense
	weights  []float64 // from the embeddings; nil: they say nothing
}

// fitMixed learns from the rows that are not empty. The ridge of the embeddings is the one with which
// held-out known rows are told best: embeddings that say nothing are left out.
func fitMixed(dim int, known []int, vectors [][]float32, features [][]string, all *dense) *mixed {
	m := &mixed{features: fitRidge(dim, vectors, features), dense: all}
	if all == nil || all.length == 0 {
		return m
	}
	rest := func() [][]float32 { // what the features leave
		left := make([][]float32, len(vectors))
		for i, v := range vectors {
			said := m.features.vector(features[i])
			left[i] = make([]float32, dim)
			for j := range left[i] {
				left[i][j] = v[j] - said[j]
			}
		}
		return left
	}
	left := rest()
	whole := m.equations(dim, known, left)
	share := m.choose(whole, dim, known, left)
	if math.IsInf(share, 1) {
		return m
	}
	for round := range rounds {
		if round > 0 {
			whole = m.equations(dim, known, rest())
		}
		var err error
		if m.weights, err = whole.Solve(share * all.length * float64(len(known)) / float64(all.dim)); err != nil {
			m.weights = nil
			return m
		}
		without := make([][]float32, len(vectors))
		for i, v := range vectors {
			without[i] = append([]float32(nil), v...)
			m.addDense(without[i], known[i], -1)
		}
		m.features = fitRidge(dim, without, features)
	}
	return m
}

// equations are those of the known rows: from the embedding to what the features leave.
func (m *mixed) equations(dim int, known []int, left [][]float32) *ials.Ridge {
	whole := ials.NewRidge(m.dense.dim, dim)
	for i, row := range known {
		whole.Add(m.dense.row(row), left[i], 1)
	}
	return whole
}

// choose tries the ridges on one part of the known rows after the other.
func (m *mixed) choose(whole *ials.Ridge, dim int, known []int, left [][]float32) (share float64) {
	var errors [len(embeddingRidges)]float64
	for fold := range uint64(folds) {
		part := whole.Clone()
		var held []int
		for i, row := range known {
			if evaluation.Mix(uint64(row)+1)%folds == fold {
				part.Add(m.dense.row(row), left[i], -1)
				held = append(held, i)
			}
		}
		for k, share := range embeddingRidges {
			try := &mixed{dense: m.dense}
			if !math.IsInf(share, 1) {
				try.weights, _ = part.Solve(share * m.dense.length * float64(len(known)-len(held)) / float64(m.dense.dim))
			}
			for _, i := range held {
				guess := make([]float32, dim)
				try.addDense(guess, known[i], 1)
				for j, v := range left[i] {
					errors[k] += float64(v-guess[j]) * float64(v-guess[j])
				}
			}
		}
	}
	best := len(embeddingRidges) - 1
	for k, e := range errors {
		if e < errors[best] {
			best = k
		}
	}
	return embeddingRidges[best]
}

// addDense adds what a row's embedding says.
func (m *mixed) addDense(v []float32, row int, factor float64) {
	if m.weights == nil {
		return
	}
	for i, x := range m.dense.row(row) {
		if x == 0 {
			continue
		}
		for j, w := range m.weights[i*len(v) : (i+1)*len(v)] {
			v[j] += float32(factor * float64(x) * w)
		}
	}
}

// vector is what features and embedding say of a row.
func (m *mixed) vector(row int, features []string) []float32 {
	v := m.features.vector(features)
	m.addDense(v, row, 1)
	return v
}
