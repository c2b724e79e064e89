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
	"kindred/internal/shop"
)

// Rows counts the rows of a training set.
type Rows struct {
	Ratings      int64 `json:"ratings"`
	Interactions int64 `json:"interactions,omitempty"` // of a set of interactions, which has no ratings
	Customers    int64 `json:"customers"`
	Products     int64 `json:"products"`
}

// Result is what a run achieved.
type Result struct {
	RunID       string `json:"run_id"`
	ContentHash string `json:"content_hash"`
	NoOp        bool   `json:"-"` // the current set was the same already
	Rows        Rows   `json:"rows"`
	Rules       Counts `json:"rules,omitzero"` // what the rows were measured by
	// History is Rules for a shop with interactions.
	History     *HistoryCounts `json:"interactions,omitempty"`
	Examples    shop.Examples  `json:"examples,omitempty"` // of broken rules
	Bytes       int64          `json:"bytes"`              // of all files
	WallSeconds float64        `json:"wall_seconds"`
	CPUSeconds  float64        `json:"cpu_seconds"` // of this process, user and system
	MaxRSSBytes int64          `json:"max_rss_bytes"`
}

// Unchanged reports whether the run was a no-op.
func (r Result) Unchanged() bool { return r.NoOp }

func newResult(out Outcome, start time.Time) Result {
	m := out.Manifest
	r := Result{RunID: m.Run, ContentHash: m.ContentHash, NoOp: !out.Changed, Rows: rowsOf(m), Rules: out.Details.Counts,
		History:  out.Details.History,
		Examples: out.Details.Examples, Bytes: m.Bytes()}
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
	return Rows{Ratings: m.Rows(trainingset.Ratings), Interactions: m.Rows(trainingset.Interactions),
		Customers: m.Rows(trainingset.Customers),
		Products:  m.Rows(trainingset.Products)}
}

func rowsOfFiles(files []commit.File) Rows { return rowsOf(commit.Manifest{Files: files}) }

func (r Rows) String() string {
	count, what := r.Ratings, "ratings"
	if r.Interactions > 0 {
		count, what = r.Interactions, "interactions"
	}
	return fmt.Sprintf("%s %s, %s customers, %s products", group(count), what, group(r.Customers), group(r.Products))
}

// sentence tells a person what happened.
func (r Result) sentence() string {
	verb := "is now current"
	if r.NoOp {
		verb = "was current already, nothing written"
	}
	found := r.Rules.sentence(r.Examples)
	if r.History != nil {
		found = r.History.sentence(r.Examples)
	}
	return fmt.Sprintf("Training set %s %s: %s; %.1f MB in %.1f s.%s", r.RunID, verb, r.Rows, float64(r.Bytes)/1e6,
		r.WallSeconds, found)
}

// sentence tells a person what was left out or replaced, with examples; "" when nothing was.
func (c Counts) sentence(examples shop.Examples) string {
	var b strings.Builder
	list := func(title string, of int64, table string, found []finding) {
		var parts []string
		for _, f := range found {
			if f.count == 0 {
				continue
			}
			part := group(f.count) + " " + f.what
			if texts := examples[f.rule]; len(texts) > 0 {
				part += " (such as " + texts[0] + ")"
			}
			parts = append(parts, part)
		}
		if len(parts) > 0 {
			fmt.Fprintf(&b, "\n%s of %s %s: %s.", title, group(of), table, strings.Join(parts, "; "))
		}
	}
	list("Left out", c.Read, "ratings", []finding{
		{c.UnknownCustomer, "of an unknown customer", shop.RatingCustomer},
		{c.UnknownProduct, "for an unknown product", shop.RatingProduct},
		{c.Duplicate, "older than another of the same customer and product", shop.RatingTwice},
		{c.MissingKey, "without a key", shop.RatingKey}, {c.StarsRange, "not from 1 to 5 stars", shop.RatingStars},
		{c.BadText, "with a product code that is not text", shop.RatingText}})
	list("Kept", c.Read, "ratings", []finding{
		{c.FutureDate, "dated in the future", shop.RatingFuture},
		{c.BadDate, "without a date, because theirs does not exist", shop.RatingDate},
		{c.OtherSpelling, "whose product code is spelled in another way", shop.RatingSpelling}})
	t := c.Customers
	list("Left out", t.Read, "customers", []finding{{t.BadKey, "without a usable number", shop.CustomerKey},
		{t.Duplicate, "with the number of another", shop.CustomerTwice}})
	list("Values not known", t.Read, "customers", []finding{{t.MissingValue, "NULL", shop.CustomerValue},
		{t.BadText, "not text", shop.CustomerText}, {t.BadAmount, "no amount", shop.CustomerAmount}})
	t = c.Products
	list("Left out", t.Read, "products", []finding{{t.BadKey, "without a usable code", shop.ProductKey},
		{t.Duplicate, "with the code of another", shop.ProductTwice}})
	list("Values replaced", t.Read, "products", []finding{{t.MissingValue, "NULL", shop.ProductValue},
		{t.BadText, "not text", shop.ProductText}, {t.BadAmount, "no price", shop.ProductAmount},
		{t.BadStock, "stock too large", shop.ProductStock}})
	return b.String()
}

// finding is one count of a sentence.
type finding struct {
	count int64
	what  string
	rule  shop.Rule
}

// describe tells a person what a manifest holds.
func describe(m commit.Manifest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Training set %s of %s: %s; %.1f MB in %d files.\n", m.Run,
		m.CreatedAt.Format(time.DateTime+" UTC"), rowsOf(m),
		float64(m.Bytes())/1e6, len(m.Files))
	fmt.Fprintf(&b, "content %s\nschema  %s\n", m.ContentHash, m.SchemaFingerprint)
	if name := trainingset.ShopOf(m); name != "" {
		fmt.Fprintf(&b, "shop    %s\n", name)
	}
	if m.Parent != "" {
		fmt.Fprintf(&b, "parent  %s\n", m.Parent)
	}
	fmt.Fprintf(&b, "source  %s", m.Source)
	var d Details
	if err := json.Unmarshal(m.Details, &d); err == nil {
		all := rules(d.Counts, d.Limits)
		if d.History != nil {
			all = historyRules(*d.History, d.Limits)
		}
		for _, r := range all {
			fmt.Fprintf(&b, "\nrule    %s of %s %s %s, at most %.3g %%", group(r.count), group(r.of), r.table, r.what,
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
