package train

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// SizeCommand is `train size`.
type SizeCommand struct {
	Lake      envconfig.Lake `embed:""`
	Dim       int            `default:"0" help:"Number of components of a vector, 2 to 1024. With 0 the estimate is for 256, the largest number that tuning chooses."`
	Epochs    int            `default:"16" help:"Passes over all customers and products in the final fits."`
	Threads   int            `default:"0" help:"Number of processors to use. 0 uses all."`
	Memory    int64          `default:"0" help:"Largest number of bytes to use. 0 uses all the memory that the system has left."`
	MostHours float64        `default:"0" placeholder:"HOURS" help:"Longest time that training may take. With 0 only the memory counts."`
}

// Size is what a training takes at most, by the number of rows, and what is allowed.
type Size struct {
	TrainingRun  string `json:"training_run"`
	Customers    int64  `json:"customers"`
	Guests       int64  `json:"guests"` // sessions without a customer
	Items        int64  `json:"items"`
	Interactions int64  `json:"interactions"`
	Estimate
	Hours     float64 `json:"hours"` // on as many processors as are used
	Memory    int64   `json:"memory"`
	MostHours float64 `json:"most_hours"`
}

// Run estimates. The error is program.ErrTooLarge if it is too much.
func (c *SizeCommand) Run(ctx context.Context, out *program.Output) error {
	cfg := DefaultConfig()
	cfg.Dim, cfg.Epochs = c.Dim, c.Epochs
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	m, err := commit.NewRepository(lake, envconfig.TrainingSetPrefix).Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return fmt.Errorf("find training set in %s: %w", lake, ErrNoTrainingSet)
	}
	if err != nil {
		return err
	}
	s := cfg.size(m, c.Threads)
	if s.Memory, s.MostHours = c.Memory, c.MostHours; s.Memory == 0 {
		s.Memory = AvailableMemory()
	}
	if err := out.Result(s.sentence(), s); err != nil {
		return err
	}
	if s.Memory > 0 && s.Bytes > s.Memory || s.MostHours > 0 && s.Hours > s.MostHours {
		return fmt.Errorf("%w: train on Spark instead (docs/models-from-anywhere.md), on a larger machine, or with a "+
			"smaller --dim",
			program.ErrTooLarge)
	}
	return nil
}

// size is that of training on a set, on so many processors (0: all).
func (c Config) size(m commit.Manifest, threads int) *Size {
	s := &Size{TrainingRun: m.Run, Customers: m.Rows(trainingset.Customers), Guests: trainingset.Guests(m),
		Items: m.Rows(trainingset.Products), Interactions: m.Rows(trainingset.Ratings) + m.Rows(trainingset.Interactions)}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	s.Estimate = c.estimateRows(int(s.Customers+s.Guests), int(s.Items), int(s.Interactions), threads)
	s.Hours = s.Seconds / 3600 * nominalThreads / float64(threads)
	return s
}

// rows says what is learned from.
func (s *Size) rows() string {
	return fmt.Sprintf("%d interactions of %d customers, %d guests and %d products", s.Interactions, s.Customers, s.Guests,
		s.Items)
}

func (s *Size) sentence() string {
	text := fmt.Sprintf("Training on %s takes up to %.1f GB and %.1f hours. %.1f GB are allowed", s.rows(),
		float64(s.Bytes)/1e9, s.Hours, float64(s.Memory)/1e9)
	if s.MostHours > 0 {
		text += fmt.Sprintf(", and %.1f hours", s.MostHours)
	}
	return text + "."
}
