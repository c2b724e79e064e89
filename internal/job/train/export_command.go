package train

import (
	"context"
	"fmt"
	"slices"

	"kindred/internal/platform/program"
)

// ExportCommand is `train export`.
type ExportCommand struct {
	Flags
	Method string `required:"" placeholder:"TEXT" help:"How the other program fits: its name and its options, such as dimension and trials. It is part of the version's id, so that the same method is not run twice."`
}

// Run exports.
func (c *ExportCommand) Run(ctx context.Context, out *program.Output) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	job, err := c.job(ctx, cfg)
	if err != nil {
		return err
	}
	job.Given = &Given{Fits: &Fits{Method: c.Method}}
	result, err := job.Export(ctx)
	if err != nil {
		return err
	}
	return out.Result(result.sentence(), result)
}

func (e *Exported) sentence() string {
	if e.NoOp {
		return fmt.Sprintf("Model version %s is there, and is current: nothing is to be fitted.", e.ModelVersion)
	}
	text := fmt.Sprintf("Exported what to fit for model version %s to %s", e.ModelVersion, e.URL)
	var parts []string
	for part := range e.Files {
		parts = append(parts, part)
	}
	slices.Sort(parts)
	text += fmt.Sprintf(": %q.", parts)
	if e.Attempt != "" {
		text += fmt.Sprintf(" All is fitted already: train import --export %s --attempt %s.", e.ModelVersion, e.Attempt)
	}
	return text
}
