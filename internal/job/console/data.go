package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
)

// mostSets is how many training sets the page goes back.
const mostSets = 60

// setRow is a training set.
type setRow struct {
	Run      string
	At       time.Time
	Rows     etl.Rows
	Bytes    int64
	Broken   int64
	NewShape bool // its columns differ from those of the set before
}

// dataPage is what train learns from.
type dataPage struct {
	Empty    bool
	Current  etl.Shown
	Details  etl.Details
	Rules    []etl.Measured
	Broken   []etl.Measured
	Sets     []setRow // oldest first
	Profile  *profile // nil: it is being read, or is too large
	Reading  bool
	TooLarge bool
	Fault    string // why there is no profile
}

// Interactions says whether the set has interactions instead of ratings.
func (p dataPage) Interactions() bool { return p.Current.Rows.Interactions > 0 }

func (s *server) dataPage(ctx context.Context) (page dataPage, err error) {
	if s.from.sets == nil {
		return page, errors.New("LAKE_BUCKET is not set: there is no lake to look at")
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	m, err := s.from.sets.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return dataPage{Empty: true}, nil
	}
	if err != nil {
		return page, err
	}
	page.Current = etl.Show(m)
	page.Details = page.Current.Remembered()
	for _, rule := range page.Details.Rules() {
		if page.Rules = append(page.Rules, rule); rule.Count > 0 {
			page.Broken = append(page.Broken, rule)
		}
	}
	runs, err := ancestry(ctx, s.from.sets, m, mostSets)
	if err != nil {
		return page, err
	}
	for i, run := range slices.Backward(runs) {
		set := etl.Show(run)
		page.Sets = append(page.Sets, setRow{Run: run.Run, At: run.CreatedAt, Rows: set.Rows, Bytes: run.Bytes(),
			Broken:   set.Remembered().Broken(),
			NewShape: i+1 < len(runs) && run.SchemaFingerprint != runs[i+1].SchemaFingerprint})
	}
	page.Profile, page.Reading, err = s.from.profiles.of(ctx, page.Current)
	if page.TooLarge = errors.Is(err, errTooLarge); err != nil && !page.TooLarge {
		page.Fault = said(err)
	}
	return page, nil
}

func (s *server) showData(w http.ResponseWriter, r *http.Request) {
	d, err := s.dataPage(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := page{Title: "Data", Section: "/data", Body: d}
	if d.Reading {
		p.Refresh = 2
	}
	s.render(w, r, http.StatusOK, "data.html", p)
}
