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

	"golang.org/x/sys/unix"

	"kindred/internal/ials"
	"kindred/internal/program"
)

// Grow trains on ever more interactions, each size in a process of its own.
type Grow struct {
	Sizes []int `default:"2000000,5000000,10000000,20000000" help:"Interactions; 50 a user, 400 an item."`
	Dim   int   `default:"64" help:"Components of a vector."`
	One   int   `hidden:"" help:"Train on so many and print what it took."`
}

// growth is what one size took, for one epoch.
type growth struct {
	Interactions int     `json:"interactions"`
	Estimate     int64   `json:"estimated_bytes"`
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
		out.JSON = true
		return out.Result("", g)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	t := tabwriter.NewWriter(out.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "interactions\testimate MB\tpeak RSS MB\tof estimate\tbytes each\tCPU s an epoch\tµs each\t\n")
	for _, n := range c.Sizes {
		text, err := exec.CommandContext(ctx, self, "grow", "--one", strconv.Itoa(n), "--dim", strconv.Itoa(c.Dim)).Output()
		if err != nil {
			return fmt.Errorf("train on %d interactions: %w", n, err)
		}
		var g growth
		if err := json.Unmarshal(text, &g); err != nil {
			return fmt.Errorf("train on %d interactions: %w", n, err)
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%.2f\t%.0f\t%.2f\t%.2f\t\n", n, g.Estimate>>20, g.Peak>>20, float64(g.Peak)/float64(g.Estimate),
			float64(g.Peak)/float64(n), g.CPU, g.CPU/float64(n)*1e6)
	}
	return t.Flush()
}

func (c *Grow) one(ctx context.Context) (growth, error) {
	m := long(c.One)
	g := growth{Interactions: len(m.Col), Estimate: ials.Memory(m.Rows, m.Cols, len(m.Col), c.Dim, threads)}
	r, _, err := train(ctx, m, config(c.Dim, 1))
	if err != nil {
		return g, err
	}
	g.Wall, g.CPU = r.Wall[0], r.CPU[0]
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return g, fmt.Errorf("read own memory: %w", err)
	}
	g.Peak = u.Maxrss << 10 // Linux counts in KB
	return g, nil
}

// long is about n interactions of users with 5 to 250 of them, written in place: a list that grows would be garbage in the measurement.
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
