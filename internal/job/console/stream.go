package console

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"kindred/internal/job/console/feed"
	"kindred/internal/job/rollup"
	"kindred/internal/job/verify"
	"kindred/internal/job/verify/redrive"
	"kindred/internal/lake/commit"
)

// What an audit from a page takes, as `verify` has it by default; it waits less long for what is in flight.
const (
	auditUnknown = 0.05
	auditWait    = time.Minute
)

// mostRates is how many points the curve of the rates has at most.
const mostRates = 120

// rate is how much flowed in one step of the curve.
type rate struct {
	At              time.Time
	Events, Answers float64 // a second
}

// named is a count with its name.
type named struct {
	Name  string
	Count int64
	Of    string // where a program prints it
}

// audited is the last audit of this console.
type audited struct {
	Report verify.Report
	At     time.Time
	Text   string
	Fault  string
}

// counted is the last dry run of a redrive.
type counted struct {
	Result redrive.Result
	At     time.Time
	Text   string
}

// findings keeps what was found last. It is safe for concurrent use.
type findings struct {
	mu      sync.Mutex
	audited *audited
	counted *counted
	recalls map[string]*measured // by version
}

// streamPage is what flows.
type streamPage struct {
	Rolled                     *rolledView // nil: there is no roll-up
	RolledFault                string
	Counts                     feed.Counts
	Rates                      []rate
	Letters, Sources, Versions []named
	Audited                    *audited
	Counted                    *counted
	MayAudit                   bool
}

// rolledView is the roll-up, with the figures that `rollup show` prints.
type rolledView struct {
	*rollup.Summary
	SourceRows, VersionRows, LetterRows []named
}

// rolled reads the current roll-up.
func (s *server) rolled(ctx context.Context) (*rolledView, error) {
	if s.from.rolled == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	summary, err := s.from.rolled.Summary(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	view := &rolledView{Summary: summary, SourceRows: sorted(summary.Sources), VersionRows: sorted(summary.Versions),
		LetterRows: sorted(summary.Letters)}
	for path, rows := range map[string][]named{"sources.": view.SourceRows, "versions.": view.VersionRows,
		"letters.": view.LetterRows} {
		for i := range rows {
			rows[i].Of = "rollup show:" + path + rows[i].Name
		}
	}
	return view, nil
}

func (s *server) streamPage(ctx context.Context) streamPage {
	rolled, err := s.rolled(ctx)
	fault := ""
	if err != nil {
		fault = said(err)
	}
	c := s.from.feed.Counts()
	s.found.mu.Lock()
	defer s.found.mu.Unlock()
	return streamPage{Rolled: rolled, RolledFault: fault,
		Counts: c, Rates: rates(c), Letters: sorted(c.Letters), Sources: sorted(c.Sources),
		Versions: sorted(c.Versions), Audited: s.found.audited, Counted: s.found.counted,
		MayAudit: s.from.stream != nil && s.from.records != nil}
}

// rates makes a curve of the minutes that something happened in, with few points.
func rates(c feed.Counts) (curve []rate) {
	if len(c.Minutes) == 0 {
		return nil
	}
	first, last := c.Minutes[0].At, c.Minutes[len(c.Minutes)-1].At
	step := max(time.Minute, (last.Sub(first)/mostRates + time.Minute).Truncate(time.Minute))
	first, last = first.Add(-step), last.Add(step) // the curve begins and ends with nothing
	curve = make([]rate, last.Sub(first)/step+1)
	for i := range curve {
		curve[i].At = first.Add(time.Duration(i) * step)
	}
	for _, m := range c.Minutes {
		at := &curve[m.At.Sub(first)/step]
		at.Events += float64(m.Events) / step.Seconds()
		at.Answers += float64(m.Answers) / step.Seconds()
	}
	return curve
}

// sorted lists counts, the largest first.
func sorted[K ~string](counts map[K]int64) (all []named) {
	for _, name := range slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}) {
		all = append(all, named{Name: string(name), Count: counts[name]})
	}
	return all
}

// Lines are the counts of the audit, in the order of `verify`. Fault says that one is none too many.
func (a *audited) Lines() []auditLine {
	r := a.Report
	all := []auditLine{{"events on the stream", "events", r.Events, false},
		{"recommended", "recommended", r.Recommended, false},
		{"quarantined", "quarantined", r.Quarantined, false}, {"given up by Lambda", "on_failure", r.OnFailure, false},
		{"answered since", "redriven", r.Redriven, false}, {"in flight", "in_flight", r.InFlight, false},
		{"lost", "lost", r.Lost, true}, {"duplicates", "duplicates", r.Duplicates, false},
		{"out of order", "out_of_order", r.OutOfOrder, false}, {"out of nowhere", "unknown", r.Unknown, true},
		{"contradictory", "conflicts", r.Conflicts, true}, {"under another id", "wrong_event", r.WrongEvent, true},
		{"unreadable", "malformed", r.Malformed, true}, {"altered", "altered", r.Altered, true},
		{"wrong shop", "wrong_shop", r.WrongShop, true}, {"id used twice", "reused_ids", r.ReusedIDs, true},
		{"empty answers", "empty_answers", r.EmptyAnswers, false},
		{"unknown products", "unknown_products", r.UnknownProducts, false}}
	for i := range all {
		all[i].Fault = all[i].Fault && all[i].Count > 0
	}
	return all
}

// auditLine is one count of an audit.
type auditLine struct {
	Name, Path string
	Count      int64
	Fault      bool
}

func (s *server) showStream(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "stream.html", page{Title: "Stream", Section: "/stream",
		Body: s.streamPage(r.Context())})
}

// windows are the audits that the page offers.
var windows = map[string]string{"15m": "the last 15 minutes", "1h": "the last hour", "24h": "the last day",
	"": "all that the stream keeps"}

// startAudit runs `verify` in a task.
func (s *server) startAudit(w http.ResponseWriter, r *http.Request) {
	since := r.PostFormValue("since")
	of, ok := windows[since]
	if !ok {
		s.refuse(w, r, http.StatusUnprocessableEntity, "The audit has no such window.")
		return
	}
	command := s.from.audit
	command.Since = since
	s.begin(w, r, "Audit "+of, "/stream", func(ctx context.Context) (string, error) {
		report, err := command.Audit(ctx, s.log, nil)
		if err != nil {
			return "", err
		}
		a := &audited{Report: report, At: s.now(), Text: report.String()}
		if fault := report.Fault(); fault != nil {
			a.Fault = said(fault)
		}
		s.found.mu.Lock()
		defer s.found.mu.Unlock()
		s.found.audited = a
		return "The page of the stream shows it.", nil
	})
}

// countRedrive counts what `verify redrive` would send.
func (s *server) countRedrive(w http.ResponseWriter, r *http.Request) {
	command := s.from.redrive
	s.begin(w, r, "Count what would be sent again", "/stream#redrive", func(ctx context.Context) (string, error) {
		result, err := command.Send(ctx)
		if err != nil {
			return "", err
		}
		s.found.mu.Lock()
		defer s.found.mu.Unlock()
		s.found.counted = &counted{Result: result, At: s.now(), Text: result.String()}
		return result.String(), nil
	})
}

// startRedrive sends what can be answered now.
func (s *server) startRedrive(w http.ResponseWriter, r *http.Request) {
	command := s.from.redrive
	command.DryRun = false
	s.begin(w, r, "Send failed events again", "/stream#redrive", func(ctx context.Context) (string, error) {
		result, err := command.Send(ctx)
		if err != nil {
			return "", err
		}
		s.found.mu.Lock()
		defer s.found.mu.Unlock()
		s.found.counted = nil // it is not so any more
		return result.String(), nil
	})
}

// begin starts a task and leads to its page.
func (s *server) begin(w http.ResponseWriter, r *http.Request, title, back string,
	work func(context.Context) (string, error)) {
	if started, ok := s.tasks.start(title, back, work); ok {
		http.Redirect(w, r, "/tasks/"+started.ID, http.StatusSeeOther)
	} else {
		s.refuse(w, r, http.StatusConflict, "Something else is being done: “"+started.Title+"”. Wait until it has ended.")
	}
}
