package train

import (
	"context"
	"fmt"
	"slices"

	"kindred/internal/lake/fitfile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
)

// ExportCommand is `train export`.
type ExportCommand struct {
	Flags
	Dim    int    `default:"64" help:"Number of components, 2 to 1024, of the vectors that the other program will fit. If there is too little memory to import such vectors, nothing is exported and the exit code is 3."`
	Method string `required:"" placeholder:"TEXT" help:"How the other program fits: its name and its options, such as dimension and trials. This text is part of the version's id, so that the same method is not run twice."`
}

// Run exports.
func (c *ExportCommand) Run(ctx context.Context, out *program.Output) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if c.Dim < 2 || c.Dim > mostDim {
		return fmt.Errorf("%w: --dim is %d, want 2 to %d", program.ErrConfig, c.Dim, mostDim)
	}
	job, err := c.job(ctx, cfg)
	if err != nil {
		return err
	}
	job.Given = &Given{Fits: &Fits{Method: c.Method, Dim: c.Dim}}
	pruneFits(ctx, out, job.Artifacts)
	exported, settled, err := job.Export(ctx)
	if err != nil {
		return err
	}
	if settled != nil {
		return out.Result("Nothing is to be fitted. "+settled.sentence(), settled)
	}
	return out.Result(exported.sentence(), exported)
}

// pruneFits deletes old exports. If that fails, the next run tries again.
func pruneFits(ctx context.Context, out *program.Output, artifacts objectstore.Store) {
	pruned, err := fitfile.Prune(ctx, artifacts)
	if err != nil {
		out.Log.WarnContext(ctx, "old exports could not be deleted", logkey.Error, err.Error())
	}
	for _, run := range pruned.Runs {
		out.Log.InfoContext(ctx, "deleted an old export", logkey.ModelVersion, run)
	}
}

func (e *Exported) sentence() string {
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
