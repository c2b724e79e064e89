package nextitem

import (
	"context"
	"slices"
)

// What the baselines choose from. VMIS-kNN's ranges hold those of its authors' own search.
var (
	vmisSessions   = []int{100, 250, 500, 1000, 1500, 2500}
	vmisNeighbours = []int{50, 100, 200, 300, 500, 1000, 1500}
	vmisClicks     = []int{1, 2, 3, 4, 6, 8, 10}
	ruleSteps      = []int{1, 2, 3, 5, 10, 20}
)

// TuneVMIS looks for the options that predict the validation log best: from the middle of every
// range it moves one option after the other, both ways, until none is better. It returns how many
// it tried. The error is the context's.
func TuneVMIS(ctx context.Context, train, valid *Log, threads int) (VMISOptions, int, error) {
	type rungs [4]int // an index into the range of each option
	ranges := rungs{len(vmisSessions), len(vmisNeighbours), len(vmisClicks), 2}
	options := func(r rungs) VMISOptions {
		return VMISOptions{Sessions: vmisSessions[r[0]], Neighbours: vmisNeighbours[r[1]], Clicks: vmisClicks[r[2]],
			IDF: r[3] == 1}
	}
	at, known := rungs{2, 2, 3, 1}, map[rungs]float64{}
	try := func(r rungs) (float64, error) {
		if q, ok := known[r]; ok {
			return q, nil
		}
		answers, err := Measure(ctx, valid, threads, VMIS(train, options(r)))
		known[r] = Quality(answers)
		return known[r], err
	}
	top, err := try(at)
	for moved := true; moved && err == nil; {
		moved = false
		for option := range at {
			for _, way := range []int{1, -1} {
				for err == nil {
					to := at
					to[option] += way
					if to[option] < 0 || to[option] >= ranges[option] {
						break
					}
					var q float64
					if q, err = try(to); q <= top {
						break
					}
					at, top, moved = to, q, true
				}
			}
		}
	}
	return options(at), len(known), err
}

// TuneSequentialRules looks for the options that predict the validation log best, and returns how
// many it tried. The error is the context's.
func TuneSequentialRules(ctx context.Context, train, valid *Log, threads int) (RuleOptions, int, error) {
	qualities := make([]float64, len(ruleSteps))
	for i, steps := range ruleSteps {
		answers, err := Measure(ctx, valid, threads, SequentialRules(train, RuleOptions{steps}, threads))
		if err != nil {
			return RuleOptions{}, i, err
		}
		qualities[i] = Quality(answers)
	}
	return RuleOptions{ruleSteps[slices.Index(qualities, slices.Max(qualities))]}, len(ruleSteps), nil
}
