package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/platform/program"
)

// Run is the whole benchmark.
type Run struct {
	state
	Source string   `default:"benchmarks/train/peers" help:"Folder that holds the source code of the competitors' programs." type:"existingdir"`
	Pure   string   `placeholder:"FILE" help:"The program of this benchmark, built without GOEXPERIMENT=simd. Default: bench-train-pure in the benchmark's folder."`
	Dims   []int    `default:"64,128,256" help:"Numbers of components of a vector to measure."`
	Data   []string `default:"dense,sparse" help:"Data sets. dense and sparse are generated; any other name is a file in the adjacency format."`
	Rounds int      `default:"3" help:"How often each program is measured. The best measurement counts."`
	Epochs int      `default:"3" help:"Epochs per measurement. The first measurement of each program has one epoch. If that takes more than ten CPU seconds, all measurements of the program have one epoch."`
	Only   []string `placeholder:"NAME" help:"Programs to measure, by name. Default: all."`
}

// implicitVersion is the release that was measured.
const implicitVersion = "0.7.3"

// contender is somebody who trains.
type contender struct {
	Name    string
	command func(file string, dim, epochs int) []string
	exact   bool // solves the equations whose arithmetic is counted
}

// row is a line of the table.
type row struct {
	Data         string      `json:"data"`
	Dim          int         `json:"dim"`
	Contender    string      `json:"contender"`
	Measured     measurement `json:"measured"`
	Best         float64     `json:"best_cpu_seconds"`
	GFlops       float64     `json:"gflops"`
	Interactions int         `json:"interactions"`
}

// Run measures.
func (c *Run) Run(ctx context.Context, out *program.Output) error {
	contenders, err := c.prepare(ctx, out)
	if err != nil {
		return err
	}
	peak, err := c.peak(ctx)
	if err != nil {
		return err
	}
	var rows []row
	for _, data := range c.Data {
		file, pairs, err := c.data(data)
		if err != nil {
			return err
		}
		m := pairs.Matrix()
		for _, dim := range c.Dims {
			first := len(rows)
			for _, p := range contenders {
				rows = append(rows, row{Data: data, Dim: dim, Contender: p.Name, Interactions: len(m.Col)})
			}
			for round := range c.Rounds {
				for i, p := range contenders {
					r := &rows[first+i]
					fmt.Fprintf(out.Stderr, "%s, d = %d, round %d of %d: %s\n", data, dim, round+1, c.Rounds, p.Name)
					if err := c.turn(ctx, p, file, r); err != nil {
						return err
					}
				}
			}
			for i, p := range contenders {
				if r := &rows[first+i]; p.exact {
					r.GFlops = arithmetic(m, dim) / r.Best / 1e9
				}
			}
		}
	}
	if err := c.save(peak, rows); err != nil {
		return err
	}
	return print(out.Stdout, peak, rows)
}

// turn lets one contender train, and adds what it measured.
func (c *Run) turn(ctx context.Context, p contender, file string, r *row) error {
	epochs := c.Epochs
	if len(r.Measured.CPU) == 0 || r.Best > 10 {
		epochs = 1
	}
	got, err := start(ctx, p.command(file, r.Dim, epochs))
	if err != nil {
		return err
	}
	m := &r.Measured
	m.Kernel, m.Loss = got.Kernel, got.Loss
	m.Wall, m.CPU = append(m.Wall, got.Wall...), append(m.CPU, got.CPU...)
	r.Best = slices.Min(m.CPU)
	return nil
}

// arithmetic is what Cholesky needs for an epoch, in operations: those who need less for the same
// solution show more a second.
func arithmetic(m *ials.Matrix, dim int) float64 {
	d := float64(dim)
	return 2*float64(len(m.Col))*d*d + d*d*d/3*float64(m.Rows+m.Cols)
}

// data is the file of a data set, made when it is not there, and its content.
func (c *Run) data(name string) (string, *evaluation.Pairs, error) {
	file := name
	if i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name }); i >= 0 {
		file = c.file(name + ".txt")
		if err := shapes[i].write(file); err != nil {
			return "", nil, err
		}
	}
	p, err := read(file)
	return file, p, err
}

// prepare builds the C++ program, installs implicit into a virtual environment of its own, and
// lists who takes part.
func (c *Run) prepare(ctx context.Context, out *program.Output) ([]contender, error) {
	if err := os.MkdirAll(c.file(""), 0o755); err != nil {
		return nil, fmt.Errorf("create folder: %w", err)
	}
	fmt.Fprintln(out.Stderr, "preparing the peers")
	if _, err := os.Stat("/usr/include/eigen3"); err != nil {
		return nil, fmt.Errorf("%w: Eigen's headers are missing: apt-get install libeigen3-dev g++", program.ErrConfig)
	}
	als := c.file("als")
	compile := []string{"g++", "-std=c++17", "-O3", "-march=native", "-pthread", "-I/usr/include/eigen3", "-o", als,
		filepath.Join(c.Source, "als.cc")}
	if err := quietly(ctx, compile); err != nil {
		return nil, err
	}
	venv := c.file("venv")
	python := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(filepath.Join(venv, "ready-"+implicitVersion)); err != nil {
		for _, step := range [][]string{{"python3", "-m", "venv", venv},
			{python, "-m", "pip", "install", "-q", "implicit==" + implicitVersion}} {
			if err := quietly(ctx, step); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(venv, "ready-"+implicitVersion), nil, 0o644); err != nil {
			return nil, fmt.Errorf("mark implicit as installed: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	kindred := func(binary string) func(string, int, int) []string {
		return func(file string, dim, epochs int) []string {
			return []string{binary, "fit", file, strconv.Itoa(dim), strconv.Itoa(epochs)}
		}
	}
	peer := func(binary []string, last ...string) func(string, int, int) []string {
		return func(file string, dim, epochs int) []string {
			return slices.Concat(binary, []string{file, strconv.Itoa(dim), strconv.Itoa(epochs), strconv.Itoa(threads)}, last)
		}
	}
	all := []contender{
		{ours, kindred(self), true},
		{"kindred, pure Go", kindred(cmp.Or(c.Pure, c.file("bench-train-pure"))), true},
		{cholesky, peer([]string{als}, "cholesky"), true},
		{dual, peer([]string{als}, "dual"), true},
		{implicit, peer([]string{python, filepath.Join(c.Source, "implicit_als.py")}), false},
	}
	return slices.DeleteFunc(all, func(p contender) bool {
		return len(c.Only) > 0 && !slices.ContainsFunc(c.Only, func(o string) bool { return strings.Contains(p.Name, o) })
	}), nil
}

func (c *Run) peak(ctx context.Context) (float64, error) {
	text, err := exec.CommandContext(ctx, c.file("als"), "peak").Output()
	if err != nil {
		return 0, fmt.Errorf("measure the machine's peak: %w", err)
	}
	var p struct{ GFlops float64 }
	if err := json.Unmarshal(text, &p); err != nil {
		return 0, fmt.Errorf("read the machine's peak: %w", err)
	}
	return p.GFlops, nil
}

func (c *Run) save(peak float64, rows []row) error {
	text, err := json.MarshalIndent(map[string]any{"peak_gflops_a_core": peak, "threads": threads, "rows": rows}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(c.file("result.json"), text, 0o644); err != nil {
		return fmt.Errorf("save result: %w", err)
	}
	return nil
}

func quietly(ctx context.Context, args []string) error {
	if text, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return nil
}

func start(ctx context.Context, args []string) (measurement, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return measurement{}, fmt.Errorf("run %s: %w", strings.Join(args, " "), err)
	}
	var m measurement
	if err := json.Unmarshal(text, &m); err != nil || len(m.CPU) == 0 {
		return m, fmt.Errorf("run %s: it printed %q: %w", strings.Join(args, " "), text, err)
	}
	return m, nil
}
