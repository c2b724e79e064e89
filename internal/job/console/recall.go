package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"kindred/internal/job/console/plot"
	"kindred/internal/serving/vectorstore"
)

// recallTime is about how long a measurement of recall takes at most.
const recallTime = 20 * time.Second

// measured is the recall of a version as this console has measured it last.
type measured struct {
	vectorstore.RecallCurve
	At time.Time
}

// recallRow is a width of a search on a page.
type recallRow struct {
	vectorstore.RecallPoint
	Used         bool // serving asks with it
	Bar          plot.Interval
	Milliseconds float64
}

// Rows are the widths, the exact scan last.
func (m *measured) Rows() (rows []recallRow) {
	for _, p := range append(m.Points[1:len(m.Points):len(m.Points)], m.Points[0]) {
		rows = append(rows, recallRow{p, p.EFSearch == m.Used, plot.Interval{Value: p.Recall, Scale: 1},
			float64(p.Each.Microseconds()) / 1000})
	}
	return rows
}

// measureRecall measures the recall of a version in a task.
func (s *server) measureRecall(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("version")
	if s.from.db == nil || !versionName.MatchString(id) {
		s.fail(w, r, errUnknown)
		return
	}
	back := "/models/" + id + "#recall"
	s.begin(w, r, "Measure the recall of "+id, back, func(ctx context.Context) (string, error) {
		curve, err := s.from.db.MeasureRecall(ctx, id, recallTime)
		if errors.Is(err, vectorstore.ErrNoIndex) {
			return said(err) + ".", nil
		}
		if err != nil {
			return "", err
		}
		s.found.mu.Lock()
		defer s.found.mu.Unlock()
		if s.found.recalls == nil {
			s.found.recalls = map[string]*measured{}
		}
		s.found.recalls[id] = &measured{curve, s.now()}
		return fmt.Sprintf("%d questions were asked. The page of the version shows what was found.", curve.Questions), nil
	})
}
