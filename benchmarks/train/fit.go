package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"kindred/internal/model/ials"
)

// The parameters that everybody trains with. Their values hardly matter for speed; all are exact
// solvers of the same equations but implicit, whose model has no frequency scaling.
const (
	alpha0, lambda, nu = 0.1, 0.01, 1.0
	threads            = 2
)

// measurement is what one program says about one run.
type measurement struct {
	Kernel string    `json:"kernel,omitempty"`
	Wall   []float64 `json:"wall_seconds"` // of each epoch
	CPU    []float64 `json:"cpu_seconds"`
	Loss   float64   `json:"loss,omitempty"` // after the last epoch, of those that minimise the same one
}

// fit trains with this build's kernels.
func fit(ctx context.Context, path string, dim, epochs int) (measurement, error) {
	p, err := read(path)
	if err != nil {
		return measurement{}, err
	}
	m := p.Matrix()
	r, model, err := measure(ctx, m, config(dim, epochs))
	if err != nil {
		return r, err
	}
	r.Loss = model.Loss(m, config(dim, epochs))
	return r, nil
}

func config(dim, epochs int) ials.Config {
	return ials.Config{Dim: dim, Alpha0: alpha0, Lambda: lambda, Nu: nu, Epochs: epochs, Seed: 1, Threads: threads}
}

func measure(ctx context.Context, m *ials.Matrix, cfg ials.Config) (measurement, *ials.Model, error) {
	r := measurement{Kernel: ials.Kernel()}
	wall, cpu := time.Now(), cpuSeconds()
	model, err := ials.Fit(ctx, m, cfg, func(int, func() float64) {
		w, c := time.Now(), cpuSeconds()
		r.Wall, r.CPU = append(r.Wall, w.Sub(wall).Seconds()), append(r.CPU, c-cpu)
		wall, cpu = w, c
	})
	if err != nil {
		return r, nil, fmt.Errorf("fit: %w", err)
	}
	return r, model, nil
}

func cpuSeconds() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
