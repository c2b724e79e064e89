package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kindred/internal/job/console/feed"
	"kindred/internal/job/etl"
	"kindred/internal/job/publish"
	"kindred/internal/lake/commit"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// station is a place that the data passes.
type station string

// The stations, those of the nightly loop first.
const (
	stationShop     station = "shop"
	stationLake     station = "lake"
	stationModel    station = "model"
	stationDatabase station = "database"
	stationVisitors station = "visitors"
	stationStream   station = "stream"
	stationFunction station = "function"
	stationRecords  station = "records"
)

// health is how a station is, in a word that the page draws.
type health string

// The states of health, the worst first.
const (
	healthBad   health = "bad"   // something does not work
	healthWarn  health = "warn"  // it works, and somebody should look
	healthEmpty health = "empty" // nothing has come here yet
	healthUnset health = "unset" // not configured
	healthGood  health = "good"
)

// healthWords are what a person who does not see the colours reads.
var healthWords = map[health]string{healthBad: "fault", healthWarn: "look", healthEmpty: "empty",
	healthUnset: "not set", healthGood: "well"}

// Word is the health for people.
func (h health) Word() string { return healthWords[h] }

// stationView is a station of the picture.
type stationView struct {
	ID       station
	Name     string
	What     string // it is
	Place    string
	Link     string
	Health   health
	Sentence string // how it is, or what is wrong and what to do
	AtWhat   string // what happened At
	At       time.Time
	Figures  []figure
	Version  string // run or model version that is there
}

// figure is a number with its name. Live is its name in live.json; empty: it does not move.
type figure struct {
	Label  string
	Number number
	Unit   string
	Live   string
}

// stale is the age at which what runs every night was left out.
const stale = 36 * time.Hour

// sourceTime bounds the reading of one source for a page.
const sourceTime = 5 * time.Second

// unset is a station that is not configured.
func (v stationView) unset(variable string) stationView {
	v.Health, v.Sentence = healthUnset, variable+" is not set."
	return v
}

// failed is a station whose source did not answer.
func (v stationView) failed(err error) stationView {
	v.Health, v.Sentence = healthBad, said(err)
	return v
}

// said is an error as one line for a page.
func said(err error) string {
	const most = 400
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// overviewPage is the picture of the loop.
type overviewPage struct {
	Night, Day []stationView
	Wrong      []stationView // those that need somebody
	Counts     feed.Counts
	History    []vectorstore.Promotion // the newest few, newest first
}

// overview reads all sources side by side.
func (s *server) overview(ctx context.Context) overviewPage {
	ctx, cancel := context.WithTimeout(ctx, sourceTime)
	defer cancel()
	counts := s.from.feed.Counts()
	var shop, lake, model, database stationView
	var history []vectorstore.Promotion
	var newest string
	var reading sync.WaitGroup
	reading.Go(func() { shop, lake = s.shopAndLake(ctx) })
	reading.Go(func() { model, newest = s.model(ctx) })
	reading.Go(func() { database, history = s.database(ctx) })
	reading.Wait()
	if database.Health == healthGood && newest != "" && database.Version != newest {
		database.Health = healthWarn
		database.Sentence = "The newest version is not live: the version's page says what the gate thinks of it."
	}
	page := overviewPage{Counts: counts, Night: []stationView{shop, lake, model, database},
		Day: []stationView{s.senders(counts), s.activity(counts), s.function(counts), s.delivered(counts)}}
	for _, v := range slices.Concat(page.Night, page.Day) {
		if v.Health == healthBad || v.Health == healthWarn {
			page.Wrong = append(page.Wrong, v)
		}
	}
	slices.SortStableFunc(page.Wrong, func(a, b stationView) int { return cmp.Compare(a.Health, b.Health) })
	const shown = 5
	slices.Reverse(history)
	page.History = history[:min(shown, len(history))]
	return page
}

// shopAndLake are what etl read last, and what it made of it.
func (s *server) shopAndLake(ctx context.Context) (shop, lake stationView) {
	shop = stationView{ID: stationShop, Name: "Shop", What: "MySQL", Place: s.from.places[stationShop], Link: "/data"}
	lake = stationView{ID: stationLake, Name: "Lake", What: "training set", Place: s.from.places[stationLake],
		Link: "/data"}
	if s.from.sets == nil {
		return shop.unset("LAKE_BUCKET"), lake.unset("LAKE_BUCKET")
	}
	m, err := s.from.sets.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		shop.Health, shop.Sentence = healthEmpty, "Nothing has been read yet: run `make etl`."
		lake.Health, lake.Sentence = healthEmpty, "There is no training set yet: run `make etl`."
		return shop, lake
	}
	if err != nil {
		return shop.failed(err), lake.failed(err)
	}
	set := etl.Show(m)
	details := set.Remembered()
	shop.Health, shop.AtWhat, shop.At, shop.Version = healthGood, "read", m.CreatedAt, details.Shop
	rules := "details.rules."
	shop.Figures = []figure{{Label: "ratings", Number: whole(details.Counts.Read, "etl show:"+rules+"read")},
		{Label: "customers", Number: whole(details.Counts.Customers.Read, "etl show:"+rules+"customers.read")},
		{Label: "products", Number: whole(details.Counts.Products.Read, "etl show:"+rules+"products.read")}}
	if h := details.History; h != nil {
		rules = "details.interactions."
		shop.Figures = []figure{{Label: "interactions", Number: whole(h.Interactions, "etl show:"+rules+"interactions")},
			{Label: "customers", Number: whole(h.Customers, "etl show:"+rules+"customers")},
			{Label: "products", Number: whole(h.Products, "etl show:"+rules+"products")}}
	}
	shop.Sentence = "etl could use every row that it read."
	if broken := details.Broken(); broken > 0 {
		shop.Sentence = fmt.Sprintf("etl left out or corrected %s values, within its limits.", grouped(float64(broken), 0))
	}
	lake.Health, lake.AtWhat, lake.At, lake.Version = healthGood, "made", m.CreatedAt, m.Run
	first := figure{Label: "ratings", Number: whole(set.Rows.Ratings, "etl show:rows.ratings")}
	if set.Rows.Interactions > 0 {
		first = figure{Label: "interactions", Number: whole(set.Rows.Interactions, "etl show:rows.interactions")}
	}
	lake.Figures = []figure{first, {Label: "customers", Number: whole(set.Rows.Customers, "etl show:rows.customers")},
		{Label: "products", Number: whole(set.Rows.Products, "etl show:rows.products")}}
	lake.Sentence = fmt.Sprintf("%s in %d files.", megabytes(m.Bytes()), len(m.Files))
	if s.now().Sub(m.CreatedAt) > stale {
		lake.Health = healthWarn
		lake.Sentence = "The training set is older than a day and a half: is the nightly run switched on?"
	}
	return shop, lake
}

// model is the newest version that train made.
func (s *server) model(ctx context.Context) (v stationView, newest string) {
	v = stationView{ID: stationModel, Name: "Model", What: "newest version", Place: s.from.places[stationModel],
		Link: "/models"}
	if s.from.artifacts == nil {
		return v.unset("ARTIFACTS_BUCKET"), ""
	}
	version, err := s.from.models.Summary(ctx, "")
	if errors.Is(err, commit.ErrNoCurrent) {
		v.Health, v.Sentence = healthEmpty, "No model has been trained yet: run `make train`."
		return v, ""
	}
	if err != nil {
		return v.failed(err), ""
	}
	v.Health, v.AtWhat, v.At, v.Version = healthGood, "trained", version.TrainedAt, version.ID
	v.Link = "/models/" + version.ID
	verdict := version.Report.Verdict
	switch {
	case verdict.Popularity:
		v.Health, v.Sentence = healthWarn, "No model has passed the gate, so popularity answers."
	case verdict.Decision() == modelversion.OutcomePassed:
		v.Sentence = "The gate lets it go live."
	case verdict.Decision() == modelversion.OutcomeRefused:
		v.Health, v.Sentence = healthWarn, "The gate refuses it: its page says why."
	default:
		v.Health, v.Sentence = healthWarn, "The gate could not compare it with all that it should beat."
	}
	of := "publish show " + version.ID + ":report.rows."
	for i, row := range version.Report.Rows {
		switch row.Name {
		case modelversion.RowModel, modelversion.RowPopularity, modelversion.RowCeiling:
			label := map[string]string{modelversion.RowModel: "NDCG@10"}[row.Name]
			v.Figures = append(v.Figures, figure{Label: cmp.Or(label, row.Name),
				Number: number{row.NDCG10, 3, fmt.Sprintf("%s%d.ndcg@10", of, i)}})
		}
	}
	return v, version.ID
}

// database is what answers now.
func (s *server) database(ctx context.Context) (v stationView, history []vectorstore.Promotion) {
	v = stationView{ID: stationDatabase, Name: "Vector database", What: "pgvector",
		Place: s.from.places[stationDatabase], Link: "/models"}
	if s.from.db == nil {
		return v.unset("PGVECTOR_DSN"), nil
	}
	listing, err := publish.ListWith(ctx, s.from.db, s.from.damages.of)
	if errors.Is(err, vectorstore.ErrNotMigrated) {
		v.Health, v.Sentence = healthEmpty, "It is not set up yet: run `make deploy`."
		return v, nil
	}
	if err != nil {
		return v.failed(err), nil
	}
	v.Health, v.Sentence = healthEmpty, "No version is live: run `make publish`."
	for _, one := range listing.Versions {
		switch {
		case one.Live:
			v.Version, v.AtWhat, v.Link = one.ID, "live since", "/models/"+one.ID
			v.At = liveSince(one.ID, listing.History)
			v.Figures = []figure{{Label: "products", Number: whole(one.Items, "publish show:items")},
				{Label: "customers", Number: whole(one.Customers, "publish show:customers")}}
			v.Health, v.Sentence = healthGood, "It answers: what serving asks was tried within the last minutes."
			if len(one.Damage) > 0 {
				v.Health, v.Sentence = healthBad, "The live version is damaged: "+strings.Join(one.Damage, "; ")
				return v, listing.History
			}
		case one.Canary > 0:
			defer func(share float64) {
				v.Sentence += fmt.Sprintf(" A canary answers %.3g %% of the sessions.", 100*share)
			}(one.Canary)
		}
	}
	return v, listing.History
}

// liveSince is when the version became live.
func liveSince(version string, history []vectorstore.Promotion) time.Time {
	for _, p := range slices.Backward(history) {
		moved := p.Action == vectorstore.ActionPromote || p.Action == vectorstore.ActionForce ||
			p.Action == vectorstore.ActionRollback
		if moved && p.To == version {
			return p.At
		}
	}
	return time.Time{}
}

// senders are the visitors.
func (s *server) senders(c feed.Counts) stationView {
	v := stationView{ID: stationVisitors, Name: "Visitors", What: "clicks", Link: "/shop", Health: healthGood,
		AtWhat: "last event", At: c.LastEvent}
	switch {
	case s.from.stream == nil:
		return v.unset("ACTIVITY_STREAM")
	case c.LastEvent.IsZero():
		v.Health, v.Sentence = healthEmpty, "No event has come since the beginning of the window: try `make replay`."
	default:
		v.Sentence = "Events of visitors, of products and of orders."
	}
	return v
}

// activity is the stream that events arrive on.
func (s *server) activity(c feed.Counts) stationView {
	v := stationView{ID: stationStream, Name: "Stream", What: "Kinesis", Link: "/stream",
		Place:  s.from.places[stationStream],
		Health: healthGood}
	switch {
	case s.from.stream == nil:
		return v.unset("ACTIVITY_STREAM")
	case c.StreamFault != "":
		return v.failed(errors.New(c.StreamFault))
	}
	v.Figures = []figure{{Label: "events", Number: whole(c.Events, ""), Live: "events"}}
	v.Sentence = fmt.Sprintf("%d shards.", len(c.Shards))
	if len(c.Shards) == 1 {
		v.Sentence = "1 shard."
	}
	if !c.Whole {
		v.Sentence += " The window is being read."
	}
	return v
}

// behind is how much older than the newest event the newest answer may be.
const behind = 2 * time.Minute

// function is λ recommend, as what it delivers shows it.
func (s *server) function(c feed.Counts) stationView {
	v := stationView{ID: stationFunction, Name: "λ recommend", What: "answers", Link: "/stream", Health: healthGood,
		AtWhat: "last answer", At: c.LastAnswer}
	if s.from.records == nil {
		return v.unset("RECOMMENDATIONS_BUCKET")
	}
	v.Figures = []figure{{Label: "answers", Number: whole(c.Answers, ""), Live: "answers"},
		{Label: "p50", Number: number{c.LatencyMS.P50, 0, ""}, Unit: "ms", Live: "p50"},
		{Label: "p99", Number: number{c.LatencyMS.P99, 0, ""}, Unit: "ms", Live: "p99"}}
	switch {
	case c.Answers == 0 && c.Events == 0:
		v.Health, v.Sentence = healthEmpty, "It has answered nothing in the window: no event came."
	case c.LastEvent.Sub(c.LastAnswer) > behind && s.now().Sub(c.LastEvent) > behind:
		v.Health = healthWarn
		v.Sentence = "Events came after its last answer: it is behind, or the newest events could not be answered."
	default:
		v.Sentence = "From arrival on the stream to the answer."
	}
	return v
}

// delivered is the bucket of what came out.
func (s *server) delivered(c feed.Counts) stationView {
	v := stationView{ID: stationRecords, Name: "Recommendations", What: "S3", Link: "/stream",
		Place:  s.from.places[stationRecords],
		Health: healthGood}
	switch {
	case s.from.records == nil:
		return v.unset("RECOMMENDATIONS_BUCKET")
	case c.StoreFault != "":
		return v.failed(errors.New(c.StoreFault))
	}
	v.Figures = []figure{{Label: "lines delivered", Number: whole(c.Answers, ""), Live: "answers"},
		{Label: "dead letters", Number: whole(c.Dead(), ""), Live: "dead"}}
	v.Sentence = "Each line holds an event and what was recommended."
	if c.Dead() > 0 {
		v.Health = healthWarn
		v.Sentence = "Some events could not be answered: " + reasons(c.Letters) + "."
	}
	return v
}

// reasons lists counts, the largest first.
func reasons(counts map[string]int64) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf("%s %d", k, counts[k])
	}
	return strings.Join(parts, ", ")
}
