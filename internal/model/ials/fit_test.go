package ials

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"kindred/internal/model/modelversion"
)

// blocks is a matrix of two tastes: even users like even items, odd users odd ones, with some cells missing.
func blocks(users, items int, density float64) *Matrix {
	rng := rand.New(rand.NewPCG(7, 7))
	m := &Matrix{Rows: users, Cols: items, Start: []int{0}}
	for u := range users {
		for i := range items {
			if u%2 == i%2 && rng.Float64() < density {
				m.Col, m.Weight = append(m.Col, int32(i)), append(m.Weight, 1)
			}
		}
		m.Start = append(m.Start, len(m.Col))
	}
	return m
}

func config(dim int) Config {
	return Config{Dim: dim, Alpha0: 0.1, Lambda: 0.01, Nu: 1, Epochs: 6, Seed: 1, Threads: 2}
}

func mustFit(t testing.TB, m *Matrix, cfg Config) *Model {
	t.Helper()
	model, err := Fit(t.Context(), m, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !modelversion.Finite(model.Users...) || !modelversion.Finite(model.Items...) {
		t.Fatal("model holds values that are not finite")
	}
	return model
}

func TestFitFindsTwoTastes(t *testing.T) {
	t.Parallel()
	m := blocks(60, 40, 0.4)
	model := mustFit(t, m, config(2)) // as many components as tastes: nothing is left to fit noise with
	for u := range 60 {
		cols, _ := m.Row(u)
		lowestOwn, highestOther := math.Inf(1), math.Inf(-1)
		for i := range 40 {
			s := score(model.User(u), model.Item(i))
			if _, seen := slices.BinarySearch(cols, int32(i)); u%2 == i%2 && !seen {
				lowestOwn = min(lowestOwn, s)
			} else if u%2 != i%2 {
				highestOther = max(highestOther, s)
			}
		}
		if lowestOwn <= highestOther {
			t.Fatalf("user %d: unseen item of the own taste scores %g, of the other one %g", u, lowestOwn, highestOther)
		}
	}
}

func TestLossNeverRises(t *testing.T) {
	t.Parallel()
	m := blocks(50, 30, 0.5)
	last := math.Inf(1)
	for epochs := 1; epochs <= 8; epochs++ {
		cfg := config(6)
		cfg.Epochs = epochs
		loss := mustFit(t, m, cfg).Loss(m, cfg)
		if loss > last*(1+1e-5) {
			t.Fatalf("loss rose from %g to %g in epoch %d", last, loss, epochs)
		}
		last = loss
	}
}

// TestLossByHand compares with the definition, pair by pair.
func TestLossByHand(t *testing.T) {
	t.Parallel()
	m := &Matrix{Rows: 2, Cols: 2, Start: []int{0, 1, 3}, Col: []int32{1, 0, 1}, Weight: []float32{2, 1, 1}}
	model := &Model{Dim: 1, Users: []float32{1, 2}, Items: []float32{3, 0.5}}
	cfg := Config{Dim: 1, Alpha0: 0.5, Lambda: 0.1, Nu: 1, Epochs: 1}
	want := 2*0.25 + 25 + 0 + // observed: (1·0.5−1)²·2, (2·3−1)², (2·0.5−1)²
		0.5*(9+0.25+36+1) + // all four products squared
		0.1*((1+1)*1+(2+1)*4) + // users have 1 and 2 cells, α0·2 = 1
		0.1*((1+1)*9+(2+1)*0.25) // items have 1 and 2 cells
	if got := model.Loss(m, cfg); math.Abs(got-want) > 1e-4 {
		t.Fatalf("loss is %g, want %g", got, want)
	}
}

func TestFitDoesNotDependOnThreads(t *testing.T) {
	t.Parallel()
	m := blocks(150, 90, 0.3)
	cfg := config(10)
	cfg.Threads = 1
	want := mustFit(t, m, cfg)
	for _, threads := range []int{0, 2, 3, 8} {
		cfg.Threads = threads
		got := mustFit(t, m, cfg)
		if !slices.Equal(got.Users, want.Users) || !slices.Equal(got.Items, want.Items) {
			t.Fatalf("%d threads give other bits than one", threads)
		}
	}
}

// TestFoldEqualsTrainingRow is the promise of the design: training and serving solve the same equations.
func TestFoldEqualsTrainingRow(t *testing.T) {
	t.Parallel()
	m := blocks(60, 40, 0.4)
	for i := range m.Weight {
		m.Weight[i] = 1 + float32(i%3)
	}
	cfg := config(8)
	cfg.Nu = 0.8
	model := mustFit(t, m, cfg)
	if err := Solve(t.Context(), m, model.Items, model.Users, cfg); err != nil { // users against the final items
		t.Fatal(err)
	}
	f, err := NewFolder(modelversion.Solver{Dim: cfg.Dim, Alpha0: cfg.Alpha0, Lambda: cfg.Lambda, Nu: cfg.Nu,
		Items: m.Cols,
		Gram:  Gram(model.Items, cfg.Dim, 2)})
	if err != nil {
		t.Fatal(err)
	}
	for u := range m.Rows {
		cols, weights := m.Row(u)
		var obs []Observation
		for i, c := range cols {
			obs = append(obs, Observation{model.Item(int(c)), weights[i]})
		}
		q, err := f.Fold(nil, obs)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range q.Vector() {
			if math.Abs(float64(x-model.User(u)[i])) > 1e-4 {
				t.Fatalf("user %d component %d: folded %g, trained %g", u, i, x, model.User(u)[i])
			}
		}
	}
}

func TestFitOnDegenerateInput(t *testing.T) {
	t.Parallel()
	full := &Matrix{Rows: 1, Cols: 5, Start: []int{0, 5}, Col: []int32{0, 1, 2, 3, 4}, Weight: []float32{1, 1, 1, 1, 1}}
	tests := map[string]struct {
		m    *Matrix
		cfg  Config
		want error
	}{
		"one user, one item": {m: &Matrix{Rows: 1, Cols: 1, Start: []int{0, 1},
			Col: []int32{0}, Weight: []float32{1}}, cfg: config(4)},
		"a user with every item": {m: full, cfg: config(8)},
		"rows without cells": {m: &Matrix{Rows: 3, Cols: 3, Start: []int{0, 0, 1, 1},
			Col: []int32{1}, Weight: []float32{1}}, cfg: config(4)},
		"hardly regularised": {m: full, cfg: Config{Dim: 8, Alpha0: 1e-9, Lambda: 1e-12, Nu: 1, Epochs: 8}},
		"no interactions":    {m: &Matrix{Rows: 2, Cols: 2, Start: []int{0, 0, 0}}, cfg: config(4), want: ErrNoInteractions},
		"no rows":            {m: &Matrix{Start: []int{0}}, cfg: config(4), want: ErrNoInteractions},
		"columns out of order": {m: &Matrix{Rows: 1, Cols: 3, Start: []int{0, 2},
			Col: []int32{2, 1}, Weight: []float32{1, 1}}, cfg: config(4), want: ErrInvalid},
		"column out of range": {m: &Matrix{Rows: 1, Cols: 1, Start: []int{0, 1},
			Col: []int32{1}, Weight: []float32{1}}, cfg: config(4), want: ErrInvalid},
		"weight not a number": {m: &Matrix{Rows: 1, Cols: 1, Start: []int{0, 1},
			Col: []int32{0}, Weight: []float32{float32(math.NaN())}}, cfg: config(4), want: ErrInvalid},
		"no regularisation at all": {m: full, cfg: Config{Dim: 2, Alpha0: 1, Epochs: 1}, want: ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, err := Fit(t.Context(), test.m, test.cfg, nil)
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			if err == nil && (!modelversion.Finite(model.Users...) || !modelversion.Finite(model.Items...)) {
				t.Fatal("model holds values that are not finite")
			}
		})
	}
}

func TestFitStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Fit(ctx, blocks(10, 10, 0.5), config(4), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
}

func BenchmarkEpoch64(b *testing.B) {
	m := blocks(900, 1600, 0.14) // about 100,000 interactions
	cfg := config(64)
	cfg.Epochs = 1
	for b.Loop() {
		if _, err := Fit(b.Context(), m, cfg, nil); err != nil {
			b.Fatal(err)
		}
	}
	d := 64.0
	flops := 2*d*d*float64(len(m.Col)) + d*d*d/3*float64(m.Rows+m.Cols)
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
}
