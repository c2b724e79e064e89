package nextitem

import (
	"context"
	"fmt"
	"math"
	"slices"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// FactorOptions are how the dense part is trained.
type FactorOptions struct {
	Dim    int     `json:"dim"`
	Alpha0 float64 `json:"alpha0"`
	Lambda float64 `json:"lambda"`
	Epochs int     `json:"epochs"`
}

// PairOptions are how the sparse part is counted.
type PairOptions struct {
	Gap     float64 `json:"gap"`     // what each further click between a pair leaves of what it counts
	Earlier float64 `json:"earlier"` // what the earlier item of a pair counts for the later one; 1: order counts nothing
	Rarity  float64 `json:"rarity"`  // the exponent of the neighbour's own clicks, by which the sum is divided
}

// Weights are how a session is read, and how the parts are added up.
type Weights struct {
	View float64 `json:"view"` // weight of the last click in the dense part; a click of training has 1
	Near float64 `json:"near"` // of the sparse part; 0: there is none
	modelversion.Clicks
}

const (
	// nu scales regularisation with a row's clicks, as in every model of kindred.
	nu = 1
	// longest is how many of a session's last clicks are read.
	longest = modelversion.LongestSession
	// nearest is how many neighbours of an item are kept.
	nearest = 300
)

// Factors is the dense part: sessions are the rows of the factorisation, and a new session is folded
// in as one more row.
type Factors struct {
	Options FactorOptions
	items   []float32
	folder  *ials.Folder
}

// NewFactors trains it. The errors are those of ials.Fit.
func NewFactors(ctx context.Context, train *Log, o FactorOptions, seed uint64, threads int,
	progress func(epoch int)) (*Factors, error) {
	m := &ials.Matrix{Rows: len(train.Sessions), Cols: len(train.Items), Start: []int{0}}
	for _, s := range train.Sessions {
		m.Col = append(m.Col, distinct(s.Items)...)
		m.Start = append(m.Start, len(m.Col))
	}
	m.Weight = slices.Repeat([]float32{1}, len(m.Col))
	model, err := ials.Fit(ctx, m, ials.Config{Dim: o.Dim, Alpha0: o.Alpha0, Lambda: o.Lambda, Nu: nu, Epochs: o.Epochs,
		Seed: seed, Threads: threads}, func(epoch int, _ func() float64) { progress(epoch) })
	if err != nil {
		return nil, fmt.Errorf("fit sessions: %w", err)
	}
	folder, err := ials.NewFolder(modelversion.Solver{Dim: o.Dim, Alpha0: o.Alpha0, Lambda: o.Lambda, Nu: nu,
		Items: len(train.Items), Gram: ials.Gram(model.Items, o.Dim, threads)})
	if err != nil {
		return nil, err
	}
	return &Factors{o, model.Items, folder}, nil
}

func (f *Factors) item(i int32) []float32 {
	return f.items[int(i)*f.Options.Dim : (int(i)+1)*f.Options.Dim]
}

// Near is the sparse part: how much an item speaks for those that were clicked near it.
func Near(train *Log, o PairOptions, threads int) [][]Neighbour {
	return pairing{longest: longest, most: nearest, weight: func(gap int) float64 {
		if gap < 0 {
			return o.Earlier * math.Pow(o.Gap, float64(-gap-1))
		}
		return math.Pow(o.Gap, float64(gap-1))
	}, scale: func(from, to float64) float64 {
		return math.Pow(from, 1-o.Rarity) * math.Pow(to, o.Rarity)
	}}.neighbours(train.items(), len(train.Items), threads)
}

// Blend is kindred's ranker for sessions. An item's score is the sum of three parts, each of them a
// sum over the session's clicks: what the click adds to the item in the folded session, what it adds
// as a neighbour, and, if it was a click of the item itself, what that adds. So Explain is exact. It
// is safe for concurrent use.
type Blend struct {
	factors *Factors
	near    [][]Neighbour
	weights Weights
	popular []float32 // for sessions without a known item
}

// NewBlend puts parts of one catalogue together.
func NewBlend(train *Log, f *Factors, near [][]Neighbour, w Weights) *Blend {
	return &Blend{f, near, w, train.popularity()}
}

// read is the known ones of a session's last clicks, the newest first, each item once, with how many
// clicks came after it.
func read(clicks []int32) (items []int32, ago []int) {
	for i := len(clicks) - 1; i >= max(len(clicks)-longest, 0); i-- {
		if item := clicks[i]; item != Unknown && !slices.Contains(items, item) {
			items, ago = append(items, item), append(ago, len(clicks)-1-i)
		}
	}
	return items, ago
}

// fold is the session's place among the factors.
func (f *Factors) fold(items []int32, ago []int, w Weights) (*ials.Query, error) {
	seen := make([]ials.Observation, len(items))
	for i, item := range items {
		seen[i] = ials.Observation{Vector: f.item(item), Weight: float32(w.View * w.Clicks.View(ago[i]))}
	}
	return f.folder.Fold(nil, seen)
}

// Rank is the Ranker. A session without a known item gets the most popular.
func (b *Blend) Rank(questions [][]int32, scores []float32) {
	d, n := b.factors.Options.Dim, len(b.popular)
	vectors := make([]float32, len(questions)*d)
	sessions, since := make([][]int32, len(questions)), make([][]int, len(questions))
	for i, clicks := range questions {
		sessions[i], since[i] = read(clicks)
		if q, err := b.factors.fold(sessions[i], since[i], b.weights); err == nil { // a singular system has no dense part
			copy(vectors[i*d:], q.Vector())
		}
	}
	ials.Scores(vectors, b.factors.items, d, scores)
	for i, clicks := range questions {
		own, items, ago := scores[i*n:(i+1)*n], sessions[i], since[i]
		if len(items) == 0 {
			copy(own, b.popular)
		}
		for j, item := range items {
			near := b.weights.Near * b.weights.Clicks.Near(ago[j])
			for _, neighbour := range b.near[item] {
				own[neighbour.Item] += float32(near * float64(neighbour.Weight))
			}
			own[item] += float32(b.weights.Itself(ago[j]))
		}
		if last := clicks[len(clicks)-1]; last != Unknown && b.weights.Last < 0 {
			own[last] = NotShown
		}
	}
}

// Explain splits an item's score into what each click adds, in the clicks' order; their sum is the
// score, exact up to float32. It is nil for a session without a known item, and an error of
// ials.Folder otherwise.
func (b *Blend) Explain(clicks []int32, item int32) ([]float32, error) {
	items, ago := read(clicks)
	if len(items) == 0 {
		return nil, nil
	}
	q, err := b.factors.fold(items, ago, b.weights)
	if err != nil {
		return nil, err
	}
	_, dense := q.Contributions(b.factors.item(item), nil)
	each := make([]float32, len(clicks))
	for j, seen := range items {
		add := float64(dense[j])
		near := b.weights.Near * b.weights.Clicks.Near(ago[j])
		if i := slices.IndexFunc(b.near[seen], func(n Neighbour) bool { return n.Item == item }); i >= 0 {
			add += near * float64(b.near[seen][i].Weight)
		}
		if seen == item {
			add += b.weights.Itself(ago[j])
		}
		each[len(clicks)-1-ago[j]] = float32(add)
	}
	return each, nil
}
