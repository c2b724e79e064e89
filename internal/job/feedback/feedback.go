// Package feedback learns from the delivered recommendations what became of them: which recommended
// products the same visitor looked at, put into the cart or bought afterwards. It owns the joins
// (feedback.sql, one file for DuckDB on one machine and Athena on AWS) and the hit rates. The data sets
// that it writes belong to packages interaction and outcome.
package feedback

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/platform/envconfig"
)

// SQL defines views on a table of recommendation records: feedback_hit_rate, feedback_interaction, feedback_click.
//
//go:embed feedback.sql
var SQL string

// sqlOf is SQL for the records of a shop, and for those without a shop; an empty name: for all. The
// name has passed the check of shops' names, so it needs no quotes in SQL.
func sqlOf(shop string) string {
	if shop == "" {
		return SQL
	}
	const records = "    FROM recommendations\n    WHERE "
	return strings.ReplaceAll(SQL, records, records+"coalesce(recommendation.shop, '"+shop+"') = '"+shop+"' AND ")
}

// HitRate says how often the products at one place of the lists, from one version and source and at one placement,
// had an effect.
type HitRate struct {
	ModelVersion string  `json:"model_version"`
	Source       string  `json:"source"`
	Placement    string  `json:"placement,omitempty"` // empty: none was named, or feedback did not know placements yet
	Place        int     `json:"place"`               // from 1
	Shown        int64   `json:"shown"`
	Viewed       int64   `json:"viewed"`
	Carted       int64   `json:"carted"`
	Bought       int64   `json:"bought"`
	HitRate      float64 `json:"hit_rate"` // viewed / shown
}

// Result is what a run found.
type Result struct {
	Run     string `json:"run"` // of the interactions in the lake
	NoOp    bool   `json:"-"`
	Objects int    `json:"objects"` // of delivered records
	// Unreadable are the lines, and whole objects, that hold no record. They are left out.
	Unreadable   unreadable `json:"unreadable"`
	Interactions int64      `json:"interactions"`
	Clicks       int64      `json:"clicks"`    // of sessions
	HitRates     []HitRate  `json:"hit_rates"` // by version, source, placement and place
	// Outcomes are what visitors of experiments did, by experiment and part.
	Outcomes []outcome.Row `json:"outcomes"`
}

// Unchanged reports whether the run was a no-op.
func (r *Result) Unchanged() bool { return r.NoOp }

// details is the manifest's field details.
type details struct {
	HitRates []HitRate `json:"hit_rates"`
}

// Rates are the hit rates of the interactions that a manifest describes, by version, source, placement and place.
func Rates(m commit.Manifest) ([]HitRate, error) {
	var d details
	if len(m.Details) > 0 {
		if err := json.Unmarshal(m.Details, &d); err != nil {
			return nil, fmt.Errorf("read the hit rates of run %s: %w", m.Run, err)
		}
	}
	return d.HitRates, nil
}

// Job makes the delivered records into the lake's current interactions.
type Job struct {
	Recommendations, Lake objectstore.Store
	Shop                  string       // whose records are read, besides those without a shop; empty: all
	Erased                *erased.List // whose records are passed over; nil: nobody's
	DuckDB                string       // its program
	ScratchDir            string       // for copies of the records; empty: the system's
	Progress              func(stage string, done, total int64)
}

// Run reads every delivered record, whenever it came: an interaction is forgotten with the records
// that show it. The same records give the same interactions, and a second run changes nothing.
func (j Job) Run(ctx context.Context) (_ *Result, err error) {
	dir, err := os.MkdirTemp(j.ScratchDir, "kindred-feedback-*")
	if err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var bad unreadable
	objects, err := j.download(ctx, dir, &bad)
	if err != nil {
		return nil, err
	}
	j.Progress("join", 0, 1)
	for _, file := range []string{outcomeFile, clickFile} {
		if err := os.Mkdir(filepath.Join(dir, filepath.Dir(file)), 0o700); err != nil {
			return nil, err
		}
	}
	if err := queryDuckDB(ctx, j.DuckDB, dir, sqlOf(j.Shop)); err != nil {
		return nil, err
	}
	j.Progress("join", 1, 1)
	var rates []HitRate
	var rows []struct {
		Interactions int64 `json:"interactions"`
		Clicks       int64 `json:"clicks"`
	}
	err = errors.Join(readJSON(filepath.Join(dir, ratesFile), &rates), readJSON(filepath.Join(dir, rowsFile), &rows))
	if err != nil {
		return nil, err
	}
	m, changed, err := commit.NewRepository(j.Lake, envconfig.FeedbackPrefix).Commit(ctx, commit.Draft{
		Kind: interaction.Kind, SchemaFingerprint: interaction.SchemaFingerprint, Dir: dir, Details: details{rates},
		Files: []commit.File{{Path: interaction.File, DataSet: interaction.DataSet, Rows: rows[0].Interactions}},
	})
	if err != nil {
		return nil, fmt.Errorf("commit interactions: %w", err)
	}
	clicked, err := interaction.CommitClicks(ctx, j.Lake, filepath.Join(dir, filepath.Dir(clickFile)), rows[0].Clicks)
	if err != nil {
		return nil, fmt.Errorf("commit the clicks of sessions: %w", err)
	}
	if err := outcome.AddRevenue(filepath.Join(dir, outcomeFile), filepath.Join(dir, revenueFile)); err != nil {
		return nil, err
	}
	outcomes, counted, err := outcome.Commit(ctx, j.Lake, filepath.Join(dir, filepath.Dir(outcomeFile)))
	if err != nil {
		return nil, fmt.Errorf("commit the outcomes of experiments: %w", err)
	}
	return &Result{Run: m.Run, NoOp: !changed && !clicked && !counted, Objects: objects, Unreadable: bad,
		Interactions: rows[0].Interactions, Clicks: rows[0].Clicks, HitRates: rates, Outcomes: outcomes}, nil
}

// fileBytes is where a file of records ends: DuckDB reads few large files far faster than many small objects.
const fileBytes = 256 << 20

// download copies the delivered records into files of the folder, as DuckDB reads them.
func (j Job) download(ctx context.Context, dir string, bad *unreadable) (objects int, err error) {
	var file *os.File
	size := int64(fileBytes)
	files := 0
	closeFile := func() error {
		if file == nil {
			return nil
		}
		return file.Close()
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	next := func() error {
		if err := closeFile(); err != nil {
			return err
		}
		file, err = os.Create(filepath.Join(dir, fmt.Sprintf(recordsFile, files)))
		files, size = files+1, 0
		return err
	}
	if err := next(); err != nil { // one at least, for DuckDB to find
		return 0, err
	}
	for info, err := range j.Recommendations.List(ctx, envconfig.RecommendationPrefix) {
		if err != nil {
			return 0, fmt.Errorf("list delivered recommendations: %w", err)
		}
		if size >= fileBytes {
			if err := next(); err != nil {
				return 0, err
			}
		}
		n, err := j.copyObject(ctx, info, file, bad)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", info.Key, err)
		}
		size += n
		objects++
		j.Progress("read records", int64(objects), int64(objects))
	}
	return objects, nil
}

func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s: %w", filepath.Base(name), err)
	}
	return nil
}
