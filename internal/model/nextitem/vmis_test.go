package nextitem

import (
	"math"
	"testing"
)

// TestVMISByHand works an example out: sessions share 1, or 1 and 2, with the clicks 2, 1.
func TestVMISByHand(t *testing.T) {
	t.Parallel()
	train := &Log{Items: make([]string, 6), Sessions: []Session{
		{Items: []int32{1, 3}, Times: []float64{1, 2}},
		{Items: []int32{2, 1, 4}, Times: []float64{3, 4, 5}},
		{Items: []int32{2, 5}, Times: []float64{6, 7}},
	}}
	scores := make([]float32, 6)
	score := func(o VMISOptions) []float32 {
		VMIS(train, o)([][]int32{{2, 1, 1}}, scores)
		return scores
	}
	near := func(got float32, want float64) bool { return math.Abs(float64(got)-want) < 1e-6 }
	// The last click weighs 2/2, the one before 1/2. A vote shrinks by a tenth for each click since the
	// last common one, itself included.
	if s := score(VMISOptions{Sessions: 9, Neighbours: 9, Clicks: 9}); s[1] != NotShown || s[0] != NotShown ||
		!near(s[3], 0.9*1) || !near(s[4], 0.9*1.5) || !near(s[5], 0.8*0.5) || !near(s[2], 0.9*1.5+0.8*0.5) {
		t.Errorf("scores are %v", s)
	}
	if s := score(VMISOptions{Sessions: 9, Neighbours: 1, Clicks: 9}); s[3] != NotShown || !near(s[4], 0.9*1.5) {
		t.Errorf("with one neighbour scores are %v", s)
	}
	if s := score(VMISOptions{Sessions: 9, Neighbours: 9, Clicks: 1}); s[5] != NotShown || !near(s[4], 0.9) {
		t.Errorf("with one click scores are %v", s)
	}
	if s := score(VMISOptions{Sessions: 1, Neighbours: 9, Clicks: 9}); s[3] != NotShown || !near(s[5], 0.8*0.5) ||
		s[4] != NotShown {
		t.Errorf("with the latest session alone scores are %v", s)
	}
	if s := score(VMISOptions{Sessions: 9, Neighbours: 9, Clicks: 9, IDF: true}); !near(s[3], 0.9*math.Log(7)) {
		t.Errorf("with rarity scores are %v", s)
	}
}
