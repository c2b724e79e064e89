package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"kindred/internal/job/train"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/platform/program"
	"kindred/internal/shop"
)

// Grow trains on ever more interactions, each size in a process of its own.
type Grow struct {
	Sizes []int    `default:"2000000,5000000,10000000,20000000" help:"Numbers of interactions to train on: 50 per user, 400 per item."`
	Dim   int      `default:"64" help:"Components of a vector."`
	Whole bool     `help:"Do everything that train does, from tuning to the report. Without this flag, only one epoch is trained."`
	Parts []string `default:"vectors,auto" enum:"vectors,auto" help:"With --whole: parts of the model. vectors has vectors alone; auto adds neighbours if validation chooses them."`
	One   int      `hidden:"" help:"Train on this number of interactions and print the measurement."`
}

// growth is what one size took.
type growth struct {
	Interactions int     `json:"interactions"`
	Estimate     int64   `json:"estimated_bytes"` // of the program and the training
	Peak         int64   `json:"peak_rss_bytes"`
	Wall         float64 `json:"wall_seconds"`
	CPU          float64 `json:"cpu_seconds"`
}

// Run measures.
func (c *Grow) Run(ctx context.Context, out *program.Output) error {
	if c.One > 0 {
		g, err := c.one(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(out.Stdout).Encode(g)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	t := tabwriter.NewWriter(out.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	if !c.Whole {
		c.Parts = c.Parts[:1]
	}
	fmt.Fprintf(t, "interactions\tparts\testimate MB\tpeak RSS MB\tof estimate\tbytes each\tCPU s\tµs each\t\n")
	for _, n := range c.Sizes {
		for _, parts := range c.Parts {
			args := []string{"grow", "--one", strconv.Itoa(n), "--dim", strconv.Itoa(c.Dim), "--parts", parts}
			if c.Whole {
				args = append(args, "--whole")
			}
			text, err := exec.CommandContext(ctx, self, args...).Output()
			if err != nil {
				return fmt.Errorf("train on %d interactions: %w", n, err)
			}
			var g growth
			if err := json.Unmarshal(text, &g); err != nil {
				return fmt.Errorf("train on %d interactions: %w", n, err)
			}
			fmt.Fprintf(t, "%d\t%s\t%d\t%d\t%.2f\t%.0f\t%.2f\t%.2f\t\n", n, parts, g.Estimate>>20, g.Peak>>20,
				float64(g.Peak)/float64(g.Estimate),
				float64(g.Peak)/float64(n), g.CPU, g.CPU/float64(n)*1e6)
		}
	}
	return t.Flush()
}

func (c *Grow) one(ctx context.Context) (growth, error) {
	program, err := peakMemory()
	if err != nil {
		return growth{}, err
	}
	m := long(c.One)
	g := growth{Interactions: len(m.Col)}
	start, cpu := time.Now(), cpuSeconds()
	if c.Whole {
		cfg := train.DefaultConfig()
		cfg.Dim, cfg.TuneBudget, cfg.Parts = c.Dim, wholeBudget, c.Parts[0]
		job := train.Trainer{Config: cfg, Threads: threads,
			Estimated: func(e train.Estimate) { g.Estimate = program + e.Bytes }}
		data := shopOf(m)
		_, err = job.Train(ctx, data)
	} else {
		g.Estimate = program + ials.Memory(m.Rows, m.Cols, len(m.Col), c.Dim, threads)
		_, err = ials.Fit(ctx, m, config(c.Dim, 1), nil)
	}
	if err != nil {
		return g, fmt.Errorf("train: %w", err)
	}
	g.Wall, g.CPU = time.Since(start).Seconds(), cpuSeconds()-cpu
	g.Peak, err = peakMemory()
	return g, err
}

// wholeBudget is the tuning budget of a whole training, in seconds: the least that tries a few candidates.
const wholeBudget = 10

// shopOf is a shop whose customers rated what m says, one in four not well.
func shopOf(m *ials.Matrix) *train.Data {
	ratings := make([]evaluation.Rating, 0, len(m.Col))
	var products []shop.Product
	var customers []shop.Customer
	for p := range m.Cols {
		products = append(products, shop.Product{Code: fmt.Sprintf("S%08d", p), Line: fmt.Sprint("line ", p%20)})
	}
	for u := range m.Rows {
		customers = append(customers, shop.Customer{ID: strconv.Itoa(u + 1), Country: fmt.Sprint("country ", u%30)})
		cols, _ := m.Row(u)
		for i, p := range cols {
			stars := int8(5)
			if evaluation.Mix(uint64(u)<<32+uint64(p))%4 == 0 {
				stars = 2
			}
			ratings = append(ratings, evaluation.Rating{Customer: int32(u), Product: p, Stars: stars,
				RatedAt: int64(1_700_000_000 + 3600*i)})
		}
	}
	return train.NewData(customers, products, ratings)
}

// peakMemory is the most that this process has held, in bytes.
func peakMemory() (int64, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read own memory: %w", err)
	}
	return u.Maxrss << 10, nil // Linux counts in KB
}

// long is about n interactions of users with 5 to 250 of them, written in place: a list that grows
// would be garbage in the measurement.
func long(n int) *ials.Matrix {
	rng := rand.New(rand.NewPCG(3, 0))
	m := &ials.Matrix{Rows: n / 50, Cols: n / 400, Start: make([]int, 1, n/50+1), Col: make([]int32, 0, n+n/4)}
	for range m.Rows {
		lo := len(m.Col)
		for range 5 + int(245*math.Pow(rng.Float64(), 4.3)) {
			m.Col = append(m.Col, int32(float64(m.Cols)*math.Pow(rng.Float64(), 1.5)))
		}
		row := m.Col[lo:]
		slices.Sort(row)
		m.Col = m.Col[:lo+len(slices.Compact(row))]
		m.Start = append(m.Start, len(m.Col))
	}
	m.Weight = make([]float32, len(m.Col))
	for i := range m.Weight {
		m.Weight[i] = 1
	}
	return m
}
