package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kindred/internal/job/console/plot"
	"kindred/internal/job/publish"
	"kindred/internal/job/train"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// maxUnloaded is how many versions of the artifacts are listed that the registry does not know.
const maxUnloaded = 50

// modelRow is a version in the list.
type modelRow struct {
	publish.Listed
	At       int // its place in `publish list`
	Own      *modelversion.Row
	Bar      plot.Interval // Own, on the list's scale
	Standing string
	Gate     modelversion.Outcome
	Newest   bool // train made it last
}

// shownVersions is how many versions a page lists.
const shownVersions = 50

// modelsPage lists the versions.
type modelsPage struct {
	Versions []modelRow
	All      int      // versions; the page may list a part of them
	From     int      // place of the first one that it lists
	Newer    *int     // From of the page before; nil: there is none
	Later    *int     // From of the page after
	Scale    float64  // NDCG at the right end of the bars
	Unloaded []string // versions of the artifacts that were never loaded, newest first
	Older    bool     // there are more of them
	History  []string // newest first
	Live     string
	Previous string
	Canary   string
	Fault    string
}

func (s *server) modelList(ctx context.Context) (modelsPage, error) {
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	var page modelsPage
	if s.from.db == nil {
		page.Fault = "PGVECTOR_DSN is not set, so nobody knows which versions are loaded."
	} else if err := s.loadedVersions(ctx, &page); err != nil {
		return page, err
	}
	if s.from.artifacts == nil {
		return page, nil
	}
	known := map[string]bool{}
	for _, row := range page.Versions {
		known[row.ID] = true
	}
	first := true
	for a, err := range modelfile.Ancestors(ctx, s.from.artifacts, maxUnloaded+1) {
		if err != nil {
			return page, err
		}
		if known[a.ID] {
			for i := range page.Versions {
				page.Versions[i].Newest = page.Versions[i].Newest || first && page.Versions[i].ID == a.ID
			}
		} else {
			page.Unloaded = append(page.Unloaded, a.ID)
		}
		first = false
	}
	if page.Older = len(page.Unloaded) > maxUnloaded; page.Older {
		page.Unloaded = page.Unloaded[:maxUnloaded]
	}
	return page, nil
}

// cut leaves the versions from a place on that a page lists.
func (page *modelsPage) cut(from int) {
	page.All = len(page.Versions)
	page.From = max(0, min(from, page.All-1)) / shownVersions * shownVersions
	end := min(page.All, page.From+shownVersions)
	if page.From > 0 {
		before := page.From - shownVersions
		page.Newer = &before
	}
	if end < page.All {
		page.Later = &end
	}
	page.Versions = page.Versions[page.From:end]
	if most := shownVersions; len(page.History) > most {
		page.History = page.History[:most]
	}
}

// loadedVersions are the registry's.
func (s *server) loadedVersions(ctx context.Context, page *modelsPage) error {
	listing, err := publish.ListWith(ctx, s.from.db, s.from.damages.of)
	if errors.Is(err, vectorstore.ErrNotMigrated) {
		page.Fault = "The vector database is not set up yet: run `make deploy`."
		return nil
	}
	if err != nil {
		return err
	}
	for i, v := range listing.Versions {
		row := modelRow{Listed: v, At: i, Own: v.Report.Own(), Standing: standing(v), Gate: v.Report.Verdict.Decision()}
		if row.Own != nil {
			page.Scale = max(page.Scale, row.Own.High, row.Own.NDCG10)
		}
		switch {
		case v.Live:
			page.Live = v.ID
		case v.Canary > 0:
			page.Canary = v.ID
		}
		if v.Previous {
			page.Previous = v.ID
		}
		page.Versions = append(page.Versions, row)
	}
	for i, row := range page.Versions {
		if row.Own != nil {
			page.Versions[i].Bar = interval(*row.Own, page.Scale)
		}
	}
	for _, p := range slices.Backward(listing.History) {
		page.History = append(page.History, publish.Line(p))
	}
	return nil
}

// standing is where a version stands, in a word or two.
func standing(v publish.Listed) string {
	switch {
	case v.Live:
		return "live"
	case v.Canary > 0:
		return fmt.Sprintf("canary, %.3g %%", 100*v.Canary)
	case v.Previous:
		return "previous"
	case v.State != vectorstore.StateReady:
		return string(v.State)
	}
	return "loaded"
}

func interval(row modelversion.Row, scale float64) plot.Interval {
	return plot.Interval{Value: row.NDCG10, Low: row.Low, High: row.High, Scale: scale}
}

// comparison is a table of rankers that were measured on the same customers.
type comparison struct {
	Title, What string
	Customers   int
	Rows        []comparedRow
}

// comparedRow is a ranker with its bar.
type comparedRow struct {
	modelversion.Row
	Bar plot.Interval
	Own bool
	Of  string // where publish prints the row
}

// versionPage is one version.
type versionPage struct {
	vectorstore.Version
	Registered   bool // the registry knows it
	Standing     string
	Damage       []string
	Decision     string
	Reasons      []string
	Compared     []string
	Comparisons  []comparison
	Trials       *plot.Scatter
	Tried        []train.Candidate
	Best         int // of Tried
	Used         *train.Used
	TrainingRun  string
	Parent       string
	Trainer      string
	Interactions int
	History      []string // that concern it, newest first
	Missing      string   // what could not be read
	MayCanary    bool
	MayCompare   bool // it is loaded, and another one too
	Curve        *measured
	MayMeasure   bool // an index searches it
}

// versionName is what a version may be called, as package vectorstore has it.
var versionName = regexp.MustCompile(`^[a-z][a-z0-9]{0,39}$`)

// errUnknown says that neither registry nor artifacts have a version of this name.
var errUnknown = errors.New("there is no model version of this name")

func (s *server) version(ctx context.Context, id string) (page versionPage, err error) {
	if !versionName.MatchString(id) {
		return page, errUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	if s.from.db != nil {
		if err := s.registered(ctx, id, &page); err != nil && !errors.Is(err, vectorstore.ErrNotMigrated) {
			return page, err
		}
	}
	if s.from.artifacts != nil {
		v, err := s.from.models.Summary(ctx, id)
		switch {
		case err == nil:
			page.trained(v)
		case !page.Registered && errors.Is(err, objectstore.ErrNotFound):
			return page, errUnknown
		case !page.Registered:
			return page, err
		default:
			page.Missing = "The artifacts do not have this version any more: its tuning cannot be shown."
		}
	}
	if page.ID == "" {
		return page, errUnknown
	}
	page.Decision, page.Reasons = publish.Decision(page.Report.Verdict), page.Report.Verdict.Reasons
	if page.Registered {
		page.Compared = publish.Compared(page.Version)
	}
	page.compare()
	page.MayMeasure = page.State == vectorstore.StateReady && page.EFSearch != nil
	s.found.mu.Lock()
	defer s.found.mu.Unlock()
	page.Curve = s.found.recalls[id]
	return page, nil
}

// registered reads what the registry says.
func (s *server) registered(ctx context.Context, id string, page *versionPage) error {
	listing, err := publish.ListWith(ctx, s.from.db, s.from.damages.of)
	if err != nil {
		return err
	}
	live, ready := false, 0
	for _, v := range listing.Versions {
		live = live || v.Live
		if v.State == vectorstore.StateReady {
			ready++
		}
		if v.ID == id {
			page.Version, page.Damage, page.Registered, page.Standing = v.Version, v.Damage, true, standing(v)
		}
	}
	page.MayCanary = live && !page.Live
	page.MayCompare = page.State == vectorstore.StateReady && ready > 1
	for _, p := range slices.Backward(listing.History) {
		if p.From == id || p.To == id {
			page.History = append(page.History, publish.Line(p))
		}
	}
	return nil
}

// trained adds what the artifacts say.
func (page *versionPage) trained(v *modelversion.Version) {
	if !page.Registered {
		page.Version = vectorstore.Version{ID: v.ID, Shop: v.Shop, Dim: v.Solver.Dim, TrainedAt: v.TrainedAt,
			Report: v.Report}
		page.Standing = "not loaded"
	}
	page.TrainingRun, page.Parent, page.Trainer = v.TrainingRun, v.Previous, v.TrainerVersion
	var notes train.Notes
	if len(v.Training) == 0 || json.Unmarshal(v.Training, &notes) != nil {
		return
	}
	page.Interactions = notes.Interactions
	if notes.Used.Dim > 0 {
		page.Used = &notes.Used
	}
	if page.Tried = notes.Tried; len(page.Tried) == 0 {
		return
	}
	trials := plot.Scatter{Label: "Quality of each tuning trial, in the order in which they were tried"}
	chosen := false
	for i, c := range page.Tried {
		trials.Points = append(trials.Points, plot.Point{X: float64(i), Y: c.Quality(),
			Class: fmt.Sprintf("dim-%d", dimClass(c.Dim)),
			Title: fmt.Sprintf("trial %d: %d dimensions, alpha0 %.3g, lambda %.3g, one customer in %d: quality %.4f", i+1,
				c.Dim, c.Alpha0, c.Lambda, c.Sample, c.Quality())})
		used := c.Dim == notes.Used.Dim && c.Alpha0 == notes.Used.Alpha0 && c.Lambda == notes.Used.Lambda
		if used || !chosen && c.Quality() > page.Tried[page.Best].Quality() {
			page.Best, chosen = i, used
		}
	}
	trials.Points[page.Best].Class += " best"
	page.Trials = &trials
}

// dimClass is the number of a colour for a dimension: as many as there are powers of two that tuning tries.
func dimClass(dim int) (class int) {
	const most = 5
	for n := 16; n < dim && class < most; n *= 2 {
		class++
	}
	return class
}

// compare makes the tables of the report.
func (page *versionPage) compare() {
	r := page.Report
	add := func(title, what string, customers int, rows []modelversion.Row, path string) {
		if len(rows) == 0 {
			return
		}
		scale := 0.0
		for _, row := range rows {
			scale = max(scale, row.High, row.NDCG10)
		}
		c := comparison{Title: title, What: what, Customers: customers}
		for i, row := range rows {
			of := ""
			if page.Registered {
				of = "publish show " + page.ID + ":report." + path + strconv.Itoa(i) + "."
			}
			c.Rows = append(c.Rows, comparedRow{Row: row, Bar: interval(row, scale), Of: of,
				Own: row.Name == modelversion.RowModel || i == 0 && row.Name == modelversion.RowPopularity})
		}
		page.Comparisons = append(page.Comparisons, c)
	}
	add("Against simpler ways to recommend", "Held out: "+r.Split+".", r.TestCustomers, r.Rows, "rows.")
	for _, part := range []struct {
		title, path string
		of          *modelversion.Part
	}{{"Against the live version", "live", r.Live}, {"What each part adds", "parts", r.Parts},
		{"The next product of a session", "sessions", r.Sessions},
		{"Products that nobody has rated", "cold_start", r.ColdStart}} {
		if part.of != nil {
			what := strings.ToUpper(part.of.What[:min(1, len(part.of.What))]) + part.of.What[min(1, len(part.of.What)):]
			add(part.title, what+".", part.of.Customers, part.of.Rows, part.path+".rows.")
		}
	}
}
