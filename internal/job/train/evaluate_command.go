package train

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"kindred/internal/model/evaluation"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
)

// EvaluateCommand is `train evaluate`.
type EvaluateCommand struct {
	Train      string   `required:"" placeholder:"FILE" help:"Interactions to train on, one line per user: \"user item item …\"."`
	Test       string   `required:"" placeholder:"FILE" help:"Held-out interactions to find, one line per user: \"user item item …\"."`
	Valid      string   `placeholder:"FILE" help:"Interactions for tuning only, one line per user. Default: tuning uses a tenth of the training file, and the final fit uses the whole training file."`
	Lukewarm   string   `placeholder:"FILE" help:"Items that users of the training file rated and did not like, one line per user. No row ranks them for the user. kindred-near learns from them as weak likes, if they rank the validation data better."`
	Rows       []string `placeholder:"ROW" enum:"random,popularity,co-occurrence,ease,gf-cf,bpr-mf,kindred-near,kindred-blend," help:"Recommenders to measure next to kindred, separated by commas: random, popularity, co-occurrence, ease, gf-cf, bpr-mf, kindred-near, kindred-blend. kindred-near is the model of train, with weak likes and neighbours if they rank the validation data better. kindred-blend is an experiment that adds the scores of further models to kindred's. Default: all except these two."`
	Refit      bool     `help:"After tuning, train on the validation file too, and leave its items out of the rankings. Most published results of the public splits were made without this flag."`
	TuneBudget float64  `default:"300" help:"Seconds that tuning may take on a nominal machine of 20 Gflop/s. The budget counts arithmetic, not time, so the same input gives the same model on every machine."`
	LargestDim int      `default:"512" help:"Largest number of components of a vector that tuning may choose."`
	Epochs     int      `default:"16" help:"Passes over all users and items in the final fit."`
	Seed       uint64   `default:"1" help:"Seed of the random initial vectors."`
	Memory     int64    `default:"0" help:"Largest number of bytes to use. 0 uses all the memory that the system has left."`
	Threads    int      `default:"0" help:"Number of processors to use. 0 uses all. The figures do not depend on it."`
}

// Run measures every row.
func (c *EvaluateCommand) Run(ctx context.Context, out *program.Output) error {
	if c.LargestDim < smallestDim || c.LargestDim > 2048 || c.Epochs < 1 || !(c.TuneBudget >= 0) {
		return fmt.Errorf("%w: largest dimension is %d (want %d to 2048), epochs are %d (want 1 or more), the tuning "+
			"budget is %g seconds (want 0 or more)",
			program.ErrConfig, c.LargestDim, smallestDim, c.Epochs, c.TuneBudget)
	}
	e := &Evaluation{Refit: c.Refit, Rows: c.Rows, LargestDim: c.LargestDim, TuneBudget: c.TuneBudget, Epochs: c.Epochs,
		Seed:    c.Seed,
		Threads: c.Threads, Memory: c.Memory}
	if e.Threads <= 0 {
		e.Threads = runtime.GOMAXPROCS(0)
	}
	if e.Memory == 0 {
		e.Memory = AvailableMemory()
	}
	for _, file := range []struct {
		name string
		into **evaluation.Pairs
	}{{c.Train, &e.Train}, {c.Test, &e.Test}, {c.Valid, &e.Valid},
		{c.Lukewarm, &e.Lukewarm}} {
		if file.name == "" {
			continue
		}
		pairs, err := readFile(file.name, evaluation.ReadAdjacency)
		if err != nil {
			return fmt.Errorf("%w: %w", program.ErrConfig, err)
		}
		*file.into = pairs
	}
	bar := out.Bar()
	defer bar.Close()
	e.Progress = bar.Show
	e.Measured = func(row EvaluationRow) {
		out.Log.Info("measured", logkey.Row, row.Model, logkey.Recall20, row.Recall20, logkey.NDCG20, row.NDCG20,
			logkey.Duration, int64(1000*row.Seconds))
	}
	result, err := e.Run(ctx)
	bar.Close()
	if err != nil {
		return err
	}
	return out.Result(result.table(), result)
}

// table is the result for people.
func (r *EvaluationResult) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d users, %d items, %d interactions; %d users to rank for. Tuned on %s.\n", r.Users, r.Items,
		r.Interactions,
		r.TestUsers, r.Validation)
	fmt.Fprintf(&b, "kindred: dimension %d, alpha0 %.3g, lambda %.3g, the best of %d tried.\n", r.Config.Dim,
		r.Config.Alpha0, r.Config.Lambda,
		len(r.Config.Tried))
	fmt.Fprintf(&b, "  %-14s %9s %8s %9s %8s %8s %8s %9s\n", "", "Recall@20", "NDCG@20", "Recall@10", "NDCG@10", "MRR",
		"coverage", "seconds")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "  %-14s %9.4f %8.4f %9.4f %8.4f %8.4f %8.4f %9.1f\n", row.Model, row.Recall20, row.NDCG20,
			row.Recall10, row.NDCG10,
			row.MRR, row.Coverage, row.Seconds)
	}
	for _, row := range r.Rows {
		if g := row.OverKindred; g != nil {
			fmt.Fprintf(&b, "%s minus kindred, paired 95 %% intervals: Recall@20 %+.4f to %+.4f, NDCG@20 %+.4f to %+.4f; ",
				row.Model, g.Recall20.Low, g.Recall20.High, g.NDCG20.Low, g.NDCG20.High)
			if lukewarm, ok := row.Options["lukewarm"].(*UsedWeight); ok {
				b.WriteString(lukewarmSentence(lukewarm))
			}
			if near, ok := row.Options["near"].(*UsedNear); ok {
				b.WriteString(near.sentence())
			} else {
				fmt.Fprintln(&b, row.Options["parts"])
			}
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "  %-14s no row: %s\n", s.Model, s.Reason)
	}
	return strings.TrimRight(b.String(), "\n")
}
