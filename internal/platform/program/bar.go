package program

import (
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Bar shows how far a long step is, where a person watches; elsewhere it is silent. It is not safe
// for concurrent use.
type Bar struct {
	terminal *os.File // nil: nobody watches
	stage    string
	shown    *progressbar.ProgressBar
}

// Bar makes a bar on standard error. Close it before the result is printed.
func (o *Output) Bar() *Bar {
	if f, ok := o.Stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &Bar{terminal: f}
	}
	return &Bar{}
}

// Visible reports whether a person watches: only then is it worth asking how much there is to do.
func (b *Bar) Visible() bool { return b.terminal != nil }

// Show moves the bar of a stage; a new stage ends the one before. What follows a comma in stage is
// a remark, which may change from call to call. A total that proves too small grows.
func (b *Bar) Show(stage string, done, total int64) {
	if b.terminal == nil {
		return
	}
	name, _, remarked := strings.Cut(stage, ",")
	if b.shown == nil || name != b.stage {
		b.Close()
		b.stage = name
		b.shown = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.terminal),
			progressbar.OptionSetDescription(stage),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	if remarked {
		b.shown.Describe(stage)
	}
	if done >= b.shown.GetMax64() && done > total {
		b.shown.ChangeMax64(done + done/10 + 1)
	}
	_ = b.shown.Set64(done) // an error only means that the bar is not drawn
}

// Close removes the bar.
func (b *Bar) Close() {
	if b.shown != nil {
		_ = b.shown.Finish()
		b.shown = nil
	}
}
