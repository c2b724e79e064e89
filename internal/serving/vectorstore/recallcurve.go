package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/serving/recommend"
)

const (
	curveQuestions = 50 // at most
	curvePortion   = 5  // so many are asked between two looks at the clock
)

// ErrNoIndex says that a version's products are not searched by an index.
var ErrNoIndex = errors.New("the version's products are scanned: no index is asked, and nothing is missed")

// curveWidths are the widths of a search that are measured, as hnsw.ef_search.
func curveWidths() []int { return []int{10, 20, 40, 100, 200, 400, 800} }

// RecallPoint is what a search of one width finds.
type RecallPoint struct {
	EFSearch int // 0: an exact scan, with which the others are compared
	Recall   float64
	Each     time.Duration // a question, one after the other over one connection
}

// RecallCurve is the recall of a version against the width of its searches.
type RecallCurve struct {
	Questions int // that were asked: customers' vectors, evenly spread; of a version without customers, products'
	Points    []RecallPoint
	Used      int  // the width with which serving asks
	CutShort  bool // the time was over before all widths were measured
}

// MeasureRecall asks a version's index the questions of serving without what they leave out, at each width, and
// compares what it finds with an exact scan: the share of the ten best products, where one that is just as good
// counts. It takes little more than the budget: with half of it, it asks as many questions as it can exactly. It
// writes nothing. Errors: ErrNoIndex, ErrUnknownVersion, ErrVersionGone.
func (s *Store) MeasureRecall(ctx context.Context, version string, budget time.Duration) (c RecallCurve, err error) {
	kept, err := s.model(ctx, version)
	if err != nil {
		return c, err
	}
	if kept.efSearch == 0 || kept.form != formDense {
		return c, ErrNoIndex
	}
	err = s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		c, err = kept.recallCurve(ctx, conn, budget)
		return err
	})
	if err != nil {
		s.forget(err, version)
		return c, fmt.Errorf("measure the recall of version %s: %w", version, err)
	}
	return c, nil
}

func (m *model) recallCurve(ctx context.Context, db querier, budget time.Duration) (c RecallCurve, err error) {
	began := time.Now()
	searches, err := m.curveSearches(ctx, db)
	if err != nil {
		return c, err
	}
	exact := *m
	exact.efSearch = 0
	var want [][]recommend.Candidate
	for len(want) < len(searches) && (len(want) == 0 || time.Since(began) < budget/2) {
		portion := searches[len(want):min(len(want)+curvePortion, len(searches))]
		found, _, err := exact.retrieve(ctx, db, portion, nil)
		if err != nil {
			return c, fmt.Errorf("scan: %w", err)
		}
		want = append(want, found...)
	}
	c.Questions, c.Used = len(want), m.efSearch
	if len(want) == 0 {
		return c, errors.New("the version has no vector to ask with")
	}
	c.Points = append(c.Points, RecallPoint{0, 1, time.Since(began) / time.Duration(len(want))})
	for _, width := range curveWidths() {
		if c.CutShort = time.Since(began) > budget; c.CutShort {
			break
		}
		by := *m
		by.efSearch = width
		start := time.Now()
		got, _, err := by.retrieve(ctx, db, searches[:len(want)], nil)
		if err != nil {
			return c, fmt.Errorf("ask the index: %w", err)
		}
		c.Points = append(c.Points, RecallPoint{width, share(want, got, func(c, worst recommend.Candidate) bool {
			return c.Score >= worst.Score
		}), time.Since(start) / time.Duration(len(want))})
	}
	return c, nil
}

// curveSearches are questions with vectors of the version, evenly spread.
func (m *model) curveSearches(ctx context.Context, db querier) (searches []recommend.Search, err error) {
	for _, table := range []string{`.customer`, `.item`} {
		rows, err := db.Query(ctx, fmt.Sprintf(`SELECT embedding FROM %[1]s WHERE key IN (SELECT n *
			(SELECT max(key) FROM %[1]s) / %[2]d FROM generate_series(1::bigint, %[2]d) n) ORDER BY key`,
			m.schema+table, curveQuestions))
		if err != nil {
			return nil, err
		}
		vectors, err := pgx.CollectRows(rows, pgx.RowTo[pgvector.Vector])
		if err != nil {
			return nil, questionFault(err, m.Version)
		}
		for _, v := range vectors {
			searches = append(searches, recommend.Search{Vector: v.Slice(), Limit: recallAt})
		}
		if len(searches) > 0 {
			return searches, nil
		}
	}
	return nil, nil
}
