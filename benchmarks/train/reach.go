package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/platform/program"
)

// Reach compares the time that kindred and implicit need until they rank equally well. Each is
// tuned on a validation part of the training part first, both with as many candidates; the time is
// that of the epochs alone.
type Reach struct {
	state
	Source string  `default:"benchmarks/train/peers" help:"Folder that holds the source code of the competitors' programs." type:"existingdir"`
	Data   string  `default:"sparse" help:"Data set: dense, sparse (both are generated), or a file in the adjacency format. A tenth of it is held out for the ranking to find."`
	Dim    int     `default:"64" help:"Components of a vector."`
	Epochs int     `default:"15" help:"Largest number of epochs. The default is that of implicit."`
	Goal   float64 `default:"0.99" help:"Share of the best NDCG@20 of implicit that both must reach, 0 to 1."`
}

// settings of a contender: kindred's alpha0 and lambda, or implicit's alpha and regularization.
type settings [2]float64

// racer trains on pairs and says what it took; its model is in the returned factors.
type racer struct {
	name       string
	candidates []settings
	train      func(ctx context.Context, p *evaluation.Pairs, s settings, epochs int) (measurement, *ials.Model, error)
}

// The seeds of the two cuts, and the epochs of a candidate.
const (
	testSeed, validSeed = 11, 12
	candidateEpochs     = 8
)

// Run measures.
func (c *Reach) Run(ctx context.Context, out *program.Output) error {
	r := Run{state: c.state, Source: c.Source}
	contenders, err := r.prepare(ctx, out)
	if err != nil {
		return err
	}
	_, all, err := r.data(c.Data)
	if err != nil {
		return err
	}
	train, test := all.Cut(testSeed)
	fitting, valid := train.Cut(validSeed)
	peer := contenders[slices.IndexFunc(contenders, func(p contender) bool { return p.Name == implicit })]
	racers := []racer{c.kindred(), c.implicit(peer)}
	curves := make([][]float64, len(racers)) // NDCG@20 after each number of epochs
	times := make([][]measurement, len(racers))
	chosen := make([]settings, len(racers))
	for i, p := range racers {
		if chosen[i], err = c.tune(ctx, out, p, fitting, fitting.Task(valid)); err != nil {
			return err
		}
		for epochs := 1; epochs <= c.Epochs; epochs++ {
			took, model, err := p.train(ctx, train, chosen[i], epochs)
			if err != nil {
				return err
			}
			quality, err := ndcg(ctx, train.Task(test), model)
			if err != nil {
				return err
			}
			curves[i], times[i] = append(curves[i], quality), append(times[i], took)
			fmt.Fprintf(out.Stderr, "%s, %d epochs: NDCG@20 %.4f\n", p.name, epochs, quality)
		}
	}
	goal := c.Goal * slices.Max(curves[1])
	t := tabwriter.NewWriter(out.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out.Stdout,
		"\n%d users, %d items, %d interactions; d = %d; the goal is NDCG@20 %.4f, %.2f of implicit's best\n",
		len(train.Of), train.Products, train.Count(), c.Dim, goal, c.Goal)
	fmt.Fprintln(t, "program\tsettings\tbest NDCG@20\tepochs to the goal\twall s\tCPU s\t")
	for i, p := range racers {
		fmt.Fprintf(t, "%s\t%.3g %.3g\t%.4f\t", p.name, chosen[i][0], chosen[i][1], slices.Max(curves[i]))
		if at := slices.IndexFunc(curves[i], func(q float64) bool { return q >= goal }); at >= 0 {
			fmt.Fprintf(t, "%d\t%.2f\t%.2f\t\n", at+1, sum(times[i][at].Wall), sum(times[i][at].CPU))
		} else {
			fmt.Fprint(t, "never\t–\t–\t\n")
		}
	}
	return t.Flush()
}

// tune returns the candidate that ranks the validation part best.
func (c *Reach) tune(ctx context.Context, out *program.Output, p racer, fitting *evaluation.Pairs,
	task *evaluation.Task) (best settings, err error) {
	top := -1.0
	for _, s := range p.candidates {
		_, model, err := p.train(ctx, fitting, s, candidateEpochs)
		if err != nil {
			return best, err
		}
		quality, err := ndcg(ctx, task, model)
		if err != nil {
			return best, err
		}
		fmt.Fprintf(out.Stderr, "%s, settings %.3g %.3g: NDCG@20 %.4f\n", p.name, s[0], s[1], quality)
		if quality > top {
			best, top = s, quality
		}
	}
	return best, nil
}

func (c *Reach) kindred() racer {
	return racer{ours, grid([]float64{0.03, 0.1, 0.3, 1}, []float64{0.003, 0.01, 0.03}),
		func(ctx context.Context, p *evaluation.Pairs, s settings, epochs int) (measurement, *ials.Model, error) {
			cfg := config(c.Dim, epochs)
			cfg.Alpha0, cfg.Lambda = s[0], s[1]
			return measure(ctx, p.Matrix(), cfg)
		}}
}

// implicit's alpha is the weight of what was seen against 1 for the rest.
func (c *Reach) implicit(peer contender) racer {
	return racer{implicit, grid([]float64{1, 3, 10, 30}, []float64{0.1, 1, 10}),
		func(ctx context.Context, p *evaluation.Pairs, s settings, epochs int) (measurement, *ials.Model, error) {
			file, factors := c.file("reach.txt"), c.file("reach.f32")
			if err := writePairs(file, p); err != nil {
				return measurement{}, nil, err
			}
			number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
			m, err := start(ctx, slices.Concat(peer.command(file, c.Dim, epochs),
				[]string{"--alpha", number(s[0]), "--regularization", number(s[1]),
					"--factors", factors, "--users", strconv.Itoa(len(p.Of)), "--items", strconv.Itoa(p.Products)}))
			if err != nil {
				return m, nil, err
			}
			model, err := readFactors(factors, len(p.Of), p.Products, c.Dim)
			return m, model, err
		}}
}

func grid(first, second []float64) (all []settings) {
	for _, a := range first {
		for _, b := range second {
			all = append(all, settings{a, b})
		}
	}
	return all
}

func ndcg(ctx context.Context, task *evaluation.Task, model *ials.Model) (float64, error) {
	scores, err := evaluation.Measure(ctx, task, threads, evaluation.Factors(model.Users, model.Items, model.Dim))
	if err != nil {
		return 0, err
	}
	return evaluation.Mean(scores.NDCG20), nil
}

// readFactors is what a peer wrote: users' then items' vectors, row by row, little endian.
func readFactors(path string, users, items, dim int) (*ials.Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read factors: %w", err)
	}
	if len(data) != 4*dim*(users+items) {
		return nil, fmt.Errorf("read factors: %d bytes, want %d", len(data), 4*dim*(users+items))
	}
	all := make([]float32, len(data)/4)
	for i := range all {
		all[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return &ials.Model{Dim: dim, Users: all[:users*dim], Items: all[users*dim:]}, nil
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}
