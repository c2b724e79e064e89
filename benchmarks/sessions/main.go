// Sessions compares kindred with Serenade (bol.com's VMIS-kNN server) on the next click of test
// sessions. Serenade's own programs tune it on the validation file. kindred's programs, built as they
// ship, make a version of the training file alone, and publish it into a database of its own. Both
// servers answer over HTTP, click by click, and one evaluator judges both. Our own VMIS-kNN, the
// baseline of `train evaluate-sessions`, is compared with Serenade's lists under the same options, and
// what kindred serves with what its ranker says in this process.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"kindred/benchmarks/serenade"
	"kindred/internal/job/train"
	"kindred/internal/model/nextitem"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

func main() {
	os.Exit(program.Main("bench-sessions", "Compare kindred with Serenade on the next click of sessions.", &command{},
		os.Args[1:], os.Stdout, os.Stderr))
}

type command struct {
	envconfig.PGVector
	Folder     string `arg:"" help:"Folder with train.txt, valid.txt and test.txt: SessionId, ItemId and Time, separated by tabs."`
	Serenade   string `required:"" placeholder:"FOLDER" help:"Folder with Serenade's programs serving and tpe_hyperparameter_optm, for example the bin folder of cargo install."`
	Iterations int    `default:"40" help:"Number of settings that Serenade's search tries."`
	Splits     int    `default:"0" help:"Number of further comparisons. Each comparison splits train.txt at a random time, and has its own tuning."`
	LargestDim int    `default:"256" help:"Largest number of components of kindred's vectors."`
	Threads    int    `default:"0" help:"Number of processors to use. 0 uses all."`
}

// part is one comparison's data.
type part struct {
	name               string
	train, valid, test *nextitem.Log // of one catalogue each, train's
}

// result is one comparison.
type result struct {
	Name     string           `json:"name"`
	Serenade nextitem.Figures `json:"serenade"`
	// Unseen are Serenade's figures over items that were not clicked before in their session.
	Unseen        nextitem.Figures    `json:"serenade_unseen"`
	Options       serenade.Options    `json:"serenade_options"`
	Kindred       nextitem.Figures    `json:"kindred"`
	KindredUnseen nextitem.Figures    `json:"kindred_unseen"`
	Ratio         *train.SessionRatio `json:"kindred_ratio"`
	// Same is the share of the places of kindred's lists that have the product which the ranker in this process has there,
	// or one of the same score.
	Same    float64          `json:"same"`
	Version train.UsedClicks `json:"version"` // what tuning chose
	VMIS    nextitem.Figures `json:"vmis"`
	// Overlap is the mean share of Serenade's list that our VMIS-kNN shows with the same options.
	Overlap float64 `json:"overlap"`
}

// Run compares.
func (c *command) Run(ctx context.Context, out *program.Output) error {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set", program.ErrConfig)
	}
	var err error
	if c.Serenade, err = filepath.Abs(c.Serenade); err != nil {
		return err
	}
	if c.Threads <= 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	logs := map[string]*nextitem.Log{}
	for _, name := range []string{"train", "valid", "test"} {
		l, err := train.ReadClicks(filepath.Join(c.Folder, name+".txt"))
		if err != nil {
			return fmt.Errorf("%w: %w", program.ErrConfig, err)
		}
		logs[name] = l.Ordered()
	}
	parts := []part{{"given", logs["train"], logs["valid"].On(logs["train"]), logs["test"].On(logs["train"])}}
	for seed := range c.Splits {
		parts = append(parts, split(logs["train"], uint64(seed+1)))
	}
	programs, remove, err := build(ctx)
	defer remove()
	if err != nil {
		return err
	}
	var results []result
	for _, p := range parts {
		r, err := c.compare(ctx, programs, p)
		if err != nil {
			return fmt.Errorf("compare on %s: %w", p.name, err)
		}
		results = append(results, r)
		if len(parts) > 1 {
			fmt.Fprintln(out.Stderr, r.sentence())
		}
	}
	sentences := make([]string, len(results))
	for i, r := range results {
		sentences[i] = r.sentence()
	}
	return out.Result(strings.Join(sentences, "\n"), results)
}

func (r result) sentence() string {
	return fmt.Sprintf("%s: %d questions\n  Serenade  HR@20 %.4f MRR@20 %.4f %+v\n  kindred   HR@20 %.4f MRR@20 %.4f; "+
		"%.1f %% of the places as its ranker has them\n"+
		"  vmis-knn  HR@20 %.4f MRR@20 %.4f, its lists share %.1f %% with Serenade's\n"+
		"  kindred / Serenade, 95 %%: HR@20 %.3f (%.3f to %.3f), MRR@20 %.3f (%.3f to %.3f)",
		r.Name, r.Kindred.Questions, r.Serenade.HitRate, r.Serenade.MRR, r.Options, r.Kindred.HitRate, r.Kindred.MRR,
		100*r.Same,
		r.VMIS.HitRate, r.VMIS.MRR, 100*r.Overlap, r.Ratio.HitRate, r.Ratio.Interval.HitRate.Low,
		r.Ratio.Interval.HitRate.High,
		r.Ratio.MRR, r.Ratio.Interval.MRR.Low, r.Ratio.Interval.MRR.High)
}

// The splits of a log by time: after a random one in the last third of the sessions follows the test
// part, one session in so many but no fewer than the fewest. As many before it are Serenade's
// validation part, and all before those are for training.
const (
	partShare  = 40
	fewestPart = 300
)

// split cuts a log at a random time. What ends after the test part is left out.
func split(l *nextitem.Log, seed uint64) part {
	n := len(l.Sessions)
	size := min(max(n/partShare, fewestPart), n/4)
	rng := rand.New(rand.NewPCG(seed, seed))
	end := n - rng.IntN(max(n/3-size, 1))
	known, _ := l.CutLast(n - end)
	known, test := known.CutLast(size)
	fit, valid := known.CutLast(size)
	fit = fit.Clicked().Ordered()
	return part{fmt.Sprintf("split %d", seed), fit, valid.On(fit), test.On(fit)}
}

// compare asks both the same questions.
func (c *command) compare(ctx context.Context, programs string, p part) (r result, err error) {
	r.Name = p.name
	folder, err := os.MkdirTemp("", "bench-sessions-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	s := &serenade.Serenade{Programs: c.Serenade, Folder: folder}
	if err := tune(ctx, s, p, c.Iterations); err != nil {
		return r, err
	}
	answers, lists, err := measure(ctx, s, p.test)
	if err != nil {
		return r, err
	}
	r.Serenade, r.Unseen, r.Options = nextitem.NewFigures(answers), nextitem.NewFigures(nextitem.Unseen(answers)),
		s.Options
	vmis := nextitem.VMIS(p.train, nextitem.VMISOptions{Sessions: r.Options.Sessions, Neighbours: r.Options.Neighbours,
		Clicks: r.Options.Clicks, IDF: r.Options.IDF > 0})
	own, err := nextitem.Measure(ctx, p.test, c.Threads, vmis)
	if err != nil {
		return r, err
	}
	r.VMIS, r.Overlap = nextitem.NewFigures(own), overlap(lists, nextitem.Lists(p.test, nextitem.Cut, vmis))
	k := &kindred{programs: programs, folder: folder, largestDim: c.LargestDim, threads: c.Threads}
	kindreds, served, err := k.measure(ctx, c.DSN, p.test)
	if err != nil {
		return r, err
	}
	r.Kindred, r.KindredUnseen = nextitem.NewFigures(kindreds), nextitem.NewFigures(nextitem.Unseen(kindreds))
	r.Ratio, r.Version = train.NewSessionRatio(kindreds, answers), *k.version.Config.Clicks
	r.Same, err = k.same(ctx, p.test, served)
	return r, err
}

// overlap is the mean share of the first lists' items that the second ones have.
func overlap(lists, others [][]int32) float64 {
	shared, all := 0, 0
	for i, list := range lists {
		has := map[int32]bool{}
		for _, item := range others[i] {
			has[item] = true
		}
		for _, item := range list {
			all++
			if has[item] {
				shared++
			}
		}
	}
	return float64(shared) / float64(max(all, 1))
}
