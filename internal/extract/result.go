package extract

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kindred/internal/commit"
	"kindred/internal/trainingset"
)

// Rows counts the rows of a training set.
type Rows struct {
	Ratings   int64 `json:"ratings"`
	Customers int64 `json:"customers"`
	Products  int64 `json:"products"`
}

// Result is what a run achieved.
type Result struct {
	RunID       string  `json:"run_id"`
	ContentHash string  `json:"content_hash"`
	NoOp        bool    `json:"no_op"` // the current set was the same already
	Rows        Rows    `json:"rows"`
	Orphans     Orphans `json:"orphans"` // ratings left out
	Bytes       int64   `json:"bytes"`   // of all files
	WallSeconds float64 `json:"wall_seconds"`
	CPUSeconds  float64 `json:"cpu_seconds"` // of this process, user and system
	MaxRSSBytes int64   `json:"max_rss_bytes"`
}

func newResult(m commit.Manifest, d Details, changed bool, wall time.Duration) Result {
	r := Result{RunID: m.Run, ContentHash: m.ContentHash, NoOp: !changed, Rows: rowsOf(m), Orphans: d.Orphans, Bytes: m.Bytes(),
		WallSeconds: wall.Seconds()}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err == nil {
		r.CPUSeconds = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
		r.MaxRSSBytes = usage.Maxrss
		if runtime.GOOS == "linux" {
			r.MaxRSSBytes *= 1024 // Linux counts kilobytes, macOS bytes
		}
	}
	return r
}

func rowsOf(m commit.Manifest) Rows {
	return Rows{Ratings: m.Rows(trainingset.Ratings), Customers: m.Rows(trainingset.Customers), Products: m.Rows(trainingset.Products)}
}

func (r Rows) String() string {
	return fmt.Sprintf("%s ratings, %s customers, %s products", group(r.Ratings), group(r.Customers), group(r.Products))
}

// sentence tells a person what happened.
func (r Result) sentence() string {
	verb := "is now current"
	if r.NoOp {
		verb = "was current already, nothing written"
	}
	orphans := ""
	if n := r.Orphans.sum(); n > 0 {
		orphans = fmt.Sprintf(" Left out: %s ratings of an unknown customer or product.", group(n))
	}
	return fmt.Sprintf("Training set %s %s: %s; %.1f MB in %.1f s.%s", r.RunID, verb, r.Rows, float64(r.Bytes)/1e6, r.WallSeconds, orphans)
}

// describe tells a person what a manifest holds.
func describe(m commit.Manifest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Training set %s of %s: %s; %.1f MB in %d files.\n", m.Run, m.CreatedAt.Format(time.DateTime+" UTC"), rowsOf(m),
		float64(m.Bytes())/1e6, len(m.Files))
	fmt.Fprintf(&b, "content %s\nschema  %s\n", m.ContentHash, m.SchemaFingerprint)
	if m.Parent != "" {
		fmt.Fprintf(&b, "parent  %s\n", m.Parent)
	}
	fmt.Fprintf(&b, "source  %s\ndetails %s", m.Source, m.Details)
	for _, f := range m.Files {
		fmt.Fprintf(&b, "\n%12s rows %12s bytes  %.12s  %s", group(f.Rows), group(f.Bytes), f.SHA256, f.Path)
	}
	return b.String()
}

// group writes thousands apart: 1,234,567.
func group(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
