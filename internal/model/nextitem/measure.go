package nextitem

import (
	"context"
	"math"
	"slices"

	"kindred/internal/platform/parallel"
)

// Cut is where lists are cut: HR@20 and MRR@20.
const Cut = 20

// BlockSize is the most questions of a block: enough to read the items' vectors once for many.
const BlockSize = 16

// Ranker fills scores, a row of the whole catalogue for each question. A question is a session's
// clicks so far: the oldest first, never empty, perhaps with Unknown ones. A higher score ranks
// first, and an item of score NotShown is not recommended. It is called from several goroutines at once.
type Ranker func(questions [][]int32, scores []float32)

// NotShown is the score of an item that is not recommended.
var NotShown = float32(math.Inf(-1))

// Each is a Ranker that answers a block's questions one by one.
func Each(rank func(clicks []int32, scores []float32)) Ranker {
	return func(questions [][]int32, scores []float32) {
		items := len(scores) / max(len(questions), 1)
		for i, clicks := range questions {
			rank(clicks, scores[i*items:(i+1)*items])
		}
	}
}

// Answer is what a ranker achieved with one question: which item is clicked next?
type Answer struct {
	Session  int  // of the test log
	Position int  // clicks so far, from 1
	Unseen   bool // the item was not clicked before in this session
	// Better items rank before it, and Tied ones, itself included, share its place. Tied is 0 where it is not shown.
	Better, Tied int
	// Hit is 1 if the item is among the first 20, and 0 otherwise. Where items of equal score reach over
	// the cut it is the item's chance.
	Hit float64
	// Reciprocal is one over the item's place among the first 20, and 0 beyond.
	Reciprocal float64
}

// Measure asks after every click of every session but its last. The item to find may have been
// clicked before. Items of equal score have no order: an answer is then the mean over all their
// orders. The error is the context's.
func Measure(ctx context.Context, test *Log, threads int, rank Ranker) ([]Answer, error) {
	var all []Answer
	for s, session := range test.Sessions {
		for p := 1; p < len(session.Items); p++ {
			all = append(all, Answer{Session: s, Position: p, Unseen: !slices.Contains(session.Items[:p], session.Items[p])})
		}
	}
	items, scores := len(test.Items), make([][]float32, max(threads, 1))
	parallel.Tasks(threads, (len(all)+BlockSize-1)/BlockSize, func(thread, block int) {
		if ctx.Err() != nil {
			return
		}
		if scores[thread] == nil {
			scores[thread] = make([]float32, BlockSize*items)
		}
		answers := all[block*BlockSize : min((block+1)*BlockSize, len(all))]
		questions := make([][]int32, len(answers))
		for i, a := range answers {
			questions[i] = test.Sessions[a.Session].Items[:a.Position]
		}
		rank(questions, scores[thread][:len(answers)*items])
		for i := range answers {
			a := &answers[i]
			a.judge(scores[thread][i*items:(i+1)*items], test.Sessions[a.Session].Items[a.Position])
		}
	})
	return all, ctx.Err()
}

// judge fills in how an item ranks.
func (a *Answer) judge(scores []float32, item int32) {
	if item == Unknown || !(scores[item] > NotShown) { // the negation catches NaN
		return
	}
	for _, s := range scores {
		if s > scores[item] {
			a.Better++
		} else if s == scores[item] {
			a.Tied++
		}
	}
	a.Hit, a.Reciprocal = placed(a.Better, a.Tied)
}

// Gain is the expected hit and NDCG among the first places.
func (a *Answer) Gain(places int) (hit, ndcg float64) {
	for place := a.Better + 1; place <= min(a.Better+a.Tied, places); place++ {
		hit += 1 / float64(a.Tied)
		ndcg += 1 / math.Log2(float64(place)+1) / float64(a.Tied)
	}
	return hit, ndcg
}

// placed is the expected hit and reciprocal place of an item that shares its score with tied items,
// itself included, below better ones.
func placed(better, tied int) (hit, reciprocal float64) {
	for place := better + 1; place <= min(better+tied, Cut); place++ {
		hit += 1 / float64(tied)
		reciprocal += 1 / float64(place) / float64(tied)
	}
	return hit, reciprocal
}

// Listed scores the items of a ranked list so that they rank in its order, and shows no other. It is
// for a recommender that answers with a list, for example over HTTP.
func Listed(list []int32, scores []float32) {
	hide(scores)
	for i, item := range list {
		if item != Unknown && scores[item] == NotShown {
			scores[item] = float32(-i)
		}
	}
}

func hide(scores []float32) {
	for i := range scores {
		scores[i] = NotShown
	}
}
