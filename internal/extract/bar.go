package extract

import (
	"context"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"kindred/internal/mysqlsource"
	"kindred/internal/program"
)

// bar shows how many ratings have been read, on a terminal only.
type bar struct {
	shown *progressbar.ProgressBar // nil: nobody looks
}

// newBar asks the source how many ratings to expect, when there is somebody to show it to.
func newBar(ctx context.Context, out *program.Output, snapshot *mysqlsource.Snapshot) (bar, error) {
	file, ok := out.Stderr.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return bar{}, nil
	}
	expected, err := snapshot.EstimateRatings(ctx)
	if err != nil {
		return bar{}, err
	}
	return bar{progressbar.NewOptions64(max(expected, progressRows), progressbar.OptionSetWriter(file),
		progressbar.OptionSetDescription("ratings"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())}, nil
}

// set moves the bar. The estimate may be too small: the bar grows then.
func (b bar) set(ratings int64) {
	if b.shown == nil {
		return
	}
	if ratings >= b.shown.GetMax64() {
		b.shown.ChangeMax64(ratings + progressRows)
	}
	_ = b.shown.Set64(ratings) // a bar that cannot be drawn hurts nobody
}

func (b bar) finish() {
	if b.shown != nil {
		_ = b.shown.Finish()
	}
}
