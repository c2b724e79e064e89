package trainer

import (
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"kindred/internal/program"
)

// progress shows stages: as a bar where a person watches, as log lines at their ends otherwise.
type progress struct {
	log   *slog.Logger
	file  *os.File // nil: no terminal
	stage string
	bar   *progressbar.ProgressBar
}

func newProgress(out *program.Output) *progress {
	p := &progress{log: out.Log}
	if f, ok := out.Stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.file = f
	}
	return p
}

func (p *progress) show(stage string, done, total int) {
	if p.file == nil {
		p.log.Debug("progress", "stage", stage, "done", done, "total", total)
		return
	}
	if stage != p.stage {
		p.finish()
		p.stage = stage
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.file), progressbar.OptionSetDescription(stage),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	_ = p.bar.Set(done) // a bar that cannot be drawn hurts nobody
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
