package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
	"kindred/internal/platform/checksum"
	"kindred/internal/platform/envconfig"
)

// clicksVersion rises when a change of ClicksJob changes the versions that it makes.
const clicksVersion = "1"

// fewestSessions is how many sessions of two clicks or more a version needs: to fit, to tune and to test.
const fewestSessions = 50

// ErrFewSessions says that a log has too few sessions.
var ErrFewSessions = errors.New("too few sessions")

// ClicksJob makes a version of the sessions of a log (docs/decisions/0065).
type ClicksJob struct {
	Artifacts  objectstore.Store
	Log        *nextitem.Log
	Hash       string // of the log
	Shop       string // "": that of the current version
	LargestDim int
	Epochs     int
	Seed       uint64
	Threads    int
	ScratchDir string // for copies of files; empty: the system's
	Progress   func(stage string, done, total int64)
}

// UsedClicks is what a version of sessions remembers of its making.
type UsedClicks struct {
	Sessions int                   `json:"sessions"`
	Clicks   int                   `json:"clicks"`
	Options  nextitem.BlendOptions `json:"options"`
	Tried    int                   `json:"tried"` // options, on the validation part
	Seed     uint64                `json:"seed"`
	// HitRate and MRR are HR@20 and MRR@20 of the held-out questions.
	HitRate float64 `json:"hr@20"`
	MRR     float64 `json:"mrr@20"`
}

func (u *UsedClicks) sentence() string {
	f, w := u.Options.Factors, u.Options.Weights
	return fmt.Sprintf("It recommends the next product of a session: HR@20 %.4f, MRR@20 %.4f of all held-out questions.\n"+
		"Dimension %d, alpha0 %.3g, lambda %.3g: the best of %d tried. The last click weighs %g, each earlier one %g "+
		"times as much;\nneighbours weigh %g, fading by %g; a product before the last one adds %g to itself, fading by %g, "+
		"and the last one %g.\n",
		u.HitRate, u.MRR, f.Dim, f.Alpha0, f.Lambda, u.Tried, w.View, w.Recency, w.Near, w.Fading, w.Again, w.Memory, w.Last)
}

// Run makes the version, unless it is there already: then it becomes current again. Its id derives from the log
// and the flags. Errors: ErrFewSessions, ErrOtherShop.
func (j ClicksJob) Run(ctx context.Context) (*Result, error) {
	start := time.Now()
	if j.Threads <= 0 {
		j.Threads = runtime.GOMAXPROCS(0)
	}
	models := commit.NewRepository(j.Artifacts, envconfig.ModelPrefix)
	input, err := json.Marshal([]any{"clicks", j.Hash, clicksVersion, ials.Kernel(), j.LargestDim, j.Epochs, j.Seed})
	if err != nil {
		return nil, fmt.Errorf("name the version: %w", err)
	}
	name := modelversion.Version{Input: checksum.Bytes(input), TrainingRun: j.Hash[:16], TrainerVersion: clicksVersion}
	name.ID = versionID(name.Input, "")
	result := &Result{ModelVersion: name.ID, TrainingRun: name.TrainingRun, NoOp: true}
	_, _, err = models.Restore(ctx, name.ID)
	if errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, commit.ErrCorrupt) {
		result.NoOp = false
		err = j.make(ctx, models, name)
	}
	if err != nil {
		return nil, err
	}
	v, items, _, err := modelfile.ReadSummary(ctx, models, name.ID, j.ScratchDir)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(v.Training, &result.Config); err != nil {
		return nil, fmt.Errorf("read the notes of version %s: %w", v.ID, err)
	}
	result.Report, result.Items, result.Seconds = v.Report, items, time.Since(start).Seconds()
	result.Interactions = int64(result.Config.Interactions)
	return result, nil
}

// make trains, measures, judges and commits.
func (j ClicksJob) make(ctx context.Context, models *commit.Repository, name modelversion.Version) error {
	shop, current, err := j.shop(ctx)
	if err != nil {
		return err
	}
	all := Teaching(j.Log)
	if len(all.Sessions) < fewestSessions {
		return fmt.Errorf("%w: %d have two clicks or more, and %d are needed", ErrFewSessions, len(all.Sessions),
			fewestSessions)
	}
	options, tried, figures, report, err := j.judge(ctx, all)
	if err != nil {
		return err
	}
	if current != "" {
		report.Verdict = report.Verdict.And(modelversion.NewVerdict(modelversion.OutcomeUncompared, modelversion.WithLive,
			"Uncompared with version "+current+": a version of sessions is compared with simpler ways to recommend alone."))
	}
	blend, err := FitClicks(ctx, all, options, j.Seed, j.Threads, j.Progress)
	if err != nil {
		return fmt.Errorf("fit the version: %w", err)
	}
	v := blend.Version(all, j.Threads)
	v.ID, v.Input, v.TrainingRun, v.TrainerVersion = name.ID, name.Input, name.TrainingRun, name.TrainerVersion
	v.Shop, v.TrainedAt, v.Report = shop, time.Now().UTC(), report
	v.Training, err = json.Marshal(Notes{Interactions: all.Clicks(), Kernel: ials.Kernel(),
		Clicks: &UsedClicks{Sessions: len(all.Sessions), Clicks: all.Clicks(), Options: options, Tried: tried, Seed: j.Seed,
			HitRate: figures.HitRate, MRR: figures.MRR}})
	if err != nil {
		return fmt.Errorf("encode the notes: %w", err)
	}
	_, err = modelfile.Write(ctx, models, v, j.ScratchDir)
	return err
}

// Teaching is what a version of a log learns from, in canonical order: a single click teaches no order, and asks
// nothing.
func Teaching(l *nextitem.Log) *nextitem.Log {
	all := &nextitem.Log{Items: l.Items}
	for _, s := range l.Sessions {
		if len(s.Items) > 1 {
			all.Sessions = append(all.Sessions, s)
		}
	}
	return all.Clicked().Ordered()
}

// shop is the shop of the version to be made, and the version that is current; "": there is none.
func (j ClicksJob) shop(ctx context.Context) (shop, current string, err error) {
	shop = j.Shop
	for a, err := range modelfile.Ancestors(ctx, commit.NewRepository(j.Artifacts, envconfig.ModelPrefix), 1) {
		if err != nil {
			return "", "", err
		}
		if envconfig.OtherShop(a.Shop, shop) {
			return "", "", fmt.Errorf("%w: the model versions in %s are of the shop %s, and --shop is %s; give %s artifacts of "+
				"its own", ErrOtherShop, j.Artifacts, a.Shop, shop, shop)
		}
		if current = a.ID; shop == "" {
			shop = a.Shop
		}
	}
	return shop, current, nil
}

// judge tunes on the last sessions before a held-out part, and measures on that part.
func (j ClicksJob) judge(ctx context.Context, all *nextitem.Log) (options nextitem.BlendOptions, tried int,
	figures nextitem.Figures, report modelversion.Report, err error) {
	rest, test := validation(all)
	rest = rest.Clicked().Ordered()
	test = test.On(rest)
	fitting, valid := validation(rest)
	t := &nextitem.Tuner{Train: fitting, Valid: valid, LargestDim: j.LargestDim, Epochs: j.Epochs, Seed: j.Seed,
		Threads: j.Threads, Progress: func(tried int) { j.Progress("tune", int64(tried), int64(tried+1)) }}
	if options, tried, err = t.Tune(ctx); err != nil {
		return options, tried, figures, report, fmt.Errorf("tune: %w", err)
	}
	blend, err := FitClicks(ctx, rest, options, j.Seed, j.Threads, j.Progress)
	if err != nil {
		return options, tried, figures, report, fmt.Errorf("fit to judge: %w", err)
	}
	report = modelversion.Report{TestCustomers: len(test.Sessions), TestPositives: test.Clicks() - len(test.Sessions),
		Split: "the next click of the sessions that ended last, which nothing was tuned on"}
	var rows []evaluation.Named
	for _, of := range []struct {
		name string
		rank nextitem.Ranker
	}{{modelversion.RowModel, blend.Rank}, {modelversion.RowPopularity, nextitem.Popularity(rest)},
		{RowItemToItem, nextitem.ItemToItem(rest, j.Threads)}} {
		row, own, err := j.row(ctx, test, of.rank)
		if err != nil {
			return options, tried, figures, report, err
		}
		if of.name == modelversion.RowModel {
			figures = own
		}
		rows = append(rows, evaluation.Named{Name: of.name, Scores: row})
		report.Rows = append(report.Rows, rows[len(rows)-1].Row())
	}
	report.Verdict = evaluation.Judge(rows[0].Scores, rows[1:])
	return options, tried, figures, report, nil
}

// row measures a ranker: the scores are the means of each session.
func (j ClicksJob) row(ctx context.Context, test *nextitem.Log, rank nextitem.Ranker) (evaluation.Scores,
	nextitem.Figures, error) {
	var mu sync.Mutex
	shown, none := map[int32]bool{}, make([]bool, len(test.Items))
	answers, err := nextitem.Measure(ctx, test, j.Threads, func(questions [][]int32, scores []float32) {
		rank(questions, scores)
		for own := range slices.Chunk(scores, len(test.Items)) {
			top := evaluation.Top(own, none, nextitem.Cut)
			mu.Lock()
			for _, item := range top {
				if own[item] > nextitem.NotShown {
					shown[item] = true
				}
			}
			mu.Unlock()
		}
	})
	if err != nil {
		return evaluation.Scores{}, nextitem.Figures{}, err
	}
	s := evaluation.Scores{Coverage: float64(len(shown)) / float64(len(test.Items))}
	for first := 0; first < len(answers); {
		last := first
		for last < len(answers) && answers[last].Session == answers[first].Session {
			last++
		}
		addSession(&s, answers[first:last])
		first = last
	}
	return s, nextitem.NewFigures(answers), nil
}

// addSession adds the means of a session's answers.
func addSession(s *evaluation.Scores, answers []nextitem.Answer) {
	var hit10, ndcg10, hit20, ndcg20, reciprocal float64
	for i := range answers {
		h10, n10 := answers[i].Gain(10)
		h20, n20 := answers[i].Gain(20)
		hit10, ndcg10, hit20, ndcg20 = hit10+h10, ndcg10+n10, hit20+h20, ndcg20+n20
		reciprocal += answers[i].Reciprocal
	}
	n := float64(len(answers))
	s.Recall10, s.NDCG10 = append(s.Recall10, hit10/n), append(s.NDCG10, ndcg10/n)
	s.Recall20, s.NDCG20 = append(s.Recall20, hit20/n), append(s.NDCG20, ndcg20/n)
	s.Reciprocal = append(s.Reciprocal, reciprocal/n)
}

// FitClicks makes the ranker that a version of sessions is. The ranker does not depend on threads. The errors are those
// of ials.Fit.
func FitClicks(ctx context.Context, l *nextitem.Log, o nextitem.BlendOptions, seed uint64, threads int,
	progress func(stage string, done, total int64)) (*nextitem.Blend, error) {
	f, err := nextitem.NewFactors(ctx, l, o.Factors, seed, threads, func(epoch int) {
		progress("fit", int64(epoch), int64(o.Factors.Epochs))
	})
	if err != nil {
		return nil, err
	}
	return nextitem.NewBlend(l, f, nextitem.Near(l, o.Pairs, threads), o.Weights), nil
}
