package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"kindred/internal/model/nextitem"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
)

// EvaluateSessionsCommand is `train evaluate-sessions`.
type EvaluateSessionsCommand struct {
	Train      string `required:"" placeholder:"FILE" help:"Clicks to train on: tab-separated, with a header that names SessionId, ItemId and Time (unix seconds)."`
	Test       string `required:"" placeholder:"FILE" help:"Clicks of the test sessions: tab-separated, with a header that names SessionId, ItemId and Time (unix seconds)."`
	LargestDim int    `default:"256" help:"Largest number of components of a vector that tuning may choose."`
	Epochs     int    `default:"10" help:"Passes over all sessions and items in the final fit."`
	Seed       uint64 `default:"1" help:"Seed of the random initial vectors."`
	Threads    int    `default:"0" help:"Number of processors to use. 0 uses all. The figures do not depend on it."`
}

// Run measures every row.
func (c *EvaluateSessionsCommand) Run(ctx context.Context, out *program.Output) error {
	if c.LargestDim < smallestDim || c.LargestDim > 2048 || c.Epochs < 1 {
		return fmt.Errorf("%w: largest dimension is %d (want %d to 2048), epochs are %d (want 1 or more)",
			program.ErrConfig, c.LargestDim, smallestDim, c.Epochs)
	}
	bar := out.Bar()
	defer bar.Close()
	e := &SessionEvaluation{LargestDim: c.LargestDim, Epochs: c.Epochs, Seed: c.Seed, Threads: c.Threads,
		Progress: bar.Show, Measured: func(row SessionRow) {
			out.Log.Info("measured", logkey.Row, row.Model, logkey.HitRate20, row.HitRate, logkey.MRR20, row.MRR,
				logkey.Duration, int64(1000*row.Seconds))
		}}
	if e.Threads <= 0 {
		e.Threads = runtime.GOMAXPROCS(0)
	}
	var err error
	for _, file := range []struct {
		name string
		into **nextitem.Log
	}{{c.Train, &e.Train}, {c.Test, &e.Test}} {
		if *file.into, err = ReadClicks(file.name); err != nil {
			return fmt.Errorf("%w: %w", program.ErrConfig, err)
		}
	}
	result, err := e.Run(ctx)
	bar.Close()
	if err != nil {
		return err
	}
	return out.Result(result.table(), result)
}

// ReadClicks reads a click log from a file. The error names the file and the line.
func ReadClicks(name string) (*nextitem.Log, error) { return readFile(name, nextitem.Read) }

// readFile reads a whole file. The error names it.
func readFile[T any](name string, read func(io.Reader) (T, error)) (value T, err error) {
	file, err := os.Open(name)
	if err != nil {
		return value, fmt.Errorf("open input: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if value, err = read(file); err != nil {
		return value, fmt.Errorf("read %s: %w", name, err)
	}
	return value, nil
}

// table is the result for people.
func (r *SessionResult) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sessions, %d items, %d clicks to train on; tuned on the last %d of these sessions.\n", r.Sessions,
		r.Items, r.Clicks, r.ValidationSessions)
	fmt.Fprintf(&b, "%d test sessions ask %d questions: which item is clicked next? %d of these items are unknown.\n",
		r.TestSessions, r.Questions, r.UnknownQuestions)
	fmt.Fprintf(&b, "  %-16s %7s %-16s %7s %-16s %9s %9s %8s\n", "", "HR@20", "95 % interval", "MRR@20", "95 % interval",
		"HR unseen", "MRR uns.", "seconds")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "  %-16s %7.4f %.4f to %.4f %7.4f %.4f to %.4f %9.4f %9.4f %8.1f\n", row.Model, row.HitRate,
			row.Interval.HitRate.Low, row.Interval.HitRate.High, row.MRR, row.Interval.MRR.Low, row.Interval.MRR.High,
			row.Unseen.HitRate, row.Unseen.MRR, row.Seconds)
	}
	b.WriteString("kindred's figures divided by a row's, with paired 95 % intervals over sessions:\n")
	for _, row := range r.Rows {
		if t := row.Ratio; t != nil {
			fmt.Fprintf(&b, "  %-16s HR@20 %.3f (%.3f to %.3f)  MRR@20 %.3f (%.3f to %.3f)\n", row.Model, t.HitRate,
				t.Interval.HitRate.Low, t.Interval.HitRate.High, t.MRR, t.Interval.MRR.Low, t.Interval.MRR.High)
		}
	}
	b.WriteString("By clicks so far (HR@20 / MRR@20):\n")
	for i, row := range r.Rows {
		if i == 0 {
			fmt.Fprintf(&b, "  %-16s", "")
			for _, p := range row.ByPosition {
				fmt.Fprintf(&b, " %13s", p.Clicks)
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "  %-16s", row.Model)
		for _, p := range row.ByPosition {
			fmt.Fprintf(&b, " %13s", fmt.Sprintf("%.3f / %.3f", p.HitRate, p.MRR))
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
