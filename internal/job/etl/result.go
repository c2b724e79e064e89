package etl

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
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
	NoOp        bool    `json:"-"` // the current set was the same already
	Rows        Rows    `json:"rows"`
	Rules       Counts  `json:"rules"` // what the ratings were measured by
	Bytes       int64   `json:"bytes"` // of all files
	WallSeconds float64 `json:"wall_seconds"`
	CPUSeconds  float64 `json:"cpu_seconds"` // of this process, user and system
	MaxRSSBytes int64   `json:"max_rss_bytes"`
}

// Unchanged reports whether the run was a no-op.
func (r Result) Unchanged() bool { return r.NoOp }

func newResult(out Outcome, start time.Time) Result {
	m := out.Manifest
	r := Result{RunID: m.Run, ContentHash: m.ContentHash, NoOp: !out.Changed, Rows: rowsOf(m), Rules: out.Details.Counts,
		Bytes: m.Bytes()}
	r.WallSeconds, r.CPUSeconds, r.MaxRSSBytes = cost(start)
	return r
}

// report prints the result. That leftovers could not be deleted is a warning: the set is current.
func (out Outcome) report(ctx context.Context, to *program.Output, start time.Time) error {
	if out.PruneErr != nil {
		to.Log.WarnContext(ctx, "leftovers of earlier runs could not be deleted", logkey.Error, out.PruneErr.Error())
	}
	r := newResult(out, start)
	return to.Result(r.sentence(), r)
}

// cost is what this process took since start.
func cost(start time.Time) (wallSeconds, cpuSeconds float64, maxRSSBytes int64) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err == nil {
		cpuSeconds = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
		maxRSSBytes = usage.Maxrss
		if runtime.GOOS == "linux" {
			maxRSSBytes *= 1024 // Linux counts kilobytes, macOS bytes
		}
	}
	return time.Since(start).Seconds(), cpuSeconds, maxRSSBytes
}

func rowsOf(m commit.Manifest) Rows {
	return Rows{Ratings: m.Rows(trainingset.Ratings), Customers: m.Rows(trainingset.Customers),
		Products: m.Rows(trainingset.Products)}
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
	return fmt.Sprintf("Training set %s %s: %s; %.1f MB in %.1f s.%s", r.RunID, verb, r.Rows, float64(r.Bytes)/1e6,
		r.WallSeconds, r.Rules.sentence())
}

// sentence tells a person what was left out, "" when nothing was.
func (c Counts) sentence() string {
	var parts []string
	for _, p := range []struct {
		count int64
		what  string
	}{
		{c.orphans(), "of an unknown customer or product"}, {c.Duplicate, "that repeat another"}, {c.MissingKey,
			"without a key"},
		{c.StarsRange, "not from 1 to 5 stars"},
	} {
		if p.count > 0 {
			parts = append(parts, group(p.count)+" "+p.what)
		}
	}
	text := ""
	if len(parts) > 0 {
		text = " Left out of " + group(c.Read) + " ratings: " + strings.Join(parts, ", ") + "."
	}
	if c.FutureDate > 0 {
		text += " Kept, but dated in the future: " + group(c.FutureDate) + "."
	}
	return text
}

// describe tells a person what a manifest holds.
func describe(m commit.Manifest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Training set %s of %s: %s; %.1f MB in %d files.\n", m.Run,
		m.CreatedAt.Format(time.DateTime+" UTC"), rowsOf(m),
		float64(m.Bytes())/1e6, len(m.Files))
	fmt.Fprintf(&b, "content %s\nschema  %s\n", m.ContentHash, m.SchemaFingerprint)
	if m.Parent != "" {
		fmt.Fprintf(&b, "parent  %s\n", m.Parent)
	}
	fmt.Fprintf(&b, "source  %s", m.Source)
	var d Details
	if err := json.Unmarshal(m.Details, &d); err == nil {
		for _, r := range rules(d.Counts, d.Limits) {
			fmt.Fprintf(&b, "\nrule    %s of %s ratings %s, at most %.3g %%", group(r.count), group(d.Counts.Read), r.what,
				100*r.limit)
		}
		if c := d.Partitions; c != nil {
			fmt.Fprintf(&b, "\nread    in %d partitions, their snapshots within %v; one moment proved: %t", c.Partitions,
				c.spread(), c.SameMoment)
		}
		for _, p := range pairs(d.Schema, d.Schema) {
			for _, c := range p.now {
				if c.Contract {
					fmt.Fprintf(&b, "\ncolumn  %s.%s %v", p.name, c.Name, c)
				}
			}
		}
	}
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
